"""Content Credentials of files that are signed here, with a certificate made here."""

import io
import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn_clips import write_clip
from PIL import Image
from tiny import TinyRun

from difffake import Predictor
from difffake.commands.main import main
from difffake.predict.credentials import Action, Credentials, absent_note, read_credentials

c2pa = pytest.importorskip("c2pa")
AI = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
Sign = Callable[..., Path]


@pytest.fixture(scope="module")
def signer() -> Any:
    """Makes signers of a newsroom whose certificate comes from an authority that nobody knows."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    keys = {name: ec.generate_private_key(ec.SECP256R1()) for name in ("Test authority", "Test\x1b[31m newsroom")}
    (above, root), (_, own) = keys.items()
    issuer, now, chain = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, above)]), datetime.now(UTC), b""
    for name, key in reversed(keys.items()):
        usage = dict.fromkeys(
            ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "crl_sign",
             "encipher_only", "decipher_only"), False,
        )  # fmt: skip
        certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, name)]))
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=key is root, path_length=None), True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root.public_key()), False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
            .add_extension(x509.KeyUsage(key is own, key_cert_sign=key is root, **usage), True)
        )
        if key is own:
            purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
            certificate = certificate.add_extension(purpose, False)
        chain += certificate.sign(root, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    plain = own.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return lambda: c2pa.Signer.from_info(c2pa.C2paSignerInfo(b"es256", chain, plain, None))


@pytest.fixture(scope="module")
def sign(signer: Any) -> Sign:
    """Writes a file with credentials: made by an AI tool."""

    def signed(source: Path, target: Path, kind: str, url: str = "") -> Path:
        made = {"action": "c2pa.created", "digitalSourceType": AI, "softwareAgent": {"name": "Dreamer", "version": "2"}}
        content = {
            "claim_generator_info": [{"name": "Dream Machine", "version": "1.0"}],
            "assertions": [{"label": "c2pa.actions", "data": {"actions": [made]}}],
        }
        builder = c2pa.Builder(json.dumps(content))
        if url:
            builder.set_remote_url(url)
            builder.set_no_embed()
        with source.open("rb") as before, target.open("w+b") as after:
            builder.sign(signer(), kind, before, after)
        return target

    return signed


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("credentials") / "photo.jpg"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)).save(path, quality=95)
    return path


@pytest.fixture(scope="module")
def signed(photo: Path, sign: Sign) -> Path:
    return sign(photo, photo.with_name("signed.jpg"), "image/jpeg")


MADE = (Action("c2pa.created", "trainedAlgorithmicMedia", "Dreamer 2"),)


def test_a_signed_photograph_and_one_without_credentials(signed: Path, photo: Path) -> None:
    found = read_credentials(signed)
    # The name comes from the file: what would turn a terminal red is not printed.
    assert found == Credentials("valid", "Test [31m newsroom", "Dream Machine 1.0", MADE)
    assert found.note == (
        "Content Credentials: signature valid; signed as Test [31m newsroom (anyone can use this name: it was checked "
        "against no list); written by Dream Machine 1.0; stated: created: made by an AI tool (Dreamer 2)"
    )
    assert read_credentials(photo) == Credentials("none")
    assert Credentials("none").note == ""


def test_a_picture_that_was_changed_after_signing(signed: Path) -> None:
    data = bytearray(signed.read_bytes())
    data[-100] ^= 255
    changed = signed.with_name("changed.jpg")
    changed.write_bytes(data)
    found = read_credentials(changed)
    assert found
    assert (found.state, found.signer, found.actions) == ("invalid", "Test [31m newsroom", MADE)
    (problem,) = found.problems
    assert "hash" in problem
    assert "signature NOT valid (asset hash error" in found.note


def test_broken_credentials_are_said_to_be_broken(signed: Path) -> None:
    data = bytearray(signed.read_bytes())
    start = data.index(b"c2pa.signature") - 60
    data[start : start + 200] = bytes(200)
    broken = signed.with_name("broken.jpg")
    broken.write_bytes(data)
    found = read_credentials(broken)
    assert found
    assert found.state in ("unreadable", "invalid")
    assert found.problems
    assert "\n" not in found.note


def test_credentials_at_an_address_are_not_fetched(photo: Path, sign: Sign) -> None:
    asked = []

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *rest: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/credentials"
        path = sign(photo, photo.with_name("remote.jpg"), "image/jpeg", url)
        assert read_credentials(path) == Credentials("elsewhere", problems=(url,))
        assert asked == []
        with pytest.raises(Exception, match="404"):
            c2pa.Reader(str(path))  # so by default it would have been
        assert asked == ["/credentials"]
        server.shutdown()


def test_videos_and_formats_without_credentials(tmp_path: Path, sign: Sign) -> None:
    frames = [np.full((64, 64, 3), 20 * number, np.uint8) for number in range(6)]
    for suffix in (".mp4", ".mkv"):
        write_clip(tmp_path / f"clip{suffix}", frames)
    found = read_credentials(sign(tmp_path / "clip.mp4", tmp_path / "signed.mp4", "video/mp4"))
    assert found == Credentials("valid", "Test [31m newsroom", "Dream Machine 1.0", MADE)
    assert read_credentials(tmp_path / "clip.mp4") == Credentials("none")
    assert read_credentials(tmp_path / "clip.mkv") is None


def test_they_stand_beside_the_score(
    tiny_run: TinyRun, signed: Path, photo: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    command = ["predict", str(photo), str(signed), "--ckpt", str(tiny_run.ckpt), "--cropped", "--device", "cpu"]
    assert main(command) == 0
    said = capsys.readouterr().out
    together = " ".join(said.split())
    assert together.count("Content Credentials: signature valid") == 1
    assert "created: made by an AI tool (Dreamer 2)" in together
    assert "No Content Credentials in 1 file, which says nothing" in together
    assert max(map(len, said.splitlines())) <= 80
    assert main([*command, "--json"]) == 0
    without, with_them = (json.loads(line) for line in io.StringIO(capsys.readouterr().out))
    assert without["content_credentials"]["state"] == "none"
    assert with_them["content_credentials"]["actions"] == [
        {"action": "c2pa.created", "source_type": "trainedAlgorithmicMedia", "tool": "Dreamer 2"}
    ]
    assert without["logit"] == with_them["logit"]  # the picture is the same


def test_without_the_package_nothing_is_said(tiny_run: TinyRun, signed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("difffake.predict.credentials.importlib.util.find_spec", lambda name: None)
    assert read_credentials(signed) is None
    assert absent_note([None, None]) == ""
    with Predictor(tiny_run.ckpt, device="cpu", cropped=True) as predictor:
        assert predictor.predict(signed).to_dict()["content_credentials"] is None
