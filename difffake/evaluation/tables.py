"""Result tables, with the same cells for the terminal, Markdown and the report."""

import re
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from difffake.evaluation.rate_tables import domain_remarks, domain_tables, rate_tables
from difffake.evaluation.table import NAMES, NONE, ResultTable, markdown_cells, place
from difffake.intervals import MIN_UNITS
from difffake.metrics import percent

Row = dict[str, Any]

WIDTH = 100
"""Largest width of a table in characters."""
_KEYS = dict(zip(NAMES, ("dataset", "method", "compression"), strict=True))
_LEAST = 9
"""Smallest width of a column of names, in characters, unless its names are shorter."""


def result_tables(rows: Sequence[Row]) -> list[ResultTable]:
    """Make one table per level and score; rates are in percent with one decimal.

    A data set or compression that all rows share is in the title, not in a column. The name of a data set is printed
    once. Rows without fakes, or without reals, are in separate tables, with the false alarms or the detected fakes at
    the threshold of the validation data. Values that are not defined (NaN, None) are a dash.
    """
    tables = []
    ordered = sorted(rows, key=_table)  # stable: rows keep their order within a table
    for (*_, classes), group in groupby(ordered, key=_table):
        found = list(group)
        title = f"{str(found[0]['level']).capitalize()} level, {found[0]['score']} score"
        if classes:
            title += f", {classes} only"
        names = ["Manipulation"] if classes != "real" else []
        shared = []
        for column in ("Data set", "Compression"):
            values = {row[_KEYS[column]] for row in found}
            if len(values) > 1:
                names.insert(0 if column == "Data set" else len(names), column)
            elif value := values.pop():
                shared.append(value)
        numbers = _numbers(classes)
        cells, before = [], None
        for row in found:
            texts = [str(row[_KEYS[name]]) or NONE for name in names]
            if names[:1] == ["Data set"]:
                texts[0] = "" if row["dataset"] == before else texts[0]
                before = row["dataset"]
            cells.append([*texts, *(number(row) for number in numbers.values())])
        tables.append(
            ResultTable(": ".join([title, " ".join(shared)][: 1 + bool(shared)]), [*names, *numbers], cells, found)
        )
    return tables


def _table(row: Row) -> tuple[int, str, str, str]:
    """Sort key of a row's table; its last part is the row's only class, or empty if it has both."""
    classes = "real" if not row["n_fake"] else "fake" if not row["n_real"] else ""
    return (*place(row), classes)


def _numbers(classes: str) -> dict[str, Any]:
    """Columns of numbers, each with the function that makes a row's cell."""
    if classes == "real":
        return {"Real": lambda r: str(r["n_real"]), "False alarms": lambda r: percent(r.get("false_alarm_rate"))}
    if classes == "fake":
        return {"Fake": lambda r: str(r["n_fake"]), "Found": lambda r: percent(r.get("detection_rate"))}
    return {
        "Real": lambda r: str(r["n_real"]),
        "Fake": lambda r: str(r["n_fake"]),
        "AUC [95 %]": _with_interval,
        **{name.upper(): lambda r, name=name: percent(r[name]) for name in ("eer", "ap", "acc")},
    }


def _with_interval(row: Row) -> str:
    low, high = percent(row["auc_low"]), percent(row["auc_high"])
    return percent(row["auc"]) if NONE in (low, high) else f"{percent(row['auc'])} [{low}, {high}]"


def remarks(rows: Sequence[Row]) -> list[str]:
    """Notes for the reader of the tables: rows with too few units, and rows with only one class."""
    found = []
    few = [row for row in rows if min(row.get(f"units_{name}", MIN_UNITS) for name in ("real", "fake")) < MIN_UNITS]
    if few := [row for row in few if row["n_real"] and row["n_fake"]]:
        kinds = ", ".join(sorted({str(row["resampled_by"]) for row in few}))
        found.append(
            f"There is no interval if reals or fakes come from fewer than {MIN_UNITS} units (here {kinds}): these "
            "numbers are very uncertain."
        )
    if any(row["auc"] in (0, 1) and percent(row["auc_low"]) != NONE for row in rows):
        found.append(
            "If the scores of reals and fakes do not overlap at all, the interval is exact (Clopper and Pearson)."
        )
    for name, other, rate in (("real", "fake", "the false alarms"), ("fake", "real", "the fakes found")):
        alone = sorted({str(row["dataset"]) for row in rows if not row[f"n_{other}"]})
        if alone:
            key = "false_alarm_rate" if name == "real" else "detection_rate"
            counted = {percent(row.get(key)) != NONE for row in rows if not row[f"n_{other}"]}
            if True in counted:
                how = f"{rate} are counted at the threshold of the validation data"
                how += ", where there is one" if False in counted else ""
            else:
                how = f"{rate} are not counted, because there is no threshold from validation data"
            found.append(f"{', '.join(alone)}: only {name} faces, so AUC, EER and AP are not defined; {how}.")
    return found


def print_results(rows: Sequence[Row], console: Console, domains: Sequence[Row] = ()) -> None:
    """Print result tables and notes on `console`, at most `WIDTH` characters wide.

    Long names are broken after a dash, underscore or slash; numbers are never broken.

    Args:
        rows: rows of results.json.
        console: where to print.
        domains: its cross-domain summary, of which only the video level is printed if there is one; empty for none.
    """
    width = min(WIDTH, console.width)
    shown = [domain for domain in domains if domain["level"] == "video"] or domains
    for table in [*result_tables(rows), *domain_tables(shown)]:
        # With Text instead of str, a name such as "[bold]" is printed as it is.
        drawn = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
        widths = _name_widths(table, width)
        for column in table.columns:
            if column in NAMES:
                drawn.add_column(column, overflow="fold")
            else:
                drawn.add_column(column, justify="right", no_wrap=True)
        for cells in table.cells:
            drawn.add_row(*(Text(broken(cell, widths.get(n, width))) for n, cell in enumerate(cells)))
        # Not the table's own title, which would be folded at the table's width.
        console.print(Text(table.title, "table.title"), width=width)
        console.print(drawn, width=width)
    for remark in [*remarks(rows), *domain_remarks(shown)]:
        console.print(Text(remark), width=width)


def _name_widths(table: ResultTable, width: int) -> dict[int, int]:
    """Width of each column of names by its number: the space beside the numbers, shared by the length of names."""
    longest = [max(map(len, [column, *cells])) for column, *cells in zip(table.columns, *table.cells, strict=True)]
    names = [n for n, column in enumerate(table.columns) if column in NAMES]
    left = width - 2 - 2 * len(longest) - sum(size for n, size in enumerate(longest) if n not in names)
    widths = {n: longest[n] for n in names}
    while sum(widths.values()) > left and max(widths.values()) > _LEAST:
        widths[max(widths, key=lambda n: widths[n])] -= 1
    return widths


def broken(name: str, width: int) -> str:
    """Break a name into as few lines of about equal length as `width` characters allow.

    Lines are broken after a dash, underscore, slash or space; a part without any of these is not broken.

    >>> broken("forged-drawn-a", 13)
    'forged-\\ndrawn-a'
    """
    parts = re.findall(r"[^-_/ ]*[-_/ ]|[^-_/ ]+", name)

    def lines(width: int) -> list[str]:
        found = [""]
        for part in parts:
            if found[-1] and len(found[-1] + part.rstrip()) > width:
                found.append("")
            found[-1] += part
        return [line.rstrip() for line in found]

    fewest = len(lines(width))
    return "\n".join(lines(next(w for w in range(1, width + 1) if len(lines(w)) == fewest)))


def markdown(rows: Sequence[Row], domains: Sequence[Row] = ()) -> str:
    """The same tables and those of rates as Markdown, each below its title in bold, and the notes."""
    blocks = []
    for table in [*result_tables(rows), *rate_tables(rows), *domain_tables(domains)]:
        rule = [":--" if column in NAMES else "--:" for column in table.columns]
        lines = [table.columns, rule, *map(markdown_cells, table.cells)]
        blocks.append(f"**{table.title}**\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n")
    return "\n".join([*blocks, *(f"{remark}\n" for remark in [*remarks(rows), *domain_remarks(domains)])])
