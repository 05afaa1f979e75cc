"""Logged values and results of a sweep's runs, read from their folders."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from difffake.errors import UserError
from difffake.evaluation.results import ALL, LEVELS, RESULTS, Row, read_results
from difffake.progress import console
from difffake.swept import SEEDS, Values, text_of, varied_names

METRICS = ("auc", "eer", "ap", "acc")
"""Metrics of results.json that tables show."""


@dataclass(frozen=True)
class RunResult:
    """A finished run: its parameters, its folder, the rows of its results.json, and the sweep's metric or None."""

    values: Values
    folder: Path
    rows: list[Row]
    metric: float | None


@dataclass(frozen=True)
class Setting:
    """Runs that differ only in their seeds.

    `name` has the text of each varied parameter except seeds. `mean` is the mean of the sweep's metric over the runs,
    None if no run has the metric.
    """

    name: dict[str, str]
    runs: list[RunResult]
    mean: float | None


def read_run_result(values: Values, folder: Path, metric: str, goal: str) -> RunResult:
    """Read a run's results and its metric from its folder. Broken files are reported and left out."""
    rows = []
    for path in sorted(folder.rglob(RESULTS)):
        try:
            rows += read_results(path.parent).rows
        except UserError as error:
            console.print(f"left out of the table: {error}")
    measured = metric.partition("/")[0] in METRICS
    return RunResult(values, folder, rows, _of_rows(rows, metric) if measured else _logged(folder, metric, goal))


def settings_of(results: Sequence[RunResult], goal: str) -> list[Setting]:
    """Group runs by setting: the best setting by the sweep's metric first, settings without the metric last."""
    varied = [name for name in varied_names([result.values for result in results]) if name not in SEEDS]
    groups: dict[tuple[str, ...], list[RunResult]] = {}
    for result in results:
        groups.setdefault(tuple(text_of(name, result.values.get(name)) for name in varied), []).append(result)
    found = []
    for key, runs in groups.items():
        values = [run.metric for run in runs if run.metric is not None]
        name = dict(zip(varied, key, strict=True)) or {"setting": "all runs"}
        found.append(Setting(name, runs, statistics.mean(values) if values else None))
    sign = -1 if goal == "maximize" else 1
    return sorted(found, key=lambda setting: math.inf if setting.mean is None else sign * setting.mean)


def row_name(row: Row) -> str:
    """Name of a row of results.json in runs.csv, and in a sweep's metric after the metric's own name.

    >>> row_name({"dataset": "a", "method": "swap", "compression": "", "level": "video", "score": "anomaly"})
    'a/swap/video/anomaly'
    """
    return "/".join(row[key] for key in ("dataset", "method", "compression", "level", "score") if row[key])


def _logged(folder: Path, metric: str, goal: str) -> float | None:
    """The best value of a metric in a run's metrics.csv."""
    best = None
    for log in sorted(folder.rglob("metrics.csv")):
        try:
            if metric in (table := pd.read_csv(log)).columns:
                best = float(table[metric].min() if goal == "minimize" else table[metric].max())
        except (ValueError, TypeError) as error:
            console.print(f"{log} is broken ({error}) and left out of the table: repeat the run")
    return best


def _of_rows(rows: Sequence[Row], metric: str) -> float | None:
    """A metric of results.json: that of one row, or for METRIC/LEVEL/SCORE the mean over data sets (all fakes)."""
    key, _, name = metric.partition("/")
    level, _, score = name.partition("/")
    if level not in LEVELS:
        chosen = [row for row in rows if row_name(row) == name]
    else:
        alike = [row for row in rows if row["level"] == level and row["score"] == score]
        several = {(row["dataset"], row["compression"]) for row in alike if row["method"] == ALL}
        # A data set with one manipulation has no row with the method "all".
        chosen = [row for row in alike if (row["method"] == ALL) == ((row["dataset"], row["compression"]) in several)]
    values = [float(row[key]) for row in chosen if row[key] is not None]
    return statistics.mean(values) if values else None
