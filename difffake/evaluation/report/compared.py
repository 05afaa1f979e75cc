"""Tests of the differences between runs, from compare.json or made now."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from difffake.errors import UserError
from difffake.evaluation.compare import COMPARISON, compare_runs
from difffake.evaluation.comparison_tables import ComparisonTable, comparison_tables, explanation
from difffake.evaluation.report.folders import Folder
from difffake.evaluation.report.tables import PageTable
from difffake.evaluation.testbed import NOTE

_MARK = "More than chance"


@dataclass(frozen=True)
class Compared:
    """Tables of one comparison, and lines that explain them."""

    tables: list[PageTable]
    lines: list[str]


def compared(folders: Sequence[Folder]) -> list[Compared]:
    """Comparisons of a report's folders. If there are none, runs are compared with the first, or the scores of one run.

    A line says so if several runs cannot be compared: their scores were not kept, or they have no samples in common.
    """
    stored = [folder.contents[COMPARISON] for folder in folders if COMPARISON in folder.contents]
    if stored:
        return [_shown(content.get("comparisons") or [], content.get("remarks") or []) for content in stored]
    runs = [folder.path for folder in folders if folder.is_run]
    scores = {row["score"] for folder in folders for row in folder.rows}
    if not runs or (len(runs) == 1 and len(scores) == 1):
        return []
    try:
        found = compare_runs(runs)
    except UserError as error:
        return [Compared([], [f"The runs are not compared: {error}."])] if len(runs) > 1 else []
    return [_shown(found.rows, found.remarks)]


def _shown(rows: Sequence[dict[str, Any]], remarks: Sequence[str]) -> Compared:
    lines = [line for line in [*explanation(rows), *remarks] if line != NOTE]  # a report has its own note
    return Compared(list(map(_table, comparison_tables(rows))), lines)


def _table(table: ComparisonTable) -> PageTable:
    """The table with a name for its column of marks, or without it if there is no mark."""
    marks = table.columns[-1] == "" and any(line[-1] for line in table.cells)
    columns = [*table.columns[:-1], _MARK] if marks else [column for column in table.columns if column]
    return PageTable(
        table.title, columns, [line[: len(columns)] for line in table.cells], frozenset([*table.names, _MARK])
    )
