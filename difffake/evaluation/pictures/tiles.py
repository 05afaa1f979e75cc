"""A page of small pictures with texts, such as crops of faces."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from difffake.plots import WIDTH, wrapped

_EDGE, _GAP = 0.12, 0.08  # inches around everything, and between tiles
_LINE = 0.125  # inches of a line of text
_HEADING = 0.24


class Tile(NamedTuple):
    """Pictures beside each other with texts."""

    pictures: Sequence[np.ndarray]
    """(H, W, 3) in [0, 1] or uint8."""
    above: str = ""
    below: Sequence[str] = ()
    """Lines of text; long ones are broken."""


def tile_figure(groups: Mapping[str, Sequence[Tile]], title: str, per_row: int) -> Figure:
    """Draw groups of tiles below each other, each with its heading.

    Args:
        groups: tiles of each group by its heading; all tiles have equally many pictures.
        title: title of the figure.
        per_row: number of tiles in a row.
    """
    tiles = [tile for group in groups.values() for tile in group]
    pictures = max(len(tile.pictures) for tile in tiles)
    wide = (WIDTH - 2 * _EDGE + _GAP) / per_row - _GAP
    side = wide / pictures
    characters = round(wide / 0.066)  # of a line of text of size 7
    rows = [
        (heading, number, group[number : number + per_row])
        for heading, group in groups.items()
        for number in range(0, len(group), per_row)
    ]
    texts = [[(_lines([tile.above], characters), _lines(tile.below, characters)) for tile in part] for *_, part in rows]
    above = [_LINE * max(len(upper) for upper, _ in row) for row in texts]
    below = [_LINE * max(len(lower) for _, lower in row) for row in texts]
    heads = [_HEADING if number == 0 else 0.0 for _, number, _ in rows]
    height = 2 * _EDGE + 0.3 + sum(heads) + sum(above) + sum(below) + len(rows) * (side + 3 * _GAP)
    figure = Figure(figsize=(WIDTH, height))

    def text(left: float, top: float, what: str, **style: object) -> None:
        figure.text(left / WIDTH, 1 - top / height, what, va="top", **style)  # type: ignore[arg-type]

    # Explicit positions: every picture has the same size, and drawing is much faster.
    text(_EDGE, _EDGE, title, fontsize=11)
    down = _EDGE + 0.3
    for (heading, number, part), own, high, low in zip(rows, texts, above, below, strict=True):
        if number == 0:
            text(_EDGE, down, wrapped(heading, 90), fontsize=9, fontweight="bold")
            down += _HEADING
        for place, (tile, (upper, lower)) in enumerate(zip(part, own, strict=True)):
            left = _EDGE + place * (wide + _GAP)
            text(left, down, "\n".join(upper), fontsize=7)
            for column, picture in enumerate(tile.pictures):
                corner = (left + column * side) / WIDTH, 1 - (down + high + _GAP / 2 + side) / height
                axes = figure.add_axes((*corner, 0.97 * side / WIDTH, 0.97 * side / height))
                axes.imshow(picture, aspect="auto")
                axes.set_axis_off()
            text(left, down + high + _GAP + side, "\n".join(lower), fontsize=7)
        down += high + side + low + 3 * _GAP
    return figure


def _lines(texts: Sequence[str], characters: int) -> list[str]:
    return [line for text in texts if text for line in wrapped(text, characters).split("\n")]
