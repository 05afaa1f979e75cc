"""One table of a sweep: means and standard deviations over seeds."""

import json
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table

from difffake.errors import UserError
from difffake.evaluation.results import RESULTS, read_results
from difffake.files import staged_file
from difffake.progress import console
from difffake.sweeps.sweep_file import Values

SEEDS = ("seed_everything", "anomaly.seed")
"""Parameters that only repeat a setting."""
_METRIC, _VALUE = 24, 13
"""Least width of a metric's name, and width of a mean with its deviation, in characters."""


def run_metrics(folder: Path, metric: str, goal: str = "maximize") -> dict[str, float]:
    """Best `metric` of the log, and AUC by data set, manipulation, level and score; AUC and EER in percent."""
    found = {}
    for log in sorted(folder.rglob("metrics.csv")):
        try:
            if metric in (table := pd.read_csv(log)).columns:
                best = float(table[metric].min() if goal == "minimize" else table[metric].max())
                found[metric] = best * (100 if metric.endswith(("auc", "eer")) else 1)
        except (ValueError, TypeError) as error:
            console.print(f"{log} is left out of the table, it is broken ({error}): run it again")
    for path in sorted(folder.rglob(RESULTS)):
        try:
            rows = read_results(path.parent)[0]
        except UserError as error:
            console.print(f"left out of the table: {error}")
            continue
        for row in rows:
            if row["auc"] is not None:
                name = " ".join(part for part in (row["dataset"], row["method"], row["compression"]) if part)
                found[f"{name}, {row['level']}, {row['score']}"] = 100 * float(row["auc"])
    return found


def write_summary(out: Path, runs: Sequence[tuple[Values, Path]], metric: str, goal: str) -> list[list[str]]:
    """Write runs.csv, a line a run, and summary.md, a line for each setting; gives the cells of the latter."""
    metrics = [run_metrics(folder, metric, goal) for _, folder in runs]
    lines = [
        {"run": folder.name, **{name: _text(value) for name, value in values.items()}, **found}
        for (values, folder), found in zip(runs, metrics, strict=True)
    ]
    with staged_file(out / "runs.csv") as partial:
        pd.DataFrame(lines).to_csv(partial, index=False)
    varied = [name for name in _names(values for values, _ in runs) if name not in SEEDS]
    varied = [name for name in varied if len({_text(values.get(name)) for values, _ in runs}) > 1]
    groups: dict[tuple[str, ...], list[dict[str, float]]] = {}
    for (values, _), found in zip(runs, metrics, strict=True):
        groups.setdefault(tuple(_text(values.get(name)) for name in varied), []).append(found)
    columns = _names(metrics)
    if metrics and metric not in columns:
        console.print(f"no run has logged {metric}, the sweep's metric")
    cells = [[*varied, "runs", *columns]]
    for key, seeds in groups.items():
        spreads = [_spread([found[column] for found in seeds if column in found]) for column in columns]
        cells.append([*key, str(len(seeds)), *spreads])
    with staged_file(out / "summary.md") as partial:
        partial.write_text(_markdown(cells))
    return cells


def print_summary(cells: list[list[str]], screen: Console) -> None:
    """A line a metric, a column a numbered setting, in as many blocks as the terminal needs."""
    head, *settings = cells
    first = head.index("runs")
    for number, line in enumerate(settings, 1):
        named = [f"{name}={value}" for name, value in zip(head[:first], line[:first], strict=True)]
        screen.print(f"{number}: {' '.join([*named, f'({line[first]} runs)'])}", markup=False, highlight=False)
    columns = max(1, (screen.width - _METRIC - 4) // _VALUE)
    for start in range(0, len(settings), columns):
        block = settings[start : start + columns]
        table = Table(box=box.SIMPLE_HEAD, header_style="bold", padding=(0, 1, 0, 0))
        table.add_column("", min_width=_METRIC)
        for number in range(start + 1, start + len(block) + 1):
            table.add_column(str(number), justify="right", no_wrap=True)
        for row, name in enumerate(head[first + 1 :], first + 1):
            table.add_row(name, *(line[row] for line in block))
        screen.print(table)


def _names(dictionaries: Iterable[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(name for dictionary in dictionaries for name in dictionary))


def _spread(values: list[float]) -> str:
    if not values:
        return "-"
    digits = 1 if max(map(abs, values)) >= 10 else 4
    mean = f"{statistics.mean(values):.{digits}f}"
    return f"{mean} ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else mean


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _markdown(cells: list[list[str]]) -> str:
    escaped = [[cell.replace("|", "\\|") for cell in line] for line in cells]
    lines = [f"| {' | '.join(line)} |" for line in escaped]
    return "\n".join([lines[0], f"| {' | '.join('--' for _ in cells[0])} |", *lines[1:]]) + "\n"
