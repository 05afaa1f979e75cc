"""`Predictor` from Python, on drawn faces with a face finder of the test's own."""

import inspect
import re
import textwrap
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from drawn_clips import SIDE, drawn, moved, write_clip
from PIL import Image
from tiny import TinyRun

from difffake import Predictor
from difffake.errors import UserError
from difffake.faces.detection import Face
from difffake.faces.images import write_png
from difffake.models.checkpoint import CheckpointInfo, load_detector
from difffake.predict import predictor as predictor_module
from difffake.predict.overlap import BATCH, BEHIND
from difffake.predict.seen import Crop

FIRST, FIRST_FACE = drawn(1)
SECOND, SECOND_FACE = drawn(2)
BOTH = np.hstack([FIRST, SECOND])


def find(image: np.ndarray) -> list[Face]:
    """The drawn faces by the size of the picture; none in a dark one."""
    if image.mean() < 20:
        return []
    return [FIRST_FACE] if image.shape[1] == SIDE else [FIRST_FACE, moved(SECOND_FACE, SIDE)]


@pytest.fixture
def predictor(tiny_run: TinyRun) -> Predictor:
    return Predictor(str(tiny_run.ckpt), device="cpu", find_faces=find)


def logit_of(ckpt: Path, crop: np.ndarray) -> float:
    """Of a crop (S, S, 3), without any of the code under test but the checkpoint's reading."""
    small = cv2.resize(crop, (64, 64), interpolation=cv2.INTER_LINEAR)
    with torch.no_grad():
        return load_detector(ckpt)[0](torch.from_numpy(small.transpose(2, 0, 1)[None] / 255).float()).logit.item()


def square(image: np.ndarray, face: Face, margin: float) -> np.ndarray:
    """The crop of a face in the middle of a picture, which no border cuts."""
    x0, y0, x1, y1 = face.box
    side = round(float(max(x1 - x0, y1 - y0)) * margin)
    left, top = (round(float(middle - side / 2)) for middle in ((x0 + x1) / 2, (y0 + y1) / 2))
    assert min(left, top) >= 0
    assert max(left, top) + side <= SIDE
    return image[top : top + side, left : left + side]


def test_a_face_is_scored_as_its_crop_is(predictor: Predictor, tiny_run: TinyRun, tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", FIRST)
    expected = logit_of(tiny_run.ckpt, square(FIRST, FIRST_FACE, 1.3))
    from_file = predictor.predict(str(tmp_path / "a.png"))
    assert from_file.logits == [pytest.approx(expected, abs=1e-3)]
    assert from_file.probability == pytest.approx(1 / (1 + np.exp(-expected)), abs=1e-4)
    assert predictor.predict(tmp_path / "a.png") == from_file == predictor.predict(FIRST)


def test_images_in_python_come_in_many_forms(predictor: Predictor) -> None:
    logits = predictor.predict(FIRST).logits
    tensor = torch.from_numpy(FIRST.copy()).permute(2, 0, 1)
    opaque = np.full((SIDE, SIDE, 1), 255, np.uint8)
    same: list[Any] = [
        Image.fromarray(FIRST), FIRST / 255, (FIRST / 255).astype(np.float32), tensor, tensor / 255,
        np.dstack([FIRST, opaque]), Image.fromarray(np.dstack([FIRST, opaque])), FIRST.transpose(2, 0, 1),
    ]  # fmt: skip
    for image in same:
        assert predictor.predict(image).logits == logits
    gray = FIRST[..., 1]
    assert predictor.predict(gray).logits == predictor.predict(gray[..., None].repeat(3, 2)).logits
    for frames in (
        [FIRST, FIRST],
        np.stack([FIRST, FIRST]),
        (tensor, Image.fromarray(FIRST)),
        torch.stack([tensor] * 2),
    ):
        prediction = predictor.predict(frames)
        assert [face.frame for face in prediction.faces] == [0, 1]
        assert prediction.logits == pytest.approx(logits * 2, abs=1e-5)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (FIRST.astype(np.int64), "type int64: give uint8"),
        (FIRST.astype(np.uint16), "type uint16"),
        (FIRST.astype(np.float32), "from .* to .*: give floats in"),
        (np.full((SIDE, SIDE, 3), np.nan), "from nan to nan"),
        (FIRST[..., :2], r"shape \(160, 160, 2\)"),
        (np.zeros((0, 3, 3), np.uint8), "shape"),
        ("photo.jpg", "photo.jpg cannot be read: No such file"),
        (["photo.jpg", FIRST], "photo.jpg is a path in a list of images"),
        (b"\xff\xd8", "an image is a bytes"),
        ([FIRST.tolist()], "an image is a list"),
        (Image.fromarray(np.zeros((9, 9), np.uint16)), "mode I;16"),
        ([], "the list is empty"),
        (None, "an image is a NoneType"),
        (np.zeros_like(FIRST), "no face found"),
    ],
)
def test_what_is_no_image_is_refused_in_one_line(predictor: Predictor, images: Any, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        predictor.predict(images)
    assert "\n" not in str(caught.value)


def test_paths_are_scored_one_by_one(predictor: Predictor, tmp_path: Path) -> None:
    paths = [tmp_path / "1.png", tmp_path / "2.png"]
    for path, image in zip(paths, (FIRST, BOTH), strict=True):
        write_png(path, image)
    expected = [predictor.predict(path) for path in paths]
    assert [len(one.people) for one in expected] == [1, 2]
    assert predictor.predict(paths) == predictor.predict(list(map(str, paths))) == expected
    with pytest.raises(UserError, match="is a folder"):
        predictor.predict(tmp_path)


def test_one_bad_path_of_a_list_is_an_error_and_the_predictor_goes_on(predictor: Predictor, tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", FIRST)
    for bad in (["missing.png", tmp_path / "a.png"], [tmp_path / "a.png", "missing.png"]):
        with pytest.raises(UserError, match=r"missing.png cannot be read: No such file"):
            predictor.predict(bad)
        assert predictor.predict(tmp_path / "a.png").logits == predictor.predict(FIRST).logits


def test_files_at_once_and_one_by_one_have_the_same_scores(predictor: Predictor, tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.avi" for number in range(4)]
    for number, path in enumerate(paths):
        write_clip(path, [np.roll(FIRST, number + shift, axis=1) for shift in range(12)])
    together = predictor.predict(paths)
    assert [one.logits for one in together] == [predictor.predict(path).logits for path in paths]
    assert len({one.logit for one in together}) == 4


def test_crops_are_dropped_when_they_are_scored(
    predictor: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The crops of an hour would fill the memory."""
    waiting: list[int] = []
    kept: list[Crop] = []
    crop_of = predictor._seen._crop

    def noted(image: np.ndarray, face: Face) -> Crop:
        kept.append(crop_of(image, face))
        waiting.append(sum(crop.pixels is not None for crop in kept))
        return kept[-1]

    monkeypatch.setattr(predictor._seen, "_crop", noted)
    write_clip(tmp_path / "a.avi", [FIRST] * 200)
    predictor.frames = 200
    assert predictor.predict(tmp_path / "a.avi").frames_used == 200
    assert max(waiting) <= (BEHIND + 3) * BATCH < 100
    assert [crop for crop in kept if crop.pixels is not None] == []


def test_a_closed_predictor_says_so(tiny_run: TinyRun) -> None:
    for cropped in (False, True):
        with Predictor(tiny_run.ckpt, device="cpu", find_faces=find, cropped=cropped) as predictor:
            predictor.predict(FIRST)
        with pytest.raises(UserError, match="this Predictor is closed"):
            predictor.predict(FIRST)


@pytest.mark.parametrize("own", [False, True])
def test_two_files_are_looked_at_at_once_but_not_by_one_face_finder(
    own: bool, tiny_run: TinyRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    meeting = threading.Barrier(2)
    met: list[bool] = []

    class Finder:
        """Says whether another thread was in a finder at the same time."""

        def __init__(self, *_: object) -> None:
            self.busy = threading.Lock()

        def __call__(self, image: np.ndarray) -> list[Face]:
            assert self.busy.acquire(blocking=False), "two threads in one finder"
            with suppress(threading.BrokenBarrierError):
                meeting.wait(0.3 if own else 20)
                met.append(True)
            self.busy.release()
            return find(image)

    monkeypatch.setattr(predictor_module, "LandmarkDetector", Finder)
    monkeypatch.setattr(predictor_module, "landmarker_model", lambda path: path)
    for name in "ab":
        write_png(tmp_path / f"{name}.png", FIRST)
    with Predictor(tiny_run.ckpt, device="cpu", find_faces=Finder() if own else None) as predictor:
        found = predictor.predict([tmp_path / "a.png", tmp_path / "b.png"])
    assert len(met) == (0 if own else 2)
    assert found[0].logit == found[1].logit


def test_every_face_of_a_photograph_is_scored(predictor: Predictor, tiny_run: TinyRun) -> None:
    prediction = predictor.predict(BOTH)
    crops = [square(FIRST, FIRST_FACE, 1.3), square(SECOND, SECOND_FACE, 1.3)]
    assert prediction.logits == pytest.approx([logit_of(tiny_run.ckpt, crop) for crop in crops], abs=1e-3)
    assert prediction.probability == max(face.probability for face in prediction.faces)
    for face, crop in zip(prediction.faces, crops, strict=True):
        assert face.box is not None
        x0, y0, x1, y1 = face.box
        np.testing.assert_array_equal(BOTH[y0:y1, x0:x1], crop)


def test_a_small_face_is_said(tiny_run: TinyRun) -> None:
    small = Face(FIRST_FACE.landmarks / 4, FIRST_FACE.box / 4)
    with Predictor(tiny_run.ckpt, device="cpu", find_faces=lambda image: [small]) as predictor:
        (note,) = predictor.predict(cv2.resize(FIRST, None, fx=0.25, fy=0.25)).notes
    side = float(max(small.box[2:] - small.box[:2]))
    assert note == f"the face has {side:.0f} pixels: below 48, a score says little"
    with Predictor(tiny_run.ckpt, device="cpu", find_faces=lambda image: [FIRST_FACE, small]) as predictor:
        (note,) = predictor.predict(FIRST).notes
    assert note.startswith("the face of person 2 has")


def test_a_crowd_of_which_some_may_not_be_scored_is_said(tiny_run: TinyRun) -> None:
    for faces, notes in ((19, []), (20, ["there may be more than 20 faces, of which 20 were scored"])):
        with Predictor(tiny_run.ckpt, device="cpu", find_faces=lambda image, n=faces: [FIRST_FACE] * n) as predictor:
            prediction = predictor.predict(FIRST)
            assert (len(prediction.people), prediction.notes) == (faces, notes)


def test_a_clip_whose_first_half_is_black(predictor: Predictor, tmp_path: Path) -> None:
    write_clip(tmp_path / "half.mp4", [np.zeros_like(FIRST)] * 8 + [FIRST] * 8)
    predictor.frames = 8
    prediction = predictor.predict(tmp_path / "half.mp4")
    assert [(face.frame, face.time) for face in prediction.faces] == [
        (9, pytest.approx(0.9)), (11, pytest.approx(1.1)), (13, pytest.approx(1.3)), (15, pytest.approx(1.5)),
    ]  # fmt: skip
    assert [frame for frame, _ in prediction.frames_without_face] == [1, 3, 5, 7]
    assert prediction.total_frames == 16
    mean = torch.tensor(prediction.logits, dtype=torch.float64).sigmoid().mean().item()
    assert prediction.probability == pytest.approx(mean, abs=1e-9)
    assert prediction.logits == pytest.approx(predictor.predict(FIRST).logits * 4, abs=0.5)  # coded with loss


def test_every_person_of_a_clip_has_scores_of_their_own(predictor: Predictor, tiny_run: TinyRun) -> None:
    prediction = predictor.predict([BOTH, FIRST, BOTH, np.zeros_like(FIRST)])
    first, second = prediction.people
    crops = [square(FIRST, FIRST_FACE, 1.3), square(SECOND, SECOND_FACE, 1.3)]
    alone = [logit_of(tiny_run.ckpt, crop) for crop in crops]
    assert [face.frame for face in first.faces] == [0, 1, 2]
    assert [face.frame for face in second.faces] == [0, 2]
    assert first.logit == pytest.approx(alone[0], abs=1e-3)
    assert second.logit == pytest.approx(alone[1], abs=1e-3)
    assert prediction.logit == max(first.logit, second.logit)
    assert prediction.logits == [face.logit for person in (first, second) for face in person.faces]
    assert prediction.frames_without_face == [(3, None)]
    assert {person.verdict for person in prediction.people} <= {"real", "fake"}


def test_who_is_in_a_few_frames_only_is_named_but_not_scored(predictor: Predictor) -> None:
    prediction = predictor.predict([FIRST] * 20 + [BOTH])
    assert [len(person.faces) for person in prediction.people] == [21]
    assert prediction.notes == ["another person was seen in a few frames only and not scored"]


def test_an_animated_gif_is_a_clip(predictor: Predictor, tmp_path: Path) -> None:
    pictures = [Image.fromarray(FIRST).quantize() for _ in range(3)]
    pictures[1].putpixel((0, 0), 1)  # or Pillow would keep one picture of equal ones
    pictures[0].save(tmp_path / "a.gif", save_all=True, append_images=pictures[1:], duration=100)
    prediction = predictor.predict(tmp_path / "a.gif")
    assert prediction.kind == "video"
    assert len(prediction.faces) == prediction.total_frames > 1


def test_a_clip_that_is_cut_short_says_so(predictor: Predictor, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    noisy = [np.clip(FIRST + rng.normal(0, 5, FIRST.shape), 0, 255).astype(np.uint8) for _ in range(40)]
    write_clip(tmp_path / "a.mkv", noisy)
    data = (tmp_path / "a.mkv").read_bytes()
    (tmp_path / "cut.mkv").write_bytes(data[: len(data) // 2])
    (note,) = predictor.predict(tmp_path / "cut.mkv").notes
    assert "of 40 announced frames could be decoded" in note


def test_crops_are_scored_as_they_are_and_without_mediapipe(tiny_run: TinyRun, tmp_path: Path) -> None:
    with Predictor(tiny_run.ckpt, landmarker=tmp_path / "none.task", device="cpu", cropped=True) as predictor:
        prediction = predictor.predict(FIRST)
    assert prediction.logits == [pytest.approx(logit_of(tiny_run.ckpt, FIRST), abs=1e-3)]
    assert prediction.faces[0].box is None


def test_margin_and_threshold_are_those_of_the_checkpoint(tiny_run: TinyRun, tmp_path: Path) -> None:
    checkpoint = torch.load(tiny_run.ckpt, weights_only=True)
    info = CheckpointInfo.from_dict(checkpoint["difffake"])
    expected = logit_of(tiny_run.ckpt, square(FIRST, FIRST_FACE, 1.1))
    verdicts = []
    for shift in (-0.1, 0.1, None):
        threshold = None if shift is None else expected + shift
        changed = info.to_dict() | {"margin": 1.1, "threshold": threshold}
        torch.save(checkpoint | {"difffake": changed}, tmp_path / "a.ckpt")
        with Predictor(tmp_path / "a.ckpt", device="cpu", find_faces=find) as predictor:
            prediction = predictor.predict(FIRST)
        assert prediction.logits == [pytest.approx(expected, abs=1e-3)]
        if threshold is not None:
            assert prediction.threshold == pytest.approx(1 / (1 + np.exp(-threshold)))
        verdicts.append(prediction.verdict)
    assert verdicts == ["fake", "real", None]


def test_the_examples_of_docstring_and_guide_run(
    tiny_run: TinyRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "lfw").symlink_to(tiny_run.folder)
    for name in ("photo.jpg", "a.jpg", "portrait.jpg", "talk.png"):
        Image.fromarray(FIRST).save(name)
    for name in ("clip.mp4", "b.mp4"):
        write_clip(tmp_path / name, [FIRST] * 4)
    monkeypatch.setattr("difffake.predict.predictor.landmarker_model", lambda given: given)
    monkeypatch.setattr("difffake.predict.predictor.LandmarkDetector", lambda model, faces: find)
    guide = (Path(__file__).parents[2] / "docs" / "guide.md").read_text()
    for text in (inspect.getdoc(Predictor) or "", guide[guide.index("## Check a video") :]):
        for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
            exec(compile(textwrap.dedent(block), "example", "exec"), {"image": FIRST})
    said = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in said if line.startswith(("image ", "video "))] == ["image", "video"]
