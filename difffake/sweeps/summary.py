"""Tables of a sweep: one line per setting, one column per manipulation; mean and standard deviation over seeds."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from difffake.evaluation.results import Row
from difffake.evaluation.table import markdown_cells
from difffake.evaluation.tables import NONE, place
from difffake.files import staged_file
from difffake.sweeps.collect import METRICS, RunResult, Setting, row_name
from difffake.sweeps.differences import Column, Tested
from difffake.swept import text_of

INTERVAL = "95 % interval of a single run"
"""Last line of a table: half the width of the intervals of single runs, as a median."""
SPREAD = "Mean ± standard deviation over runs; for a single run, [its 95 % interval]."


@dataclass(frozen=True)
class SweepTable:
    """A table of one metric, level and score. `cells` has one list per line, as long as `columns`."""

    title: str
    level: str
    names: list[str]
    """Titles of the first columns, which name the setting of a line."""
    columns: list[str]
    cells: list[list[str]]
    note: str = ""
    """Line below the table."""


def write_runs(path: Path, results: Sequence[RunResult], metric: str) -> None:
    """Write a CSV file with one line per run: parameters, the sweep's metric, and all metrics of results.json."""
    lines = []
    for result in results:
        line: dict[str, object] = {"run": result.folder.name, metric: result.metric}
        line |= {name: text_of("", value) for name, value in result.values.items()}
        for row in result.rows:
            for key in METRICS:
                for end in ("", "_low", "_high"):
                    line[f"{key}{end}/{row_name(row)}"] = row.get(key + end)
        lines.append(line)
    with staged_file(path) as partial:
        pd.DataFrame(lines).to_csv(partial, index=False)


def sweep_tables(
    settings: Sequence[Setting], metric: str, metrics: Sequence[str], tests: Tested | None = None
) -> list[SweepTable]:
    """Make the table of the sweep's own metric, then one table per metric of `metrics`, level and score; in percent.

    A line is a setting, in the given order. A cell has the mean and standard deviation over the setting's runs; for a
    single run, the value with its 95 % bootstrap interval. In tables of AUC, a mark says whether the difference to the
    baseline setting is more than chance.

    Args:
        settings: settings with their runs.
        metric: the sweep's own metric.
        metrics: metrics of results.json.
        tests: comparisons with the baseline setting, for the marks.
    """
    names = list(settings[0].name)
    ranked = [
        [*setting.name.values(), str(len(setting.runs)), spread([run.metric for run in setting.runs], _unit(metric))]
        for setting in settings
    ]
    unit = ", in percent" if _unit(metric) == 100 else ""
    found = [SweepTable(f"{metric}{unit}", "", [*names, "runs"], [metric], ranked)]
    rows = [row for setting in settings for run in setting.runs for row in run.rows]
    kinds = dict.fromkeys((row["level"], row["score"]) for row in sorted(rows, key=place))
    return [*found, *(_table(settings, key, *kind, tests) for kind in kinds for key in metrics)]


def _table(settings: Sequence[Setting], key: str, level: str, score: str, tests: Tested | None) -> SweepTable:
    """The table of one metric at one level of one score."""
    kept = [
        [row for run in setting.runs for row in run.rows if (row["level"], row["score"]) == (level, score)]
        for setting in settings
    ]
    columns = list(dict.fromkeys(_column(row) for rows in kept for row in rows))
    names = list(settings[0].name)
    marked = tests if key == "auc" else None
    cells = []
    for number, (setting, rows) in enumerate(zip(settings, kept, strict=True)):
        texts = [_cell([row for row in rows if _column(row) == column], key) for column in columns]
        marks = [marked.mark((level, score), number, column) if marked else "" for column in columns]
        cells.append(
            [*setting.name.values(), *(f"{text} {mark}".strip() for text, mark in zip(texts, marks, strict=True))]
        )
    widths = [_width([row for rows in kept for row in rows if _column(row) == column], key) for column in columns]
    if any(width != NONE for width in widths):
        cells.append([INTERVAL, *[""] * (len(names) - 1), *widths])
    # A data set or compression that all columns share is in the title only.
    shared = [{column[part] for column in columns} if part != 1 else set() for part in range(3)]
    common = [next(iter(texts)) if len(texts) == 1 else "" for texts in shared]
    heads = [
        " ".join(text for text, same in zip(column, common, strict=True) if text and not same) for column in columns
    ]
    title = ", ".join([*filter(None, common), f"{level} level", f"{score} score"])
    return SweepTable(f"{key.upper()}, {title}, in percent", level, names, heads, cells, marked.note if marked else "")


def best_line(settings: Sequence[Setting], metric: str) -> str:
    """One line that names the best setting."""
    best = settings[0]
    if best.mean is None:
        return f"no run has the sweep's metric {metric}, so the settings are not sorted"
    named = " ".join(f"{name}={value}" for name, value in best.name.items())
    value = spread([run.metric for run in best.runs], _unit(metric))
    runs = f"{len(best.runs)} run{'s' if len(best.runs) > 1 else ''}"
    known = [run.metric for run in best.runs if run.metric is not None]
    reach = statistics.stdev(known) if len(known) > 1 else 0.0
    near = [other for other in settings[1:] if other.mean is not None and abs(other.mean - best.mean) <= reach]
    rest = f"; {len(near)} of the others within this spread" if near else ""
    return f"best of {len(settings)} by {metric}: {named}, {value} ({runs}){rest}"


def markdown_page(tables: Sequence[SweepTable], title: str, note: str = SPREAD) -> str:
    """The tables as Markdown, below a title and a note on what their cells hold."""
    blocks = [f"{title[0].upper()}{title[1:]}.\n\n{note}\n"]
    for table in tables:
        lines = [[*table.names, *table.columns], [*[":--"] * len(table.names), *["--:"] * len(table.columns)]]
        lines += map(markdown_cells, table.cells)
        blocks.append(f"**{table.title}**\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n")
        blocks += [f"{table.note}\n"] if table.note else []
    return "\n".join(blocks)


def print_tables(tables: Sequence[SweepTable], screen: Console) -> None:
    """Print the tables. Columns of numbers are never cut: a wide table is printed in several blocks."""
    for table in tables:
        first = len(table.names)
        labels = [", ".join(cell for cell in cells[:first] if cell) for cells in table.cells]
        label_width = min(max(map(len, [*labels, *table.names])), max(12, screen.width // 3))
        widths = [max(len(cells[first + n]) for cells in table.cells) for n in range(len(table.columns))]
        words = [max(map(len, head.split())) for head in table.columns]
        widths = [max(width, min(word, 18)) for width, word in zip(widths, words, strict=True)]
        title, start = table.title, 0
        while start < len(widths):
            # A column takes two characters more than its width: padding and the gap before it.
            end, room = start + 1, screen.width - label_width - 3 - (widths[start] + 2)
            while end < len(widths) and room >= widths[end] + 2:
                room -= widths[end] + 2
                end += 1
            drawn = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
            drawn.add_column(", ".join(table.names), width=label_width, overflow="fold")
            for column, width in zip(table.columns[start:end], widths[start:end], strict=True):
                drawn.add_column(Text(column), justify="right", width=width, overflow="fold")
            for label, cells in zip(labels, table.cells, strict=True):
                drawn.add_row(Text(label), *map(Text, cells[first + start : first + end]))
            screen.print(Text(title, "table.title"))
            screen.print(drawn)
            start = end
        if table.note:
            screen.print(Text(f"{table.note}\n"))


def spread(values: Sequence[float | None], unit: float = 100) -> str:
    """Mean and standard deviation of the values that are not None, in percent by default.

    >>> spread([0.7, 0.8]), spread([0.7, None]), spread([])
    ('75.0 ± 7.1', '70.0', '-')
    """
    known = [unit * value for value in values if value is not None]
    if not known:
        return NONE
    digits = 1 if unit == 100 else 4
    mean = f"{statistics.mean(known):.{digits}f}"
    return f"{mean} ± {statistics.stdev(known):.{digits}f}" if len(known) > 1 else mean


def _unit(metric: str) -> float:
    """Factor for tables: 100 for rates, which are shown in percent; 1 for losses and all others."""
    return 100 if any(part in METRICS for part in metric.split("/")) else 1


def _column(row: Row) -> Column:
    return row["dataset"], row["method"], row["compression"]


def _cell(rows: Sequence[Row], key: str) -> str:
    text = spread([row[key] for row in rows])
    if len(rows) != 1 or text == NONE or rows[0].get(f"{key}_low") is None:
        return text
    return f"{text} [{100 * rows[0][f'{key}_low']:.1f}, {100 * rows[0][f'{key}_high']:.1f}]"


def _width(rows: Sequence[Row], key: str) -> str:
    """Half the width of the intervals of single runs, as a median."""
    ends = [(row.get(f"{key}_low"), row.get(f"{key}_high")) for row in rows]
    halves = [50 * (high - low) for low, high in ends if low is not None and high is not None]
    return f"±{statistics.median(halves):.1f}" if halves else NONE
