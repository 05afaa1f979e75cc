"""What all result tables have in common."""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from difffake.metrics import percent

Row = dict[str, Any]

NONE = percent(None)
NAMES = ("Data set", "Manipulation", "Compression")
"""Columns of text, aligned to the left; all other columns are numbers."""


class ResultTable(NamedTuple):
    """One table of rows with the same level and score."""

    title: str
    columns: list[str]
    cells: list[list[str]]
    """One list per row of results, as long as `columns`."""
    rows: list[Row]
    """The rows of results, in the order of `cells`."""


def markdown_cells(cells: Sequence[str]) -> list[str]:
    """Cells that Markdown takes as text, whatever names contain: no end of a cell, no tag of HTML."""
    return [re.sub(r"<(?=[A-Za-z/!?])", "&lt;", cell.replace("|", "\\|")) for cell in cells]


def place(row: Row) -> tuple[int, str, str]:
    """Sort key of a row's table: video before frame, then by score, the classifier first."""
    return (0 if row["level"] == "video" else 1, "" if row["score"] == "classifier" else row["score"], row["level"])
