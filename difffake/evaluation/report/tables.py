"""The tables of a report, for the page and as text."""

from collections.abc import Sequence
from dataclasses import dataclass

from difffake.evaluation.published import Comparable, Numbers, whole_rows
from difffake.evaluation.report.folders import Folder
from difffake.evaluation.results import Row
from difffake.evaluation.table import NAMES, NONE, ResultTable, place
from difffake.metrics import percent

DRAWN = "AUC [95 %]"
Interval = tuple[float, float, float]
"""Low end, value and high end in [0, 1]."""


@dataclass(frozen=True)
class PageTable:
    """One table of the report."""

    title: str
    columns: list[str]
    cells: list[list[str]]
    texts: frozenset[str]
    """Columns of text, aligned to the left; all others are numbers."""
    intervals: tuple[Interval | None, ...] = ()
    """An interval per row to draw as a line beside the column `DRAWN`, or none at all."""
    note: str = ""
    """A line below the table."""
    source: str = ""
    """Where the numbers were published, if they were not measured."""


def headline_tables(runs: Sequence[Folder]) -> list[PageTable]:
    """AUC with its interval and EER on whole data sets: lines of data sets for one run, else lines of runs.

    If one run was tested on one data set, its manipulations have lines too. There is a table per level, and for several
    runs one per level and score. Values are in percent.
    """
    levels = dict.fromkeys(row["level"] for row in sorted(_whole(runs), key=place))
    if len(runs) == 1:
        return [_of_one(runs[0], level) for level in levels]
    keys = dict.fromkeys((row["level"], row["score"]) for row in sorted(_whole(runs), key=place))
    return [_of_several(runs, level, score) for level, score in keys]


def _whole(runs: Sequence[Folder]) -> list[Row]:
    return [row for run in runs for row in whole_rows(run.rows) if row["n_real"] and row["n_fake"]]


def _of_one(run: Folder, level: str) -> PageTable:
    rows = sorted((row for row in _whole([run]) if row["level"] == level), key=place)
    alone = len(set(map(_name, rows))) == 1
    if alone:
        rows = sorted((row for row in run.rows if row["level"] == level and row["n_real"] and row["n_fake"]), key=place)

    def line(row: Row) -> str:
        return str(row["method"]) if alone else _name(row)

    order = {name: number for number, name in enumerate(dict.fromkeys(map(line, rows)))}
    rows.sort(key=lambda row: order[line(row)])
    cells = [
        [
            line(row),
            row["score"],
            with_interval(row, "auc"),
            percent(row["eer"]),
            f"{row['n_real']:,}",
            f"{row['n_fake']:,}",
        ]
        for row in rows
    ]
    units = f"{level}s" if level == "video" else "frames"
    columns = ["Manipulation" if alone else "Data set", "Score", DRAWN, "EER", f"Real {units}", f"Fake {units}"]
    intervals = tuple(_interval(row) for row in rows)
    of = f" on {_name(rows[0])}" if alone else ""
    return PageTable(f"{level.capitalize()} level: AUC and EER{of}", columns, cells, frozenset(columns[:2]), intervals)


def _of_several(runs: Sequence[Folder], level: str, score: str) -> PageTable:
    found: dict[str, dict[int, Row]] = {}
    for number, run in enumerate(runs):
        for row in _whole([run]):
            if (row["level"], row["score"]) == (level, score):
                found.setdefault(_name(row), {})[number] = row
    cells = [
        [run.name, *(_auc_and_eer(of_run.get(number)) for of_run in found.values())]
        for number, run in enumerate(runs)
        if any(number in of_run for of_run in found.values())
    ]
    title = f"{level.capitalize()} level, {score} score: AUC [95 %] / EER"
    return PageTable(title, ["Run", *found], cells, frozenset({"Run"}))


def _auc_and_eer(row: Row | None) -> str:
    return f"{with_interval(row, 'auc')} / {percent(row['eer'])}" if row else NONE


def published_table(found: Comparable) -> PageTable:
    """Published numbers with the protocol of a run; several metrics of a cell are divided by a slash."""

    def cell(numbers: Numbers) -> str:
        return " / ".join(percent(numbers.get(name)) for name in found.table.metrics)

    cells = [[model, *(cell(line.get(title, {})) for title in found.columns)] for model, line in found.rows.items()]
    metrics = " / ".join(name.removesuffix("_at_half").upper() for name in found.table.metrics)
    title = f"{found.table.level.capitalize()} level, published: {metrics}"
    return PageTable(title, ["Model", *found.columns], cells, frozenset({"Model"}), source=found.table.source)


def detail_table(table: ResultTable) -> PageTable:
    """A table of results with the data set's name in every line, so that lines can be sorted, and no empty column.

    A compression that all lines have is named in the title.
    """
    cells = [list(line) for line in table.cells]
    for line, before in zip(cells[1:], cells, strict=False):
        if table.columns[0] == "Data set" and not line[0]:
            line[0] = before[0]
    found = {column: [line[n] for line in cells] for n, column in enumerate(table.columns)}
    found = {column: values for column, values in found.items() if set(values) != {NONE}}
    title = table.title
    if len(set(found.get("Compression", []))) == 1:
        title += f": {found.pop('Compression')[0]}"
    return PageTable(title, list(found), [list(line) for line in zip(*found.values(), strict=True)], frozenset(NAMES))


def with_interval(row: Row, key: str) -> str:
    """A rate in percent, with its interval where it has one: "83.2 [80.1, 86.0]"."""
    low, high = percent(row.get(f"{key}_low")), percent(row.get(f"{key}_high"))
    return percent(row.get(key)) if NONE in (low, high) else f"{percent(row.get(key))} [{low}, {high}]"


def _interval(row: Row) -> Interval | None:
    value = row["auc"]
    if value is None:
        return None
    low, high = (row.get(f"auc_{end}") for end in ("low", "high"))
    return (value, value, value) if low is None or high is None else (low, value, high)


def _name(row: Row) -> str:
    return f"{row['dataset']} {row['compression']}".strip()
