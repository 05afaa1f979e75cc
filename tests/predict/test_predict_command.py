"""`difffake predict` on files as users have them: drawn faces, and real photographs where they are."""

import json
import re
import shutil
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from drawn_clips import KnownFaces, drawn, write_clip
from tiny import TinyRun

from difffake.commands.main import main
from difffake.faces.crops import crop_face
from difffake.faces.detection import LandmarkDetector
from difffake.faces.images import read_image, write_png
from difffake.models.checkpoint import load_detector
from difffake.predict.table import _wrapped, printable

Run = Callable[..., str]
FACE, _ = drawn(1)
PLACE = r"person \d is at (\d+),\d+ to \d+,\d+ at (\S+) s, and seen until (\S+) s"


@pytest.fixture
def run(tiny_run: TinyRun, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("COLUMNS", "80")

    def predict(*arguments: str | Path, status: int = 0) -> str:
        assert main(["predict", *map(str, arguments), "--ckpt", str(tiny_run.folder), "--device", "cpu"]) == status
        return capsys.readouterr().out

    return predict


@pytest.fixture
def known_faces(monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of MediaPipe, a finder that knows the drawn faces: two in a wide picture, none in a dark one."""

    monkeypatch.setattr("difffake.predict.predictor.LandmarkDetector", KnownFaces)
    monkeypatch.setattr("difffake.predict.predictor.landmarker_model", lambda given: given)


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def faces_of(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """The faces of the only person."""
    (person,) = answer["people"]
    return person["faces"]


def bomb(side: int) -> bytes:
    """A PNG of one bit per pixel, side x side."""
    data = zlib.compress(bytes(side // 8 + 1) * side)
    parts = [(b"IHDR", struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)), (b"IDAT", data), (b"IEND", b"")]
    framed = [struct.pack(">I", len(p)) + name + p + struct.pack(">I", zlib.crc32(name + p)) for name, p in parts]
    return b"\x89PNG\r\n\x1a\n" + b"".join(framed)


def test_crops_in_a_folder(run: Run, tiny_run: TinyRun, tmp_path: Path) -> None:
    """Through the whole command without MediaPipe: the scores are those of the detector on the crops."""
    for number in (1, 2):
        write_png(tmp_path / f"{number}.png", drawn(number)[0])
    (tmp_path / "notes.txt").touch()
    answers = lines(run(tmp_path, "--cropped", "--json"))
    detector, info = load_detector(tiny_run.ckpt)
    for number, answer in zip((1, 2), answers, strict=True):
        small = cv2.resize(drawn(number)[0], (64, 64), interpolation=cv2.INTER_AREA)
        with torch.no_grad():
            logit = detector(torch.from_numpy(small.transpose(2, 0, 1)[None] / 255).float()).logit.item()
        (person,) = answer["people"]
        (face,) = person["faces"]
        assert face["logit"] == pytest.approx(logit, abs=1e-3)
        assert (answer["kind"], face["box"], face["time"]) == ("image", None, None)
        assert info.threshold is not None
        assert answer["threshold"] == pytest.approx(1 / (1 + np.exp(-info.threshold)))
        assert answer["verdict"] == ("fake" if logit >= info.threshold else "real")


@pytest.mark.usefixtures("known_faces")
def test_the_table_says_frames_faces_threshold_and_verdict(run: Run, tmp_path: Path) -> None:
    write_png(tmp_path / "two.png", np.hstack([FACE, FACE]))
    write_clip(tmp_path / "half.mp4", [np.zeros_like(FACE)] * 4 + [FACE] * 4)
    text = run(tmp_path / "two.png", tmp_path / "half.mp4", "--frames", "4")
    said = " ".join(text.replace("│", " ").split())
    assert "2 faces" in said
    assert "at 2" in said  # where the first of them is
    assert "2 of 4 frames" in said
    assert "frames 5 to 7 of 8 (0.50 to 0.70 s), 2 scored" in said
    assert "no face in the frames 1 (0.10 s), 3 (0.30 s)" in said
    assert "person 1 is at" not in said
    assert "Verdict of images: fake at a logit of" in said
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.usefixtures("known_faces")
def test_people_of_a_clip_are_told_apart_by_place_and_time(run: Run, tmp_path: Path) -> None:
    write_clip(tmp_path / "two.avi", [np.hstack([FACE, FACE])] * 8)
    said = " ".join(run(tmp_path / "two.avi", "--frames", "4").split())
    places = [(int(x), float(t), float(end)) for x, t, end in re.findall(PLACE, said)]
    assert [(time, end) for _, time, end in places] == [(0.1, 0.7)] * 2
    assert abs(places[0][0] - places[1][0]) == pytest.approx(FACE.shape[1], abs=3)


@pytest.mark.usefixtures("known_faces")
def test_whatever_fails_is_reported_and_the_rest_goes_on(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a_text.jpg").write_text("not an image")
    (tmp_path / "b_bomb.png").write_bytes(bomb(20_000))
    write_png(tmp_path / "c_dark.png", np.zeros_like(FACE))
    (tmp_path / "d_cut.mp4").write_bytes(b"\0\0\0\x18ftypmp42")
    write_png(tmp_path / "e_odd.png", FACE[:100])
    write_png(tmp_path / "f_face.png", FACE)
    original = read_image

    def failing(path: Path) -> np.ndarray:
        if path.name == "e_odd.png":
            raise MemoryError("no\nmemory")
        return original(path)

    monkeypatch.setattr("difffake.predict.predictor.read_image", failing)
    answers = lines(run(tmp_path, tmp_path / "none.mp4", "--json", status=1))
    assert [Path(answer["file"]).name[0] for answer in answers] == list("abcdefn")
    errors = [answer.get("error", "") for answer in answers]
    reasons = [
        "not an image",
        "more than 179 million",
        "no face",
        "be read as a video",
        "MemoryError: no memory",
        "",
        "exist",
    ]
    for error, reason in zip(errors, reasons, strict=True):
        assert reason in error
    assert 0 < answers[5]["probability"] < 1


@pytest.fixture
def real(run: Run, landmarker: Path) -> Callable[..., list[dict[str, Any]]]:
    return lambda *files, status=0: lines(
        run(*files, "--landmarker", landmarker, "--frames", "4", "--json", status=status)
    )


def test_real_images_and_clips(real: Callable[..., list[dict[str, Any]]], shared_data: Path) -> None:
    answers = real(shared_data / "london" / "001", shared_data / "clips" / "grid_bbaf2n.mpg")
    assert [Path(answer["file"]).name for answer in answers] == ["neutral.jpg", "smiling.jpg", "grid_bbaf2n.mpg"]
    assert [len(faces_of(answer)) for answer in answers] == [1, 1, 4]
    assert [face["frame"] for face in faces_of(answers[2])] == [9, 28, 46, 65]
    assert [face["time"] for face in faces_of(answers[2])] == pytest.approx([9 / 25, 28 / 25, 46 / 25, 65 / 25])


def test_the_score_is_that_of_the_crop_that_prepare_makes(
    real: Callable[..., list[dict[str, Any]]], tiny_run: TinyRun, shared_data: Path, landmarker: Path, tmp_path: Path
) -> None:
    path = shared_data / "london" / "002" / "neutral.jpg"
    image = read_image(path)
    with LandmarkDetector(landmarker) as find:
        crop, _, _ = crop_face(image, find(image)[0])
    write_png(tmp_path / "crop.png", crop)
    small = cv2.resize(crop, (64, 64), interpolation=cv2.INTER_AREA)
    detector, _ = load_detector(tiny_run.ckpt)
    with torch.no_grad():
        logit = detector(torch.from_numpy(small.transpose(2, 0, 1)[None] / 255).float()).logit.item()
    (answer,) = real(path)
    assert faces_of(answer)[0]["logit"] == pytest.approx(logit, abs=1e-3)


def test_a_real_photograph_without_suffix_and_one_without_face(
    real: Callable[..., list[dict[str, Any]]], shared_data: Path, tmp_path: Path
) -> None:
    shutil.copy(shared_data / "london" / "001" / "neutral.jpg", tmp_path / "portrait")
    write_png(tmp_path / "wall.png", read_image(tmp_path / "portrait")[:60, :60])
    scored, failed = real(tmp_path, status=1)
    assert (Path(scored["file"]).name, len(faces_of(scored))) == ("portrait", 1)
    assert failed["error"] == "no face found"


def test_nothing_is_said_of_folders_before_a_wrong_checkpoint(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_png(tmp_path / "photos" / "a.png", np.zeros((64, 64, 3), np.uint8))
    (tmp_path / "photos" / "note.txt").write_text("left out")
    assert main(["predict", "--ckpt", str(tmp_path / "none.ckpt"), str(tmp_path / "photos")]) == 1
    (said,) = capsys.readouterr().err.splitlines()
    assert "none.ckpt does not exist" in said


def test_names_send_no_control_characters_to_the_terminal() -> None:
    assert printable(Path("a\nb\x1b[31m\udcff é.jpg")) == "a\\nb\\x1b[31m\\udcff é.jpg"


@pytest.mark.usefixtures("known_faces")
def test_nothing_that_is_printed_of_a_file_holds_a_control_character(
    tiny_run: TinyRun, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the table, in its notes, and in what is said of files that fail."""
    write_clip(tmp_path / "a\x1b[31mb.mp4", [FACE] * 4)
    (tmp_path / "c\x1b[31md.jpg").write_bytes(b"no picture")
    monkeypatch.chdir(tmp_path)
    assert main(["predict", ".", "--ckpt", str(tiny_run.folder), "--device", "cpu"]) == 1
    printed = capsys.readouterr()
    assert printed.out.count("a\\x1b[31mb.mp4") >= 2
    assert "c\\x1b[31md.jpg" in printed.err
    assert "\x1b" not in printed.out + printed.err


def test_long_names_are_broken_between_words() -> None:
    path = Path("holiday pictures/second_week-of_the_year/photograph-of-somebody_0001.jpg")
    assert _wrapped(path, 24).splitlines() == [
        "holiday pictures/", "second_week-of_the_year/", "photograph-of-somebody_", "0001.jpg",
    ]  # fmt: skip
