"""Squares in an image: around a face, and overlapping tiles in which small faces are looked for."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

Box = tuple[int, int, int, int]
"""x0, y0, x1, y1 in pixels, the ends excluded."""

SMALLEST_SHARE = 0.15
"""Longer side of the smallest face that is found well, as a share of the side of the square it is looked for in.

Measured with MediaPipe's short-range detector at a confidence of 0.3: 97 % of faces at 0.12, 98 % at 0.14, all at 0.17.
"""


def square_box(box: np.ndarray, margin: float, height: int, width: int) -> Box:
    """Square (x0, y0, x1, y1) of `margin` times the longer side of `box`, inside an image of `height` x `width`.

    A square that sticks out is moved inwards, and made smaller if the image is; it is never padded and
    never loses its shape, so a later resize does not stretch the face.
    """
    center = (box[:2] + box[2:]) / 2
    side = max(1, min(round(float(max(box[2:] - box[:2])) * margin), height, width))
    x0, y0 = (
        int(np.clip(round(float(c) - side / 2), 0, size - side))
        for c, size in zip(center, (width, height), strict=True)
    )
    return x0, y0, x0 + side, y0 + side


def tile_sides(height: int, width: int, smallest: float) -> list[float]:
    """Sides of the square tiles in which every face from `smallest` pixels on is found, largest first.

    The first is the longer side of the image, so that the image is its only tile; in the last a face of `smallest`
    pixels takes up `SMALLEST_SHARE`. Each is at most twice the next.
    """
    longer, finest = max(height, width), smallest / SMALLEST_SHARE
    steps = max(0, int(np.ceil(np.log2(longer / finest))))
    return [float(side) for side in np.geomspace(longer, finest, steps + 1)] if steps else [float(longer)]


def tiles(height: int, width: int, side: float, overlap: float) -> Iterator[Box]:
    """Tiles (x0, y0, x1, y1) that cover an image evenly, row by row.

    Args:
        height: of the image.
        width: of the image.
        side: of a tile, which is a square, but no higher and no wider than the image.
        overlap: pixels that neighbors share at least; a face of up to so many pixels lies whole in one of them.
    """
    rows, columns = (_spread(length, round(side), overlap) for length in (height, width))
    for y0, y1 in rows:
        for x0, x1 in columns:
            yield x0, y0, x1, y1


def _spread(length: int, side: int, overlap: float) -> list[tuple[int, int]]:
    side = min(side, length)
    count = 1 + int(np.ceil((length - side) / max(1.0, side - overlap)))
    return [(round(start), round(start) + side) for start in np.linspace(0, length - side, count)]


def pyramid(height: int, width: int, smallest: float) -> list[Box]:
    """Tiles (x0, y0, x1, y1) of all sides: every face from `smallest` pixels on lies whole in one and large enough."""
    sides = tile_sides(height, width, smallest)
    squares: list[Box] = [(0, 0, width, height)]
    for coarser, side in pairwise(sides):  # what is larger than the overlap is seen in the coarser tiles
        squares += tiles(height, width, side, SMALLEST_SHARE * coarser)
    return squares


def same_face(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Which boxes of `others` (N, 4) show the same face as `box` (4,), as booleans (N,).

    Boxes do where they share more than half of the smaller one: a part of a face can look like a small face.
    """
    sides = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    shared = np.clip(sides, 0, None).prod(axis=1)
    smaller = np.minimum((box[2:] - box[:2]).prod(), (others[:, 2:] - others[:, :2]).prod(axis=1))
    return shared > 0.5 * smaller


def distinct(boxes: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """One box for each face: indices of `boxes` (N, 4) that are kept, by falling `scores` (N,).

    Non-maximum suppression: a box that shows the same face as a kept one of higher score is left out.
    """
    kept: list[int] = []
    for index in np.argsort(-scores, kind="stable"):
        if not (kept and same_face(boxes[index], boxes[kept]).any()):
            kept.append(int(index))
    return np.array(kept, dtype=int)
