"""Tables of comparisons, with the same cells for the terminal and Markdown."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from difffake.evaluation.differences import verdict
from difffake.evaluation.results import ALL, Row
from difffake.evaluation.significance import LEVEL
from difffake.evaluation.table import markdown_cells
from difffake.evaluation.tables import WIDTH, broken
from difffake.metrics import percent

MARKS = {"better": "▲", "worse": "▼", "": ""}
"""Marks of differences that are more than chance."""
_MARKED = f"{MARKS['better']} better, {MARKS['worse']} worse than the baseline by more than chance (p Holm < {LEVEL})."
_NAMES = {"Run": "run", "Score": "score", "Data set": "dataset", "Manipulation": "method", "Compression": "compression"}
_SPARE = (("Real", "Fake"), ("p DeLong",), ("p",), ("p seeds",), ("Baseline",))
"""Columns that are left out of a narrow terminal, in this order."""
_LEAST = 14
"""Smallest width of a column of names in characters."""
_UNITS = {"target": "original", "identity": "person", "path": "image"}
"""Names of units by `resampled_by`, where they differ."""

_NARROWEST = 64
"""Smallest width of a table in characters; a narrower terminal breaks its lines."""


class ComparisonTable(NamedTuple):
    """One table of comparisons at one level, with one baseline."""

    title: str
    names: list[str]
    """Titles of the columns of names, the first ones of `columns`."""
    columns: list[str]
    cells: list[list[str]]
    """One list per row, as long as `columns`."""


def comparison_tables(rows: Sequence[Row]) -> list[ComparisonTable]:
    """Make one table per level and baseline; AUC and differences are in percent and points, with one decimal.

    A name that all rows of a table share is in the title only.
    """

    return [_table(group) for group in by_baseline(rows)]


def by_baseline(rows: Sequence[Row]) -> list[list[Row]]:
    """Rows in groups of one level and baseline: videos before frames, then in the order of the rows."""
    groups: dict[tuple[str, str, str], list[Row]] = {}
    for row in sorted(rows, key=lambda row: bool(row["level"] == "frame")):
        groups.setdefault((row["level"], row["baseline"], row["baseline_score"]), []).append(row)
    return list(groups.values())


def p_text(p: float | None) -> str:
    """A p-value with three decimals.

    >>> p_text(0.0314), p_text(0.00004), p_text(None)
    ('0.031', '<0.001', '-')
    """
    if p is None or math.isnan(p):
        return "-"
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def difference_text(row: Row) -> str:
    """A difference in points with its interval: "+3.2 [+1.0, +5.4]"."""
    low, high = row["low"], row["high"]
    point = f"{100 * row['difference']:+.1f}"
    return point if low is None or math.isnan(low) else f"{point} [{100 * low:+.1f}, {100 * high:+.1f}]"


def units_of(rows: Sequence[Row]) -> str:
    """Names of the units that were resampled, such as "video and original"."""
    kinds = {kind for row in rows for kind in row["resampled_by"].split(" + ")}
    return " and ".join(sorted(_UNITS.get(kind, kind) for kind in kinds))


def explanation(rows: Sequence[Row]) -> list[str]:
    """Lines below the tables: what the columns mean."""
    several = any(row["seeds_test"] for row in rows)
    units = units_of(rows)
    count = sum(row["p"] is not None and not math.isnan(row["p"]) for row in rows)
    lines = [
        "Difference: AUC minus that of the baseline on the samples that both scored, in points, with its 95 % interval "
        f"from a paired bootstrap by {units}{' and the spread over seeds' if several else ''}.",
        f"p Holm: p-value corrected for the {count} comparison{'s' if count != 1 else ''} made here. "
        + (_MARKED if any(map(verdict, rows)) else f"None is below {LEVEL}: no difference is more than chance."),
    ]
    if several:
        tests = " or ".join(sorted({row["seeds_test"] for row in rows} - {""}))
        lines.append(f"AUC: mean ± standard deviation over seeds. p seeds: {tests} over seeds alone.")
    return lines


def _table(rows: list[Row]) -> ComparisonTable:
    """The table of one level and baseline."""
    first = rows[0]
    one_run = all(row["run"] == row["baseline"] for row in rows)
    one_score = all(row["score"] == row["baseline_score"] for row in rows)
    varied = [name for name, key in _NAMES.items() if len({row[key] for row in rows}) > 1]
    title = f"{first['level'].capitalize()} level, "
    if one_score:
        title += f"{first['score']} score, {'' if 'Run' in varied else first['run']} against {first['baseline']}"
    elif one_run:
        title += f"{'' if 'Score' in varied else first['score']} against {first['baseline_score']} score"
    else:
        alone = "Run" not in varied and "Score" not in varied
        title += f"{first['run']} {first['score']}" * alone + f" against {first['baseline']} {first['baseline_score']}"
    shared = [first[_NAMES[name]] for name in ("Data set", "Compression", "Manipulation") if name not in varied]
    if shared := [name for name in shared if name not in ("", ALL)]:
        title += f": {' '.join(shared)}"
    wanted = [
        ("Real", lambda row: str(row["n_real"])),
        ("Fake", lambda row: str(row["n_fake"])),
        ("Baseline", lambda row: _mean(row["auc_baseline"], row["sd_baseline"])),
        ("AUC", lambda row: _mean(row["auc"], row["sd"])),
        ("Difference [95 %]", difference_text),
        ("p", lambda row: p_text(row["p"])),
        ("p Holm", lambda row: p_text(row["p_holm"])),
        ("p DeLong", lambda row: p_text(row["p_delong"])),
        ("p seeds", lambda row: p_text(row["p_seeds"])),
        ("", lambda row: MARKS[verdict(row)]),
    ]
    kept = [
        (name, cell)
        for name, cell in wanted
        if name not in ("p DeLong", "p seeds") or any(cell(row) != "-" for row in rows)
    ]
    cells = [[*(str(row[_NAMES[name]]) or "-" for name in varied), *(cell(row) for _, cell in kept)] for row in rows]
    return ComparisonTable(" ".join(title.split()), varied, [*varied, *(name for name, _ in kept)], cells)


def _mean(value: float, deviation: float | None) -> str:
    return percent(value) if deviation is None or math.isnan(deviation) else f"{percent(value)} ± {percent(deviation)}"


def markdown(tables: Sequence[ComparisonTable]) -> str:
    """The tables as Markdown, each below its title in bold."""
    blocks = []
    for table in tables:
        rule = [":--" if column in table.names else "--:" for column in table.columns]
        lines = [table.columns, rule, *map(markdown_cells, table.cells)]
        blocks.append(f"**{table.title}**\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n")
    return "\n".join(blocks)


def print_comparisons(rows: Sequence[Row], console: Console) -> None:
    """Print the tables and their explanation, 64 to `WIDTH` characters wide.

    In a narrow terminal, counts and single p-values are left out; numbers are never broken. If the columns of names do
    not fit, they become one.
    """
    width = max(_NARROWEST, min(WIDTH, console.width))
    console = Console(file=console.file, width=width)
    left_out: dict[str, None] = {}
    for table in comparison_tables(rows):
        names, columns = table.columns[: len(table.names)], table.columns[len(table.names) :]
        labels = [list(cells[: len(names)]) for cells in table.cells]
        shown = list(range(len(columns)))
        sizes = [
            max(map(len, texts)) for texts in zip(columns, *(cells[len(names) :] for cells in table.cells), strict=True)
        ]
        for spare in _SPARE:
            if spare[0] in columns and _room(sizes, shown, width) < _LEAST * min(len(names), 2):
                shown = [n for n in shown if columns[n] not in spare]
                left_out |= dict.fromkeys(spare)
        room = _room(sizes, shown, width)
        if sum(max(map(len, texts)) + 2 for texts in zip(names, *labels, strict=True)) > room:
            names, labels = [", ".join(names)], [[broken(", ".join(cells), room - 2)] for cells in labels]
        drawn = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
        for name in names:
            drawn.add_column(broken(name, room - 2), overflow="fold")
        for n in shown:
            drawn.add_column(columns[n], justify="right", no_wrap=True)
        for label, cells in zip(labels, table.cells, strict=True):
            drawn.add_row(*map(Text, label), *(Text(cells[len(table.names) + n]) for n in shown))
        console.print(Text(table.title, "table.title"), width=width)
        console.print(drawn, width=width)
    lines = explanation(rows)
    if left_out:
        lines.append(f"Not shown in this width: {', '.join(left_out)}; --out writes all.")
    for line in lines:
        console.print(Text(line), width=width)


def _room(sizes: Sequence[int], shown: Sequence[int], width: int) -> int:
    """Width that the shown columns of numbers leave for names; each column has a gap of two characters."""
    return width - 2 - sum(sizes[n] + 2 for n in shown)
