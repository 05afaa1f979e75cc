"""Decoding, looking and scoring at the same time: nothing gets lost, nothing piles up, and errors come through."""

import os
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path

import numpy as np
import pytest
from av.video.frame import VideoFrame
from drawn_clips import SIDE, drawn, write_clip

from difffake.errors import UserError
from difffake.faces import video
from difffake.faces.decoding import Index, every
from difffake.faces.video import Frame, read_clip
from difffake.predict.finders import Finders
from difffake.predict.overlap import BATCH, BEHIND, NICE, ahead, look_through, overlapped, scored
from difffake.predict.seen import Crop, Look, Seen

FRAMES = 75


def test_results_come_in_order_and_a_few_items_are_worked_on_at_once() -> None:
    running, most = 0, 0
    lock = threading.Lock()

    def work(number: int) -> int:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.02 / (1 + number % 3))
        with lock:
            running -= 1
        if number == 4:
            raise UserError("the fourth")
        return number * number

    stop = threading.Event()
    with overlapped(work, range(9), 2, stop) as results:
        found = [result.exception() or result.result() for result in results]
    assert [str(one) for one in found] == [str(n * n) if n != 4 else "the fourth" for n in range(9)]
    assert most == 2
    assert not stop.is_set()


def test_an_item_that_takes_long_does_not_hold_up_those_behind_it() -> None:
    third_begun = threading.Event()

    def work(number: int) -> bool:
        if number == 2:
            third_begun.set()
        return number > 0 or third_begun.wait(20)

    with overlapped(work, range(3), 2, threading.Event()) as results:
        assert [result.result() for result in results] == [True, True, True]


def test_with_limited_time_one_item_waits_for_the_other() -> None:
    begun: list[int] = []
    with overlapped(begun.append, range(3), 1, threading.Event()) as results:
        for number, result in enumerate(results):
            result.result()
            assert begun == list(range(number + 1))


def test_work_that_still_runs_is_stopped_by_an_error_in_the_block() -> None:
    stop = threading.Event()
    stopped: list[bool] = []

    def first(results: Iterator[Future[None]]) -> None:
        next(results)
        raise KeyboardInterrupt

    with (
        pytest.raises(KeyboardInterrupt),
        overlapped(lambda _: stopped.append(stop.wait(20)), range(9), 2, stop) as results,
    ):
        first(results)
    assert stopped == [True, True]  # the other seven were not begun
    assert not stop.is_set()


def counting(made: list[int]) -> Iterator[int]:
    for number in range(20):
        made.append(number)
        yield number


def test_items_are_made_ahead_but_never_more_than_allowed() -> None:
    made: list[int] = []
    for number, item in enumerate(ahead(counting(made), 3)):
        assert item == number
        time.sleep(0.002)
        assert number < len(made) <= number + 1 + 3
    assert len(made) == 20


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a priority for each thread")
def test_what_runs_ahead_lets_the_slowest_part_go_first() -> None:
    own = os.getpriority(os.PRIO_PROCESS, 0)
    items = ahead(iter(lambda: os.getpriority(os.PRIO_PROCESS, threading.get_native_id()), None), 2)
    assert next(items) == max(own, NICE)
    items.close()  # type: ignore[attr-defined]
    assert os.getpriority(os.PRIO_PROCESS, 0) == own


def test_the_error_of_an_iterator_comes_after_its_items() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise UserError("the rest is missing")

    items = ahead(broken(), 4)
    assert next(items) == 1
    with pytest.raises(UserError, match="the rest is missing"):
        next(items)


def give_scores(batches: list[int], seconds: float = 0.0):  # noqa: ANN201  # a function of crops
    """A detector whose logit is the mean gray value; it notes how many crops come together."""

    def score(crops: Sequence[Crop]) -> None:
        time.sleep(seconds)
        batches.append(len(crops))
        for crop in crops:
            assert crop.pixels is not None
            crop.score, crop.pixels = (float(crop.pixels.mean()), np.zeros(2)), None

    return score


def looks(waiting: list[Look]) -> Iterator[Look]:
    for number in range(FRAMES):
        look = Look(number, None, [], [Crop(np.full((4, 4, 3), number, np.uint8), None)] * (number % 3 == 0))
        waiting.append(look)
        yield look


def test_every_crop_is_scored_in_batches_that_do_not_depend_on_time() -> None:
    for seconds in (0.0, 0.01):
        batches: list[int] = []
        found = scored(looks([]), give_scores(batches, seconds))
        assert [look.frame for look in found] == list(range(FRAMES))
        assert [crop.score[0] for look in found for crop in look.crops if crop.score] == list(range(0, FRAMES, 3))
        assert batches == [BATCH, FRAMES // 3 - BATCH]


def test_crops_wait_only_for_a_few_batches() -> None:
    seen: list[Look] = []
    most = 0

    def many() -> Iterator[Look]:
        nonlocal most
        for number in range(40 * BATCH):
            look = Look(number, None, [], [Crop(np.zeros((4, 4, 3), np.uint8), None)])
            seen.append(look)
            most = max(most, sum(one.crops[0].pixels is not None for one in seen))
            yield look

    scored(many(), give_scores([], 0.002))
    assert most <= (BEHIND + 3) * BATCH


def test_the_error_of_the_detector_comes_through() -> None:
    def broken(crops: Sequence[Crop]) -> None:
        raise UserError("NaN")

    with pytest.raises(UserError, match="NaN"):
        scored(looks([]), broken)


def damage(path: Path) -> None:
    """Break a frame in the middle, so that the frames are counted and chosen again."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 40] = bytes(40)
    path.write_bytes(data)


def test_who_stops_does_not_wait_until_a_damaged_clip_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "clip.mkv"
    picture, face = drawn(1)
    write_clip(path, [np.roll(picture, shift, axis=1) for shift in range(30)])
    damage(path)
    seen = Seen(Finders(lambda: lambda image: [face]), 1.3)
    counted: list[int] = []

    def interrupted(path: Path, index: Index, threads: int) -> Iterator[tuple[int, VideoFrame]]:
        for number, frame in every(path, index, threads):
            counted.append(number)
            if len(counted) == 3:
                seen.stop.set()
            yield number, frame

    monkeypatch.setattr(video, "every", interrupted)
    with pytest.raises(UserError, match="stopped before the end"):
        look_through(path, 12, seen, give_scores([]))
    assert len(counted) == 3


@pytest.mark.parametrize("cut", [False, True])
def test_a_clip_is_seen_as_if_all_its_frames_were_read_first(cut: bool, tmp_path: Path) -> None:
    path = tmp_path / "clip.mkv"
    picture, face = drawn(1)
    write_clip(path, [np.roll(picture, shift, axis=1) for shift in range(30)])
    if cut:
        damage(path)
    found, clip = look_through(path, 12, Seen(Finders(lambda: lambda image: [face]), 1.3), give_scores([]))
    expected = read_clip(path, 12)
    assert [(look.frame, look.time) for look in found] == [(one.number, one.time) for one in expected.frames]
    assert (len(clip.there), clip.shortfall) == (expected.total, expected.shortfall)
    seen = Seen(Finders(lambda: lambda image: [face]), 1.3)
    for look, frame in zip(found, expected.frames, strict=True):
        pixels = seen.look(Frame(*frame)).crops[0].pixels
        assert pixels is not None
        assert look.crops[0].score is not None
        assert look.crops[0].score[0] == pixels.mean()
        assert pixels.shape[0] <= SIDE
    assert all(look.crops[0].pixels is None for look in found)  # or a long clip would fill the memory
