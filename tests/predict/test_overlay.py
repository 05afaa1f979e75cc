"""Pictures of results, on drawn faces."""

import json
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from drawn_clips import SIDE, drawn, moved, write_clip
from PIL import Image, ImageColor
from tiny import TinyRun

from difffake import Predictor
from difffake.commands.main import main
from difffake.faces.detection import Face
from difffake.faces.images import write_png
from difffake.models.activation import activation_maps, over_face
from difffake.models.checkpoint import load_detector
from difffake.plots import read_caption
from difffake.predict import annotated_clip
from difffake.predict.annotated_clip import shown_frames
from difffake.predict.marks import COLORS, Mark, marked, scale_of
from difffake.predict.overlay import drawn_photo, write_overlay

FACE, PLACE = drawn(1)
WIDE = np.hstack([FACE, FACE])


def find(image: np.ndarray) -> list[Face]:
    """The drawn faces, in a picture of any width; none in a dark one."""
    return [] if image.mean() < 20 else [PLACE, moved(PLACE, SIDE)][: image.shape[1] // SIDE]


@pytest.fixture
def predictor(tiny_run: TinyRun) -> Predictor:
    return Predictor(tiny_run.ckpt, device="cpu", find_faces=find, anomaly="none", frames=4)


def test_a_text_never_leaves_the_picture_and_texts_do_not_cover_each_other() -> None:
    image = np.full((300, 400, 3), 255, np.uint8)
    boxes = [(0, 0, 90, 90), (320, 5, 400, 100), (150, 200, 260, 300)]
    marks = [Mark(box, [f"{number}: a text"], "fake") for number, box in enumerate(boxes)]
    picture = marked(image, marks, "0.00 s")
    color = np.array(ImageColor.getrgb(COLORS["fake"]))
    for (x0, y0, x1, y1), mark in zip(boxes, marks, strict=True):
        alone = marked(image, [mark])
        assert (alone == color).all(axis=2).sum() > 500  # the ground of the text
        edges = [picture[y0, x1 - 2], picture[y1 - 1, x0 + 1], picture[(y0 + y1) // 2, x1 - 1]]
        assert all((edge == color).all() for edge in edges[2:])
    assert (image == 255).all()
    grounds = sum((marked(image, [mark]) == color).all(axis=2).sum() for mark in marks)
    assert (picture == color).all(axis=2).sum() >= 0.97 * grounds


def test_pictures_are_neither_tiny_nor_huge() -> None:
    sizes = {side: scale_of(np.zeros((side, 10, 3), np.uint8), 1280) * side for side in (64, 640, 1000, 4000)}
    assert sizes == {64: 640, 640: 640, 1000: 1000, 4000: 1280}


def test_a_photograph_shows_the_map_of_each_face(predictor: Predictor, tiny_run: TinyRun) -> None:
    image = np.zeros((SIDE, 4 * SIDE, 3), np.uint8) + 255  # as wide as a picture needs to be: it is not enlarged
    image[:, : 2 * SIDE] = WIDE
    prediction = predictor.predict(image)
    assert len(prediction.people) == 2
    picture = drawn_photo(predictor, image, prediction)
    detector, _ = load_detector(tiny_run.ckpt)
    for person in prediction.people:
        assert person.faces[0].box
        x0, y0, x1, y1 = person.faces[0].box
        crop = image[y0:y1, x0:x1]
        resize = {"size": (64, 64), "mode": "bilinear", "antialias": True}
        small = torch.nn.functional.interpolate(torch.from_numpy(crop.transpose(2, 0, 1)[None] / 255).float(), **resize)  # type: ignore[arg-type]
        (own,), _ = activation_maps(detector, small)
        large = torch.nn.functional.interpolate(own[None, None], crop.shape[:2], mode="bilinear")[0, 0].numpy()
        inner = np.s_[30:-30, 30:-30]  # between the lines of the box and the text
        difference = np.abs(picture[y0:y1, x0:x1][inner] / 255 - over_face(crop / 255, large)[inner])
        assert difference.mean() < 0.02
        assert np.abs(picture[y0:y1, x0:x1][inner] / 255 - crop[inner] / 255).mean() > 0.05
        edge = picture[(y0 + y1) // 2, x1 - 1]
        assert tuple(edge) == ImageColor.getrgb(COLORS[person.verdict])
    assert (picture[:SIDE, 2 * SIDE + 60 :] == 255).mean() > 0.9  # what is no face stays as it is
    assert picture.shape[0] > SIDE  # a caption below


@pytest.mark.parametrize(
    ("scored", "total", "rate", "count"),
    [
        ([5, 50], 600, 10, 600),  # a minute
        ([5, 300], 601, 10, 11 + 11),  # a frame more: half a second around each scored frame
        ([2, 300, 304], 601, 10, 8 + 15),
        (list(range(0, 100_000, 100)), 100_000, 10, 1000),  # many: nothing around
        (list(range(0, 10_000, 100)), 10_000, 10, 498),
    ],
)
def test_of_a_long_video_what_is_around_scored_frames_is_shown(
    scored: list[int], total: int, rate: float, count: int
) -> None:
    numbers = shown_frames(scored, total, rate)
    assert len(numbers) == count
    assert numbers == sorted(set(numbers))
    assert set(scored) <= set(numbers)
    assert numbers[-1] < total


def decoded(path: Path) -> tuple[list[np.ndarray], list[float], str]:
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
        codec = container.streams.video[0].codec_context.name
    return [np.asarray(frame.to_ndarray(format="rgb24")) for frame in frames], [frame.time for frame in frames], codec


def test_a_clip_is_annotated_at_its_own_rate(predictor: Predictor, tmp_path: Path) -> None:
    write_clip(tmp_path / "clip.avi", [WIDE] * 8 + [np.zeros_like(WIDE)] * 8)
    prediction = predictor.predict(tmp_path / "clip.avi")
    assert [face.frame for face in prediction.people[0].faces] == [2, 6]
    clip, timeline = write_overlay(predictor, tmp_path / "clip.avi", prediction, tmp_path, "clip.avi")
    frames, times, codec = decoded(clip)
    assert (codec, len(frames)) == ("h264", 16)
    assert times == pytest.approx([number / 10 for number in range(16)], abs=1e-3)
    scale = frames[0].shape[1] / WIDE.shape[1]
    for person in prediction.people:
        assert person.faces[0].box
        _, y0, x1, y1 = (round(edge * scale) for edge in person.faces[0].box)
        color = np.array(ImageColor.getrgb(COLORS[person.verdict]), float)

        def distance(
            number: int, inside: int, x1: int = x1, y: int = (y0 + y1) // 2, color: np.ndarray = color
        ) -> float:
            """From the box's color to what is so many pixels inside its right side."""
            return float(np.abs(frames[number][y, x1 - 1 - inside] - color).max())

        assert distance(3, 0) < 60
        assert distance(2, 4) < 60 < distance(3, 4)  # at a scored frame the line is thick
        assert distance(14, 0) > 60  # half a second after the last face was seen, no box is held
    assert "one panel per person" in read_caption(timeline)
    with Image.open(timeline) as picture:
        assert picture.height > 400
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "clip.avi", "clip.avi.overlay.mp4", "clip.avi.timeline.png",
    ]  # fmt: skip


def test_stretches_of_a_long_video_follow_each_other(
    predictor: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(annotated_clip, "LONGEST", 2.0)
    write_clip(tmp_path / "clip.mp4", [FACE] * 60)
    predictor.frames = 2
    prediction = predictor.predict(tmp_path / "clip.mp4")  # frames 15 and 45
    clip, _ = write_overlay(predictor, tmp_path / "clip.mp4", prediction, tmp_path, "clip.mp4")
    frames, times, _ = decoded(clip)
    assert len(frames) == 2 * 9
    assert np.diff(times) == pytest.approx(0.1, abs=1e-3)


def test_files_of_one_name_and_broken_ones(
    tiny_run: TinyRun, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("a", "b"):
        write_png(tmp_path / folder / "face.png", FACE)
    write_clip(tmp_path / "a" / "face.mp4", [FACE] * 3)
    (tmp_path / "a" / "broken.mp4").write_bytes((tmp_path / "a" / "face.mp4").read_bytes()[:300])
    out = tmp_path / "pictures"
    command = [
        "predict", str(tmp_path / "a"), str(tmp_path / "b"), "--ckpt", str(tiny_run.ckpt), "--device", "cpu",
        "--cropped", "--json", "--overlay", str(out),
    ]  # fmt: skip
    assert main(command) == 1
    said = capsys.readouterr()
    answers = [json.loads(line) for line in said.out.splitlines()]
    assert [[Path(picture).name for picture in answer.get("overlay", ())] for answer in answers] == [
        [], ["face.mp4.overlay.mp4", "face.mp4.timeline.png"], ["face.png.overlay.jpg"], ["face.png-2.overlay.jpg"],
    ]  # fmt: skip
    assert all(Path(picture).is_file() for answer in answers for picture in answer.get("overlay", ()))
    assert len(list(out.iterdir())) == 5  # with the mark of a folder that difffake wrote
    assert f"pictures in {out}" in said.err
    assert main(command) == 1
    assert "choose another --overlay, or add --overwrite" in capsys.readouterr().err

    def failing(source: Path, *rest: object) -> None:
        Path(str(rest[-1])).write_text("half a clip")
        raise MemoryError("no memory")

    monkeypatch.setattr("difffake.predict.overlay.write_annotated_clip", failing)
    assert main([*command, "--overwrite"]) == 1
    said = capsys.readouterr()
    assert "face.mp4: MemoryError: no memory" in said.err
    assert "2 of 4 files failed" in said.err
    assert json.loads(said.out.splitlines()[1])["overlay"] == []
    assert sorted(path.name for path in out.glob("*.*")) == [
        ".difffake",
        "face.png-2.overlay.jpg",
        "face.png.overlay.jpg",
    ]
    monkeypatch.undo()
    inside = [*command[:1], str(out), *command[2:], "--overwrite"]
    assert main(inside) == 1
    assert "which is an input" in capsys.readouterr().err
