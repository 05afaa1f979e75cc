"""What the web page refuses: files of the machine, routes that it does not need, other sites."""

import re
import socket
import stat
from pathlib import Path

import pytest
from served import Served, field
from tiny import TinyRun

pytest.importorskip("gradio", reason="gradio is not installed: pip install -e '.[dev]'")

from difffake.serve import server as server_module


@pytest.mark.parametrize("prefix", ["/gradio_api/file=", "/gradio_api/file/", "/file=", "/static/", "/assets/"])
def test_no_file_can_be_read(page: Served, files: Path, tiny_run: TinyRun, prefix: str) -> None:
    (token,) = page.upload(files / "one.png")
    secrets = [Path("/etc/passwd"), tiny_run.ckpt, page.folder / token, Path(server_module.__file__)]
    with socket.create_connection(("127.0.0.1", int(page.url.rsplit(":", 1)[1]))) as line:
        line.settimeout(10)
        for target in [
            *map(str, secrets),
            "../" * 30 + "etc/passwd",
            "..%2f" * 30 + "etc/passwd",
            page.url,
            "//etc/passwd",
        ]:
            # Not with a client, which would take .. out of the path.
            line.sendall(f"GET {prefix}{target} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
            head = line.recv(65536)
            assert head.split()[1] in (b"403", b"404"), (target, head)
            length = int(re.search(rb"content-length: (\d+)", head.lower()).group(1))  # type: ignore[union-attr]
            while len(head.split(b"\r\n\r\n", 1)[1]) < length:
                head += line.recv(65536)
            assert b"root:" not in head


def test_the_page_tells_nothing_of_the_machine(page: Served, tiny_run: TinyRun) -> None:
    for path in ("/", "/config", "/gradio_api/info"):
        text = page.client.get(path).text
        assert len(text) > 100
        for secret in (page.folder, tiny_run.folder, Path.cwd(), Path(server_module.__file__).parent):
            assert str(secret) not in text


def test_routes_that_the_page_does_not_need_are_closed(page: Served) -> None:
    for path in ("proxy=http://example.org/", "monitoring", "stream/a/b/1/playlist.m3u8", "runs", "openapi.json"):
        assert page.client.get(f"/gradio_api/{path}").status_code == 404
        assert page.client.get(f"/{path}").status_code == 404
    for path in ("process_recording", "component_server", "run/check", "vibe-edit"):
        assert page.client.post(f"/gradio_api/{path}", json={}).status_code == 404


def test_a_field_may_name_uploads_only(page: Served, files: Path, tiny_run: TinyRun) -> None:
    """Gradio itself would copy the named file, or fetch it from the named address."""
    before = sorted(page.folder.iterdir())
    (token,) = page.upload(files / "one.png")
    named = [
        "/etc/passwd",
        str(tiny_run.ckpt),
        f"../{page.folder.name}/{token}",
        str(page.folder / token),
        "http://203.0.113.7/secret.png",
        f"{page.url}/favicon.ico",
        "",
        "0" * 32,
    ]
    for path in named:
        text = page.ask(field(path, is_stream="203" not in path, url="http://203.0.113.7/x.png"))
        assert "drop the file again" in text or "Drop a picture or a clip first" in text, (path, text)
    for more in ({}, {"is_stream": True}):
        assert "drop the file again" in page.ask(field(token), [field(path, **more) for path in named[:5]])
        assert "drop the file again" in page.ask(field("/etc/passwd", **more))
    assert "path" not in page.ask({"no": "file"})
    assert sorted(page.folder.iterdir()) == sorted([*before, page.folder / token])


@pytest.mark.parametrize(
    "name", ["../../../tmp/x.png", "/etc/cron.d/x", "..", "a" * 3000, "<b>x</b>.png", "C:\\x\0.mp4"]
)
def test_the_name_of_an_upload_is_not_a_path(page: Served, files: Path, name: str) -> None:
    before = set(page.folder.iterdir())
    assert "One person found" in page.check(files / "one.png", name=name)
    (written,) = set(page.folder.iterdir()) - before
    assert re.fullmatch(r"[0-9a-f]{32}", written.name)
    assert stat.S_IMODE(page.folder.stat().st_mode) == 0o700


def test_other_sites_cannot_use_the_page(page: Served) -> None:
    for headers in ({"host": "evil.example:7860"}, {"origin": "http://evil.example"}, {"origin": "null"}):
        assert page.client.get("/", headers=headers).status_code == 403
        assert page.client.post("/gradio_api/upload", headers=headers, files={"files": b"x"}).status_code == 403
    found = page.client.get("/", headers={"origin": page.url})
    assert found.status_code == 200
    assert "connect-src 'self'" in found.headers["content-security-policy"]
    assert "server" not in found.headers
