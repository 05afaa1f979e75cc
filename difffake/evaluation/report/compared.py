"""Tests of the differences between runs."""

from collections.abc import Sequence
from dataclasses import dataclass

from difffake.evaluation.report.folders import Folder
from difffake.evaluation.report.tables import PageTable


@dataclass(frozen=True)
class Compared:
    """Tables of one comparison, and lines that explain them."""

    tables: list[PageTable]
    lines: list[str]


def compared(folders: Sequence[Folder]) -> list[Compared]:
    """Comparisons of a report's folders."""
    return []
