"""The wheel, installed in a fresh environment and used from an empty folder, as the README says."""

import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest
from drawn_clips import drawn, write_clip
from PIL import Image
from tiny import TinyRun

from difffake.predict.hub import OWN
from difffake.predict.publish import publish

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared"
DETECTOR = ROOT / "difffake" / OWN
MOST = 8_000_000
"""Largest size of the package's own detector, in bytes."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder], cwd=ROOT, check=True)
    (found,) = folder.glob("*.whl")
    return found


def test_the_wheel_has_all_files_of_the_package(wheel: Path) -> None:
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("difffake/")}
    package = ROOT / "difffake"
    files = [path for path in package.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert {path.relative_to(ROOT).as_posix() for path in files} <= inside
    assert "difffake/configs/demo.yaml" in inside
    if DETECTOR.is_dir():
        assert {f"difffake/{OWN}/{name}" for name in ("config.json", "model.safetensors", "README.md")} <= inside
        assert sum(path.stat().st_size for path in DETECTOR.iterdir()) <= MOST


def test_predict_from_an_empty_folder(wheel: Path, tiny_run: TinyRun, tmp_path: Path) -> None:
    """The package is installed by pip; the libraries that it needs are those of this environment."""
    fresh, empty = tmp_path / "fresh", tmp_path / "empty"
    venv.create(fresh, with_pip=False)
    python = fresh / "bin" / "python"
    install = ["install", "--quiet", "--no-index", "--no-deps", "--no-compile", wheel]
    subprocess.run([sys.executable, "-m", "pip", "--python", python, *install], check=True)
    (packages,) = fresh.glob("lib/python*/site-packages")
    others = [path for path in sys.path if path.endswith("-packages")]
    (packages / "libraries.pth").write_text("\n".join(others))
    empty.mkdir()
    (empty / "broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    command = [fresh / "bin" / "difffake", "predict", "photo.jpg", "clip.mp4", "broken.jpg", "--frames", "4"]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | {"COLUMNS": "80"}
    if (SHARED / "models" / "face_landmarker.task").is_file():  # MediaPipe's model, real faces and a real clip
        environment["DIFFFAKE_LANDMARKER"] = str(SHARED / "models" / "face_landmarker.task")
        shutil.copy(SHARED / "data" / "london" / "001" / "neutral.jpg", empty / "photo.jpg")
        shutil.copy(SHARED / "data" / "clips" / "grid_bbaf2n.mpg", empty / "clip.mp4")
    else:
        command.append("--cropped")
        Image.fromarray(drawn(1)[0]).save(empty / "photo.jpg")
        write_clip(empty / "clip.mp4", [drawn(1)[0]] * 4)
    if not DETECTOR.is_dir():
        answer = subprocess.run(command, cwd=empty, env=environment, capture_output=True, text=True, check=False)
        assert answer.returncode == 1
        (line,) = answer.stderr.splitlines()
        assert line == "difffake predict: this installation has no detector of its own: name a checkpoint with --ckpt"
        publish(tiny_run.ckpt, tmp_path / "model", dtype="float16", anomaly="none", calibration="none")
        command += ["--ckpt", tmp_path / "model"]
    answer = subprocess.run(command, cwd=empty, env=environment, capture_output=True, text=True, check=False)
    assert answer.returncode == 1  # of the broken file
    said = " ".join(answer.stdout.split())
    assert "photo.jpg" in said
    assert "4 of 4 frames" in said
    subject = "The detector of the package" if DETECTOR.is_dir() else "The detector model"
    assert f"{subject} was trained on" in said
    errors = " ".join(answer.stderr.split())
    assert "failed: broken.jpg:" in errors
    assert "1 of 3 files failed" in errors
    assert "Traceback" not in errors
    assert "INFO" not in errors  # of MediaPipe
