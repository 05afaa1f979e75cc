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
    """Some frames of a video, and the number of all its frames."""

    frames: list[Frame]
    total: int
    """Frames that are there and can be decoded, as far as was looked."""
    announced: int
    """Number of frames according to the container; 0 if it gives none."""

    @property
    def shortfall(self) -> str:
        """A message for the user if clearly fewer frames could be decoded than announced; else empty.

        A difference of a few frames is usual, because containers are often slightly wrong.
        """
        if self.announced - self.total <= max(2, 0.05 * self.announced):
            return ""
        return f"only {self.total} of {self.announced} announced frames could be decoded: the file is cut or damaged"


class Video:
    """A video whose packets were read once, so that its frames can be asked for one after the other.

    Args:
        path: video file.
        threads: that FFmpeg decodes with; 0 lets it choose.

    Raises `UserError` as `read_clip` does.
    """

    def __init__(self, path: Path, threads: int = 0) -> None:
        self._path, self._threads = path, threads
        self._index = read_index(path)

    @property
    def total(self) -> int:
        """Number of frames, as the packets say."""
        return len(self._index.pts) or self._index.packets

    @property
    def rate(self) -> float:
        """Frames per second, as the container claims."""
        return self._index.rate

    @property
    def shortfall(self) -> str:
        """As `Clip.shortfall`."""
        return Clip([], self.total, self._index.announced).shortfall

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
    """Decode up to `wanted` frames, evenly spaced over those that are there.

    Args:
        path: video file.
        wanted: most frames.
        threads: that FFmpeg decodes with; 0 lets it choose, 1 is best where several processes share the cores.

    Raises:
        UserError: the file cannot be opened, or holds no frame or frames of more than `MAX_PIXELS` pixels.
    """
    return _read(path, lambda there: [there[i] for i in even_indices(len(there), wanted)], threads)


def read_frames(path: Path, numbers: Sequence[int], threads: int = 0) -> Clip:
    """Decode the frames of these numbers, rising; those that are not there are left out. Else as `read_clip`."""
    wanted = set(numbers)
    return _read(path, lambda there: sorted(wanted & set(there)), threads)


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


def _read(path: Path, choose: Callable[[Sequence[int]], list[int]], threads: int) -> Clip:
    index = read_index(path)
    # Where packets have no times, their frames are counted by decoding.
    there: Sequence[int] = range(len(index.pts) or index.packets)
    chosen = choose(there)
    frames, whole = _decode(path, index, chosen, threads)
    if not whole or len(frames) < len(chosen):
        # Some frame is broken: which ones are not is known after all have been decoded.
        there = [number for number, _ in every(path, index, threads)]
        chosen = choose(there)
        frames = [_frame(n, frame, index) for n, frame in every(path, index, threads) if n in set(chosen)]
    if not frames and not there:
        raise UserError(f"{path} holds no frame that FFmpeg can decode")
    return Clip(frames, len(there), index.announced)


def _decode(path: Path, index: Index, chosen: list[int], threads: int) -> tuple[list[Frame], bool]:
    """The chosen frames, and whether all packets on the way to them could be decoded."""
    frames: list[Frame] = []
    if not index.pts:
        wanted, count = set(chosen), 0
        for number, each in every(path, index, threads):
            count = number + 1
            if number in wanted:
                frames.append(_frame(number, each, index))
        return frames, count == index.packets
    for number, found in walk(path, index, chosen, threads):
        if found is None:
            return frames, False
        frames.append(_frame(number, found, index))
    return frames, True


def _frame(number: int, frame: VideoFrame, index: Index) -> Frame:
    image = np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
    if turns := round(frame.rotation / 90) % 4:
        image = np.ascontiguousarray(np.rot90(image, turns))
    if index.pts and frame.pts is not None and frame.time_base:
        time = float((frame.pts - index.pts[0]) * frame.time_base)
    else:
        time = number / index.rate
    return Frame(number, time, image)
