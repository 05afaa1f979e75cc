"""Decoding, face detection and scoring at the same time, each in a thread of its own, and several files at a time."""

import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from difffake.faces.video import BrokenFrame, Video
from difffake.predict.seen import Crop, Look, Seen

T = TypeVar("T")
R = TypeVar("R")

AHEAD = 3
"""Decoded frames that wait for face detection."""
BATCH = 16
"""Crops that are scored together, in the order of the frames."""
BEHIND = 2
"""Batches that wait for the detector."""
NICE = 10
"""How far threads step back that are not the slowest."""

_END = object()


def step_back() -> None:
    """Let other threads go first on a processor that this one shares with them.

    Face detection is the slowest part and takes one processor. If decoding and scoring get the same share of it, that
    part becomes slower still. Only Linux has a priority of its own for each thread.
    """
    if sys.platform == "linux":
        me = threading.get_native_id()
        with suppress(OSError):  # where it is not allowed, all have the same priority
            os.setpriority(os.PRIO_PROCESS, me, max(NICE, os.getpriority(os.PRIO_PROCESS, me)))


def ahead(items: Iterator[T], size: int) -> Iterator[T]:
    """The items of an iterator, made in a thread ahead of their use.

    Args:
        items: an iterator; its exceptions are raised here.
        size: most items that wait for their use.
    """
    with ThreadPoolExecutor(1, initializer=step_back) as pool:
        coming = deque(pool.submit(next, items, _END) for _ in range(size))
        while (item := coming.popleft().result()) is not _END:
            coming.append(pool.submit(next, items, _END))
            yield item  # type: ignore[misc]


def scored(looks: Iterable[Look], score: Callable[[Sequence[Crop]], object]) -> list[Look]:
    """Score the crops of all looks in a thread, while the next looks are made.

    Batches do not depend on the time that anything takes, so that scores do not either.

    Args:
        looks: what was seen in frames.
        score: scores crops, which keep their scores; its exceptions are raised here.
    """
    done: list[Look] = []
    waiting: list[Crop] = []
    running: deque[Future[object]] = deque()
    with ThreadPoolExecutor(1, initializer=step_back) as pool:
        for look in looks:
            done.append(look)
            waiting += look.crops
            while len(waiting) >= BATCH:
                running.append(pool.submit(score, waiting[:BATCH]))
                del waiting[:BATCH]
            if len(running) > BEHIND:
                running.popleft().result()
        if waiting:
            running.append(pool.submit(score, waiting))
        for job in running:
            job.result()
    return done


@contextmanager
def overlapped(
    work: Callable[[T], R], items: Iterable[T], size: int, stop: threading.Event
) -> Iterator[Iterator[Future[R]]]:
    """Results of work on items, in their order. While one item is finished, the next is begun.

    Args:
        work: is called with each item in a thread.
        items: the items.
        size: most items that are worked on at the same time.
        stop: is set while work that still runs must end soon, because the block ended with an error.
    """

    def results() -> Iterator[Future[R]]:
        # A thread whose item is done before an earlier one takes the next.
        most = 2 * size if size > 1 else 1
        submitted: deque[Future[R]] = deque()
        for item in items:
            submitted.append(pool.submit(work, item))
            if len(submitted) == most:
                yield submitted.popleft()
        yield from submitted

    pool = ThreadPoolExecutor(size)
    try:
        yield results()
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)  # before the next item takes the place of one that stops
        stop.set()
        raise
    finally:
        pool.shutdown()  # waits for all work; interrupted, it leaves what still runs stopped
        stop.clear()


def look_through(
    path: Path, wanted: int, seen: Seen, score: Callable[[Sequence[Crop]], object]
) -> tuple[list[Look], Video]:
    """Look at evenly spaced frames of a video and score the faces. Only a few frames are in memory at a time.

    Args:
        path: video file.
        wanted: most frames.
        seen: finds and crops faces.
        score: scores crops, which keep their scores.

    Raises `UserError` as `Video` does.
    """
    video = Video(path)
    try:
        return scored(seen.looks(ahead(video.sound(video.evenly(wanted)), AHEAD)), score), video
    except BrokenFrame:
        video.count(seen.check_open)
        return scored(seen.looks(ahead(video.sound(video.evenly(wanted)), AHEAD)), score), video
