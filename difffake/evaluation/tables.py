"""Result tables: the same cells for the terminal, for Markdown and for the report."""

import math
from collections.abc import Sequence
from itertools import groupby
from typing import Any, NamedTuple

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

Row = dict[str, Any]

WIDTH = 100
"""Columns of a terminal that every table fits into."""

NONE = "-"


class ResultTable(NamedTuple):
    """One table of rows with the same level and score."""

    title: str
    columns: list[str]
    cells: list[list[str]]
    """One list for each row of results, as long as `columns`."""
    rows: list[Row]
    """The rows themselves, in the order of `cells`."""


NAMES = ("Data set", "Manipulation", "Compression")
"""Columns of text, aligned to the left; all others are numbers."""


def result_tables(rows: Sequence[Row]) -> list[ResultTable]:
    """Cells of result rows, one table for each level and score, rates in percent with one decimal.

    A data set's name is printed once, and Compression is a column only where a row has one. What is not defined (NaN,
    None) is a dash.
    """
    tables = []
    ordered = sorted(rows, key=place)  # stable: rows keep their order within a table
    for _, group in groupby(ordered, key=place):
        found = list(group)
        compressed = any(row["compression"] for row in found)
        columns = ["Data set", "Manipulation", *(["Compression"] if compressed else [])]
        columns += ["Real", "Fake", "AUC [95 %]", "EER", "AP", "ACC"]
        cells, before = [], None
        for row in found:
            name = "" if row["dataset"] == before else str(row["dataset"])
            before = row["dataset"]
            texts = [name, str(row["method"]), *([str(row["compression"]) or NONE] if compressed else [])]
            counts = [str(row["n_real"]), str(row["n_fake"])]
            rates = [percent(row["eer"]), percent(row["ap"]), percent(row["acc"])]
            cells.append([*texts, *counts, _with_interval(row), *rates])
        title = f"{str(found[0]['level']).capitalize()} level, {found[0]['score']} score"
        tables.append(ResultTable(title, columns, cells, found))
    return tables


def place(row: Row) -> tuple[int, str, str]:
    """Where a row's table stands: video before frame, then by score, the classifier first."""
    return (0 if row["level"] == "video" else 1, "" if row["score"] == "classifier" else row["score"], row["level"])


def percent(value: float | None) -> str:
    """A rate in [0, 1] as percent with one decimal, a dash for None and NaN.

    >>> percent(0.8317), percent(None)
    ('83.2', '-')
    """
    return NONE if value is None or math.isnan(value) else f"{100 * value:.1f}"


def _with_interval(row: Row) -> str:
    low, high = percent(row["auc_low"]), percent(row["auc_high"])
    return percent(row["auc"]) if NONE in (low, high) else f"{percent(row['auc'])} [{low}, {high}]"


def print_results(rows: Sequence[Row], console: Console) -> None:
    """Print result tables on `console`, at most `WIDTH` columns wide; long names are folded, numbers never."""
    for table in result_tables(rows):
        # Text, not str: a name such as "[bold]" is printed as it is.
        drawn = Table(title=Text(table.title), box=box.SIMPLE_HEAD, title_justify="left", padding=(0, 1, 0, 0))
        for column in table.columns:
            if column in NAMES:
                drawn.add_column(column, overflow="fold")
            else:
                drawn.add_column(column, justify="right", no_wrap=True)
        for cells in table.cells:
            drawn.add_row(*map(Text, cells))
        console.print(drawn, width=min(WIDTH, console.width))


def markdown(rows: Sequence[Row]) -> str:
    """The same tables as Markdown, each under its title in bold."""
    blocks = []
    for table in result_tables(rows):
        rule = [":--" if column in NAMES else "--:" for column in table.columns]
        lines = [table.columns, rule, *([cell.replace("|", "\\|") for cell in cells] for cells in table.cells)]
        blocks.append(f"**{table.title}**\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n")
    return "\n".join(blocks)
