"""Frames of a video, evenly spaced over the whole clip."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from difffake.errors import UserError
from difffake.faces.images import MAX_PIXELS, too_large

# OpenCV reads this variable when it opens the first video. FFmpeg would write a line for every damaged block of a
# frame; faults of a file are reported by the exception or by `Clip.shortfall` instead.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")


class Frame(NamedTuple):
    """One frame of a video."""

    number: int
    """Number of the frame, counted from 0 by decoding."""
    time: float
    """Seconds from the start of the video."""
    image: np.ndarray
    """(H, W, 3) uint8 RGB."""


@dataclass(frozen=True)
class Clip:
    """Some frames of a video, and the number of all its frames."""

    frames: list[Frame]
    total: int
    """Number of frames that could be decoded."""
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


def read_clip(path: Path, wanted: int) -> Clip:
    """Decode up to `wanted` frames, evenly spaced.

    Frames are counted by decoding, because containers often give a wrong number. A clip is decoded twice only if its
    container is wrong. Raises `UserError` if the file cannot be opened, has no frame, or has frames of more than
    `MAX_PIXELS` pixels.
    """
    if not path.is_file():
        raise UserError(f"{path} {'is a folder' if path.is_dir() else 'does not exist'}")
    announced = _announced_length(path)
    frames, total = _decode(path, set(even_indices(announced, wanted)))
    if total != announced:
        frames, total = _decode(path, set(even_indices(total, wanted)))
    if not frames:
        raise UserError(f"{path} holds no frame that OpenCV can decode")
    return Clip(frames, total, announced)


def _announced_length(path: Path) -> int:
    capture = cv2.VideoCapture(str(path))
    try:
        if not capture.isOpened():
            return 0
        if capture.get(cv2.CAP_PROP_FRAME_WIDTH) * capture.get(cv2.CAP_PROP_FRAME_HEIGHT) > MAX_PIXELS:
            raise too_large(path)
        return max(0, int(capture.get(cv2.CAP_PROP_FRAME_COUNT)))
    finally:
        capture.release()


def _decode(path: Path, indices: set[int]) -> tuple[list[Frame], int]:
    """The frames at `indices`, and the number of frames that can be decoded."""
    frames = []
    total = 0
    for total, capture in enumerate(_grabbed(path), start=1):
        if total - 1 in indices:
            time = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
            ok, image = capture.retrieve()
            if ok:
                frames.append(Frame(total - 1, time, cv2.cvtColor(image, cv2.COLOR_BGR2RGB)))
    return frames, total


def _grabbed(path: Path) -> Iterator[cv2.VideoCapture]:
    capture = cv2.VideoCapture(str(path))
    try:
        while capture.isOpened() and capture.grab():
            yield capture
    finally:
        capture.release()
