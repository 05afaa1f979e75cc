"""The best answer within a time, by a clock that the test moves."""

import math
from pathlib import Path

import numpy as np
import pytest
from drawn_clips import SIDE, drawn, write_clip
from tiny import TinyRun

from difffake import Predictor
from difffake.errors import UsageError, UserError
from difffake.faces.detection import Face
from difffake.faces.video import Frame, Video
from difffake.predict.seen import Look
from difffake.predict.within import Stopwatch, looks_within, middle_first

PICTURE, PLACE = drawn(1)


class Clock:
    """Stands still but for what each search for faces takes."""

    def __init__(self, takes: float) -> None:
        self.now, self.takes = 100.0, takes

    def __call__(self) -> float:
        return self.now

    def find(self, image: np.ndarray) -> list[Face]:
        self.now += self.takes
        return [] if image.mean() < 20 else [PLACE]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten seconds; a face is seen from 5.2 s on."""
    path = tmp_path_factory.mktemp("within") / "clip.mp4"
    write_clip(path, [np.zeros((SIDE, SIDE, 3), np.uint8)] * 52 + [PICTURE] * 48)
    return path


def predictor(clock: Clock, ckpt: Path, monkeypatch: pytest.MonkeyPatch, **options: float | int) -> Predictor:
    monkeypatch.setattr("difffake.predict.within.monotonic", clock)
    return Predictor(ckpt, device="cpu", find_faces=clock.find, anomaly="none", **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("count", [0, 1, 2, 5, 8, 32])
def test_every_frame_has_its_turn_and_the_first_ones_are_spread(count: int) -> None:
    order = middle_first(count)
    assert sorted(order) == list(range(count))
    for depth in range(1, int(math.log2(count + 1)) + 1 if count else 0):
        places = [-1, *sorted(order[: 2**depth - 1]), count]
        gaps = np.diff(places)
        assert gaps.max() - gaps.min() <= 1 or gaps.max() <= 2 * gaps.min()


def test_as_many_frames_as_the_time_is_enough_for(
    tiny_run: TinyRun, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = predictor(Clock(1.0), tiny_run.ckpt, monkeypatch, frames=10, seconds=2.5).predict(clip)
    # Frames 5, 15, ..., 95 can be chosen; the order is 55, 25, 85.
    assert [face.frame for face in found.faces] == [55, 85]
    assert found.frames_without_face == [(25, pytest.approx(2.5))]
    assert (found.frames_used, found.faces_found, found.total_frames, found.seconds) == (3, 2, 100, 3.0)
    assert found.notes == ["2.5 s were enough for 3 of 10 frames: more time, a surer score"]


def test_a_time_that_is_too_short_gives_one_frame_with_a_face(
    tiny_run: TinyRun, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = predictor(Clock(9.0), tiny_run.ckpt, monkeypatch, frames=9, seconds=0.01).predict(clip)
    assert (found.frames_used, len(found.faces)) == (3, 1)  # the frames 50 and 27 are dark
    write_clip(tmp_path / "dark.mp4", [np.zeros((SIDE, SIDE, 3), np.uint8)] * 12)
    with pytest.raises(UserError, match="no face found in 4 frames"):
        predictor(Clock(9.0), tiny_run.ckpt, monkeypatch, frames=4, seconds=0.01).predict(tmp_path / "dark.mp4")


def test_with_enough_time_the_answer_is_that_without_a_limit(
    tiny_run: TinyRun, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limited, free = (
        predictor(Clock(0.5), tiny_run.ckpt, monkeypatch, frames=10, **limit).predict(clip)  # type: ignore[arg-type]
        for limit in ({"seconds": 60}, {})
    )
    assert limited.logits == pytest.approx(free.logits, abs=1e-5)
    assert [face.frame for face in limited.faces] == [face.frame for face in free.faces] == [55, 65, 75, 85, 95]
    assert (limited.notes, limited.frames_used, limited.seconds) == ([], 10, 5.0)


def test_frames_that_cannot_be_decoded_are_counted(
    tiny_run: TinyRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    noisy = [np.clip(PICTURE + rng.normal(0, 5, PICTURE.shape), 0, 255).astype(np.uint8) for _ in range(24)]
    write_clip(tmp_path / "a.mp4", noisy)
    data = bytearray((tmp_path / "a.mp4").read_bytes())
    start = data.index(b"mdat") + 4
    data[start:] = bytes(len(data) - start)  # no packet is whole any more, if the header comes last it is gone too
    (tmp_path / "a.mp4").write_bytes(data)
    with pytest.raises(UserError, match=r"a\.mp4"):
        predictor(Clock(1.0), tiny_run.ckpt, monkeypatch, frames=4, seconds=9).predict(tmp_path / "a.mp4")


def test_where_no_chosen_frame_can_be_decoded_another_is_looked_for_unless_it_is_stopped(
    clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Video, "frames", lambda self, numbers: iter(()))

    def look(frame: Frame) -> Look:
        return Look(frame.number, frame.time, [], [])

    def stopped() -> None:
        raise UserError("stopped before the end")

    found = looks_within(clip, 4, 9.0, Stopwatch(), look, lambda: None)
    assert [one.frame for one in found.looks] == [50]
    assert found.notes == ["3 of 4 frames could not be decoded"]
    with pytest.raises(UserError, match="stopped before the end"):
        looks_within(clip, 4, 9.0, Stopwatch(), look, stopped)


def test_no_time_is_refused(tiny_run: TinyRun) -> None:
    with pytest.raises(UsageError, match="a time of 0 s is out of range"):
        Predictor(tiny_run.ckpt, device="cpu", cropped=True, seconds=0)
