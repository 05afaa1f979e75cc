"""Models by name: paths before the Hub, the Hub's own cache, uploads, and one line without a network."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import OfflineModeIsEnabled
from tiny import TinyRun

from difffake import Predictor
from difffake.commands.main import main
from difffake.errors import UsageError, UserError
from difffake.predict.hub import find_model
from difffake.predict.publish import publish

COMMIT = "1" * 40


@pytest.fixture(scope="module")
def folder(tiny_run: TinyRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return publish(tiny_run.ckpt, tmp_path_factory.mktemp("hub") / "model", dtype="float16")


@pytest.fixture
def cache(folder: Path, tmp_path: Path) -> Path:
    """The Hub's cache after a download of ann/faces, as huggingface_hub lays it out."""
    repo = tmp_path / "cache" / "models--ann--faces"
    shutil.copytree(folder, repo / "snapshots" / COMMIT)
    (repo / "refs").mkdir()
    (repo / "refs" / "main").write_text(COMMIT)
    (repo / "refs" / "v2").write_text("2" * 40)
    other = repo / "snapshots" / ("2" * 40)
    other.mkdir()
    (other / "README.md").write_text("another program's")
    return tmp_path / "cache"


def test_a_downloaded_model_is_found_by_its_name(cache: Path) -> None:
    options: dict[str, Any] = {"cache_dir": cache, "local_files_only": True, "cropped": True, "device": "cpu"}
    with Predictor.from_pretrained("ann/faces", **options) as predictor:
        assert predictor.ckpt == cache / "models--ann--faces" / "snapshots" / COMMIT / "config.json"
        assert predictor.about
    with pytest.raises(UserError, match=r"ann/faces on the Hub has no config\.json"):
        Predictor.from_pretrained("ann/faces", revision="v2", **options)
    with pytest.raises(UserError, match="ann/others is no file or folder here, and cannot be downloaded") as caught:
        Predictor.from_pretrained("ann/others", **options)
    assert "try again with a network" in str(caught.value)


def test_a_path_wins_over_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ann" / "faces").mkdir(parents=True)
    assert find_model("ann/faces") == Path("ann/faces")
    for path in ("faces", "runs/a/b", "runs/best.ckpt", "/ann/faces", "../faces"):  # these are no names on the Hub
        assert find_model(path) == Path(path)
    with pytest.raises(UsageError, match="revision v1 is for a name on the Hub"):
        find_model("ann/faces", revision="v1")


def test_without_a_network_there_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    (tmp_path / "a.jpg").touch()
    assert main(["predict", str(tmp_path / "a.jpg"), "--ckpt", "ann/faces"]) == 1
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith("difffake predict: ann/faces is no file or folder here, and cannot be downloaded")


def test_upload(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What reaches huggingface_hub is a folder that can be loaded."""
    calls: list[tuple[str, dict[str, Any]]] = []

    class Answer:
        repo_id = "ann/faces"

    def upload(self: HfApi, **options: Any) -> str:
        shutil.copytree(options["folder_path"], tmp_path / "uploaded")
        calls.append(("upload", options))
        return "https://huggingface.co/ann/faces/commit/1"

    monkeypatch.setattr(HfApi, "create_repo", lambda self, repo, **kept: calls.append((repo, kept)) or Answer())
    monkeypatch.setattr(HfApi, "upload_folder", upload)
    with Predictor(folder, cropped=True, device="cpu") as predictor:
        address = predictor.push_to_hub("ann/faces", private=True, revision="try")
    assert address.endswith("/commit/1")
    assert calls[0] == ("ann/faces", {"private": True, "exist_ok": True})
    assert calls[1][1]["revision"] == "try"
    assert ".difffake" in calls[1][1]["ignore_patterns"]
    assert "# ann/faces" in (tmp_path / "uploaded" / "README.md").read_text()
    with Predictor(tmp_path / "uploaded", cropped=True, device="cpu") as uploaded:
        assert uploaded.about.startswith("The detector ann/faces was trained on")

    def refuse(self: HfApi, repo: str, **options: Any) -> None:
        raise OfflineModeIsEnabled("offline")

    monkeypatch.setattr(HfApi, "create_repo", refuse)
    with pytest.raises(UserError, match="cannot be uploaded to ann/faces, which cannot be reached"):
        Predictor(folder, cropped=True, device="cpu").push_to_hub("ann/faces")
