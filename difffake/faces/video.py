"""Frames of a video, evenly spaced over the whole clip."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from difffake.errors import UserError

VIDEO_SUFFIXES = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".mpg", ".mpeg", ".m4v", ".wmv", ".flv")


def even_indices(total: int, wanted: int) -> list[int]:
    """Frame numbers in the middle of `wanted` equal stretches of `total` frames; all frames of a shorter clip.

    >>> even_indices(100, 4)
    [12, 37, 62, 87]
    >>> even_indices(3, 8)
    [0, 1, 2]
    """
    if wanted >= total:
        return list(range(total))
    return [int((i + 0.5) * total / wanted) for i in range(wanted)]


def read_frames(path: Path, wanted: int) -> list[tuple[int, np.ndarray]]:
    """Decode up to `wanted` frames: pairs of frame number and (H, W, 3) uint8 RGB.

    Raises `UserError` if the file cannot be opened or holds no frame. Frames are counted by decoding, since
    containers often give a wrong number; a clip is decoded twice only if its container is wrong.
    """
    if not path.is_file():
        raise UserError(f"{path} does not exist")
    claimed = _claimed_length(path)
    frames, total = _decode(path, set(even_indices(claimed, wanted)))
    if total != claimed:
        frames, total = _decode(path, set(even_indices(total, wanted)))
    if not frames:
        raise UserError(f"{path} holds no frame that OpenCV can decode")
    return frames


def _claimed_length(path: Path) -> int:
    capture = cv2.VideoCapture(str(path))
    try:
        return max(0, int(capture.get(cv2.CAP_PROP_FRAME_COUNT))) if capture.isOpened() else 0
    finally:
        capture.release()


def _decode(path: Path, indices: set[int]) -> tuple[list[tuple[int, np.ndarray]], int]:
    """The frames at `indices`, and the number of frames that really are there."""
    frames = []
    total = 0
    for total, capture in enumerate(_grabbed(path), start=1):
        if total - 1 in indices:
            ok, image = capture.retrieve()
            if ok:
                frames.append((total - 1, cv2.cvtColor(image, cv2.COLOR_BGR2RGB)))
    return frames, total


def _grabbed(path: Path) -> Iterator[cv2.VideoCapture]:
    capture = cv2.VideoCapture(str(path))
    try:
        while capture.isOpened() and capture.grab():
            yield capture
    finally:
        capture.release()
