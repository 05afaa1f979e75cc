"""Frames of a video by their numbers, decoded with FFmpeg (PyAV)."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from av.video.frame import VideoFrame

from difffake.errors import UserError
from difffake.faces.decoding import Index, every, opened, read_index, walk


class Frame(NamedTuple):
    """One frame of a video."""

    number: int
    """Counted from 0 in the order of presentation."""
    time: float
    """Seconds since the first frame."""
    image: np.ndarray
    """(H, W, 3) uint8 RGB, upright."""


@dataclass(frozen=True)
class Clip:
    """Some frames of a video."""

    frames: list[Frame]
    total: int
    """Number of all frames of the video."""
    shortfall: str
    """As `Video.shortfall`."""


class BrokenFrame(Exception):
    """A frame cannot be decoded, so that which frames there are is known only after all were tried."""


class Video:
    """A video whose packets were read once, so that its frames can be asked for one after the other.

    Args:
        path: video file.
        threads: that FFmpeg decodes with; 0 lets it choose, 1 is best where several processes share the cores.

    Raises:
        UserError: the file cannot be opened, or holds no frame or frames of more than `MAX_PIXELS` pixels.
    """

    def __init__(self, path: Path, threads: int = 0) -> None:
        self._path, self._threads = path, threads
        self._index = read_index(path)
        self._counted = False
        self.there: Sequence[int] = range(len(self._index.pts) or self._index.packets)
        """Numbers of the frames that are there: as the packets say, or after `count` those that can be decoded."""
        self._check()

    @property
    def rate(self) -> float:
        """Frames per second, as the container claims."""
        return self._index.rate

    @property
    def shortfall(self) -> str:
        """A message for the user if clearly fewer frames are there than announced; else empty.

        A difference of a few frames is usual, because containers are often slightly wrong.
        """
        total, announced = len(self.there), self._index.announced
        if announced - total <= max(2, 0.05 * announced):
            return ""
        return f"only {total} of {announced} announced frames could be decoded: the file is cut or damaged"

    def evenly(self, wanted: int) -> list[int]:
        """Numbers of up to `wanted` frames, evenly spaced over those that are there."""
        return [self.there[place] for place in even_indices(len(self.there), wanted)]

    def frames(self, numbers: Sequence[int]) -> Iterator[Frame]:
        """Decode frames one at a time; those that cannot be decoded are left out.

        Args:
            numbers: of the frames, in any order; without times of packets, frames come in the order of time.
        """
        if self._index.pts:
            found = walk(self._path, self._index, numbers, self._threads)
        else:
            wanted = set(numbers)
            found = (each for each in every(self._path, self._index, self._threads) if each[0] in wanted)
        for number, frame in found:
            if frame is not None:
                yield _frame(number, frame, self._index)

    def sound(self, numbers: Sequence[int]) -> Iterator[Frame]:
        """Decode frames one at a time, all of them.

        Args:
            numbers: of frames that are there, rising.

        Raises `BrokenFrame` if a packet on the way cannot be decoded; call `count`, choose again and begin again.
        """
        if self._index.pts and not self._counted:
            for number, frame in walk(self._path, self._index, numbers, self._threads):
                if frame is None:
                    raise BrokenFrame
                yield _frame(number, frame, self._index)
            return
        wanted, decoded = set(numbers), 0
        for number, each in every(self._path, self._index, self._threads):
            decoded += 1
            if number in wanted:
                yield _frame(number, each, self._index)
        if not self._counted and decoded != self._index.packets:
            raise BrokenFrame

    def count(self, check: Callable[[], None] = lambda: None) -> None:
        """Find out which frames can be decoded, by decoding all.

        From then on one thread decodes: what several threads put into damaged frames differs from time to time.

        Args:
            check: is called after each frame that is decoded; what it raises ends the count.
        """
        self._threads, there = 1, []
        for number, _ in every(self._path, self._index, self._threads):
            check()
            there.append(number)
        self.there = there
        self._counted = True
        self._check()

    def _check(self) -> None:
        if not self.there:
            raise UserError(f"{self._path} holds no frame that FFmpeg can decode")


def even_indices(total: int, wanted: int) -> list[int]:
    """Frame numbers in the middle of `wanted` equal parts of `total` frames; all frames of a shorter clip.

    >>> even_indices(100, 4)
    [12, 37, 62, 87]
    >>> even_indices(3, 8)
    [0, 1, 2]
    """
    if wanted >= total:
        return list(range(total))
    return [int((i + 0.5) * total / wanted) for i in range(wanted)]


def read_clip(path: Path, wanted: int, threads: int = 0) -> Clip:
    """Decode up to `wanted` frames, evenly spaced over those that are there. For the arguments see `Video`."""
    return _read(Video(path, threads), lambda video: video.evenly(wanted))


def read_frames(path: Path, numbers: Sequence[int], threads: int = 0) -> Clip:
    """Decode the frames of these numbers, rising; those that are not there are left out. Else as `read_clip`."""
    return _read(Video(path, threads), lambda video: sorted(set(numbers) & set(video.there)))


def announced_length(path: Path) -> int:
    """Frames that a video's header counts, or else that it holds; 0 if it cannot be opened.

    A duration says too little: that of an MPEG program stream is an estimate, and MKV and WebM give none for a stream.
    """
    try:
        with opened(path, 1) as (_, stream):
            counted = stream.frames
        return counted or read_index(path).packets
    except UserError:
        return 0


def _read(video: Video, choose: Callable[[Video], list[int]]) -> Clip:
    try:
        frames = list(video.sound(choose(video)))
    except BrokenFrame:
        video.count()
        frames = list(video.sound(choose(video)))
    return Clip(frames, len(video.there), video.shortfall)


def _frame(number: int, frame: VideoFrame, index: Index) -> Frame:
    image = np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
    if turns := round(frame.rotation / 90) % 4:
        image = np.ascontiguousarray(np.rot90(image, turns))
    if index.pts and frame.pts is not None and frame.time_base:
        time = float((frame.pts - index.pts[0]) * frame.time_base)
    else:
        time = number / index.rate
    return Frame(number, time, image)
