"""`difffake predict` on files as users have them."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import pytest
import torch
from tiny import TinyRun

from difffake.commands.main import main
from difffake.faces.crops import crop_face
from difffake.faces.detection import LandmarkDetector
from difffake.faces.images import read_image
from difffake.models.checkpoint import load_detector

Predict = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def predict(tiny_run: TinyRun, landmarker: Path, capsys: pytest.CaptureFixture[str]) -> Predict:
    def run(*files: Path, status: int = 0) -> list[dict[str, Any]]:
        options = ["--ckpt", str(tiny_run.ckpt), "--landmarker", str(landmarker), "--frames", "4", "--json"]
        assert main(["predict", *map(str, files), *options]) == status
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return run


def test_images_videos_and_folders(predict: Predict, shared_data: Path) -> None:
    answers = predict(shared_data / "london" / "001", shared_data / "clips" / "grid_bbaf2n.mpg")
    assert [Path(a["file"]).name for a in answers] == ["neutral.jpg", "smiling.jpg", "grid_bbaf2n.mpg"]
    assert [a["frames"] for a in answers] == [1, 1, 4]
    for answer in answers:
        probability = torch.tensor(answer["logits"], dtype=torch.float64).sigmoid().mean().item()
        assert answer["probability"] == pytest.approx(probability)


def test_the_score_is_that_of_the_crop_that_prepare_makes(
    predict: Predict,
    tiny_run: TinyRun,
    shared_data: Path,
    landmarker: Path,
) -> None:
    path = shared_data / "london" / "002" / "neutral.jpg"
    (answer,) = predict(path)
    image = read_image(path)
    with LandmarkDetector(landmarker) as find:
        crop, _, _ = crop_face(image, find(image)[0])
    small = cv2.resize(crop, (64, 64), interpolation=cv2.INTER_AREA)
    detector, _ = load_detector(tiny_run.ckpt)
    with torch.no_grad():
        logit = detector(torch.from_numpy(small.transpose(2, 0, 1)[None] / 255).float()).logit.item()
    assert answer["logits"] == [pytest.approx(logit, abs=1e-3)]


def test_a_file_that_fails_is_reported_and_the_rest_go_on(
    predict: Predict,
    shared_data: Path,
    tmp_path: Path,
) -> None:
    (tmp_path / "a_text.jpg").write_text("not an image")
    cv2.imwrite(str(tmp_path / "b_wall.png"), read_image(shared_data / "london" / "001" / "neutral.jpg")[:60, :60])
    shutil.copy(shared_data / "london" / "001" / "neutral.jpg", tmp_path / "c_face.jpg")
    answers = predict(tmp_path, tmp_path / "none.mp4", status=1)
    assert "not an image" in answers[0]["error"]
    assert "no face found" in answers[1]["error"]
    assert 0 < answers[2]["probability"] < 1
    assert "does not exist" in answers[3]["error"]
