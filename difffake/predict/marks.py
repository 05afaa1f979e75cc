"""Boxes with texts, drawn onto pictures."""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from difffake.predict.people import Verdict

COLORS: dict[Verdict | None, str] = {"fake": "#D55E00", "real": "#0072B2", "cannot tell": "#6b6b6b", None: "#333333"}
"""The colors of real and fake in all pictures, and grays for the rest."""
SMALLEST = 640
"""Longer side in pixels that smaller pictures are enlarged to, so that texts fit."""

Box = tuple[int, int, int, int]


class Mark(NamedTuple):
    """A box with lines of text."""

    box: Box | None
    """(x0, y0, x1, y1) in pixels of the picture; None if it is the whole picture."""
    lines: Sequence[str]
    verdict: Verdict | None
    """Gives the color."""
    strong: bool = False
    """Whether the line of the box is thick."""


def scale_of(image: np.ndarray, largest: int) -> float:
    """The factor that brings the longer side of a picture (H, W, 3) to at least `SMALLEST` and at most `largest`."""
    longer = max(image.shape[:2])
    return min(largest, max(SMALLEST, longer)) / longer


def scaled(image: np.ndarray, scale: float) -> np.ndarray:
    """A picture (H, W, 3) scaled to an even number of rows and columns, as videos need."""
    height, width = (max(2, 2 * round(side * scale / 2)) for side in image.shape[:2])
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)


def scaled_box(box: Box | None, scale: float) -> Box | None:
    """A box in the scaled picture."""
    if box is None:
        return None
    x0, y0, x1, y1 = (round(edge * scale) for edge in box)
    return x0, y0, x1, y1


def marked(image: np.ndarray, marks: Sequence[Mark], corner: str = "") -> np.ndarray:
    """Draw marks, and a text in the upper left corner, onto a copy of a picture (H, W, 3) uint8.

    A text stands above its box if there is room, else below, else inside.
    """
    picture = Image.fromarray(image)
    draw = ImageDraw.Draw(picture)
    size = max(13, round(max(image.shape[:2]) / 50))
    font = _font(size)
    thin = max(2, size // 8)
    taken: list[Box] = []
    if corner:
        taken.append(_write(draw, font, [corner], 0, 0, "#000000"))
    for mark in marks:
        x0, y0, x1, y1 = mark.box or (0, 0, picture.width, picture.height)
        color = COLORS[mark.verdict]
        draw.rectangle((x0, y0, x1 - 1, y1 - 1), outline=color, width=(3 if mark.strong else 1) * thin)
    for mark in marks:
        x0, y0, x1, y1 = mark.box or (0, 0, picture.width, picture.height)
        width, height = _extent(font, mark.lines)
        left = max(0, min(x0, picture.width - width))
        places = [top for top in (y0 - height, y1, y0, y1 - height) if 0 <= top <= picture.height - height] or [0]
        free = [top for top in places if not any(_meet((left, top, left + width, top + height), one) for one in taken)]
        taken.append(_write(draw, font, mark.lines, left, (free or places)[0], COLORS[mark.verdict]))
    return np.asarray(picture)


def with_caption(image: np.ndarray, lines: Sequence[str]) -> np.ndarray:
    """A picture (H, W, 3) uint8 with lines of text in a white strip below it; long lines are broken."""
    width = image.shape[1]
    font = _font(max(12, round(max(image.shape[:2]) / 60)))
    broken = [part for line in lines for part in _broken(line, font, width - 12)]
    _, height = _extent(font, broken)
    strip = Image.new("RGB", (width, height + 8), "white")
    ImageDraw.Draw(strip).multiline_text((6, 4), "\n".join(broken), fill="black", font=font, spacing=2)
    return np.concatenate([image, np.asarray(strip)])


_Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@cache
def _font(size: int) -> _Font:
    return ImageFont.load_default(size)


def _broken(line: str, font: _Font, width: int) -> list[str]:
    lines = [""]
    for word in line.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and font.getlength(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def _extent(font: _Font, lines: Sequence[str]) -> tuple[int, int]:
    """Width and height of a text with its border."""
    box = ImageDraw.Draw(Image.new("RGB", (1, 1))).multiline_textbbox((0, 0), "\n".join(lines), font=font, spacing=2)
    return round(box[2]) + 6, round(box[3]) + 6


def _write(draw: ImageDraw.ImageDraw, font: _Font, lines: Sequence[str], left: int, top: int, color: str) -> Box:
    width, height = _extent(font, lines)
    place = left, top, left + width, top + height
    draw.rectangle(place, fill=color)
    draw.multiline_text((left + 3, top + 2), "\n".join(lines), fill="white", font=font, spacing=2)
    return place


def _meet(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
