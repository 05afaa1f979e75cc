"""Heat maps over several runs: trained on one manipulation, tested on others; runs over data sets."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from difffake.data.trained_on import PSEUDO
from difffake.evaluation.results import ALL, CLASSIFIER, Row
from difffake.metrics import percent
from difffake.plots import save_figure, wrapped
from difffake.readers.item import REAL

MANIPULATIONS = (
    "AUC in percent of detectors that were trained on the manipulations at the left, tested on those at the top. A "
    "frame marks manipulations that a detector was trained on. The last column is the mean over the others: how well "
    "a detector recognizes forgeries that it has not seen."
)
DATA_SETS = (
    "AUC in percent of each run (left) on each data set (top), all manipulations together. The last column is the mean "
    "over the data sets that all runs were tested on."
)
Table = Mapping[str, Mapping[str, float]]
"""AUC in [0, 1] by name of the row and name of the column; what was not measured is absent."""
_MEAN = "mean"


def write_heat_maps(runs: Mapping[str, tuple[Sequence[Row], Sequence[Mapping[str, Any]]]], folder: Path) -> list[Path]:
    """Write heat maps of several runs, as far as there is something to compare.

    - data_sets_by_run: if there are several data sets.
    - manipulations_by_run: if the runs were trained on different manipulations of a manifest.

    They show videos, and frames if not every run has results of videos; the classifier, or the first score that all
    runs have.

    Args:
        runs: rows of results.json, and counts of the training data (`difffake.data.trained_on`), of each run by name.
        folder: folder to write to.

    Returns:
        Paths of the PNG files.
    """
    every = [[row for row in rows if row["auc"] is not None] for rows, _ in runs.values()]
    if len(runs) < 2 or not (shared := set.intersection(*({row["score"] for row in rows} for rows in every))):
        return []
    score = CLASSIFIER if CLASSIFIER in shared else min(shared)
    videos = all(any((row["level"], row["score"]) == ("video", score) for row in rows) for rows in every)
    level = "video" if videos else "frame"
    results = {name: rows for name, (rows, _) in runs.items()}
    trained = {name: _methods(counts) for name, (_, counts) in runs.items()}
    paths = []
    if len({column for rows in results.values() for column in _by(rows, level, score, "dataset")}) > 1:
        paths.append(folder / "data_sets_by_run.png")
        save_figure(cross_dataset_figure(results, level, score), paths[-1], DATA_SETS)
    if len({tuple(methods) for methods in trained.values() if methods}) > 1:
        paths.append(folder / "manipulations_by_run.png")
        save_figure(cross_manipulation_figure(results, trained, level, score), paths[-1], MANIPULATIONS)
    return paths


def _methods(counts: Sequence[Mapping[str, Any]]) -> list[str]:
    """Manipulations of the training split, without pseudo-deepfakes."""
    names = {str(entry["method"]) for entry in counts if entry["split"] == "train"}
    return sorted(names - {REAL, PSEUDO})


def cross_manipulation_figure(
    runs: Mapping[str, Sequence[Row]], trained_on: Mapping[str, Sequence[str]], level: str, score: str
) -> Figure:
    """Draw the AUC of runs on each manipulation, with the mean over the manipulations that a run has not seen.

    Args:
        runs: rows of results.json of each run by its name.
        trained_on: manipulations that each run was trained on, by its name.
        level: frame or video.
        score: name of the score.
    """
    table = {name: _by(rows, level, score, "method") for name, rows in runs.items()}
    known = {}
    for name, own in table.items():
        seen = {method.replace("_", "-") for method in trained_on.get(name, ())}
        known[name] = {column for column in own if column.split(" ")[-1] in seen}
    means = {name: [value for column, value in own.items() if column not in known[name]] for name, own in table.items()}
    return _figure(
        table,
        {name: float(np.mean(values)) for name, values in means.items() if values},
        f"trained on (rows), tested on (columns): {score} score, {level} level",
        "mean of unseen",
        known,
    )


def cross_dataset_figure(runs: Mapping[str, Sequence[Row]], level: str, score: str) -> Figure:
    """Draw the AUC of runs on each data set and compression, all manipulations together.

    Arguments as in `cross_manipulation_figure`.
    """
    table = {name: _by(rows, level, score, "dataset") for name, rows in runs.items()}
    shared = set.intersection(*(set(own) for own in table.values())) if table else set()
    means = {name: float(np.mean([own[column] for column in shared])) for name, own in table.items() if shared}
    return _figure(
        table, means, f"runs (rows) and data sets (columns): {score} score, {level} level", "mean of shared", {}
    )


def _by(rows: Sequence[Row], level: str, score: str, what: str) -> dict[str, float]:
    """AUC by manipulation or by data set, of the rows that have one."""
    found: dict[str, float] = {}
    several = {key: len({row[key] for row in rows if row["n_fake"]}) > 1 for key in ("dataset", "compression")}
    for row in rows:
        if (row["level"], row["score"]) != (level, score) or row["auc"] is None or np.isnan(row["auc"]):
            continue
        if what == "method" and row["method"] not in (ALL, REAL):
            # The manipulation is the last word.
            words = [row[key] for key, shown in several.items() if shown] + [row["method"].replace("_", "-")]
            name = " ".join(word for word in words if word)
            found[name] = row["auc"]
        elif what == "dataset":
            # The first row of a data set and compression has all its manipulations.
            found.setdefault(f"{row['dataset']} {row['compression']}".strip(), row["auc"])
    return found


def _figure(table: Table, means: Mapping[str, float], title: str, mean: str, framed: Mapping[str, set[str]]) -> Figure:
    columns = list(dict.fromkeys(column for own in table.values() for column in own))
    values = np.array([[own.get(column, np.nan) for column in columns] for own in table.values()])
    if means:
        values = np.column_stack([values, [means.get(name, np.nan) for name in table]])
    names = columns + ([mean] if means else [])
    labels = [wrapped(name, 34) for name in table]
    left = 0.07 * max(len(line) for label in labels for line in label.split("\n")) + 0.3
    top = 0.052 * max(map(len, names))  # the names are oblique
    width = max(4.6, left + 0.6 * len(names) + top + 0.6)
    figure = Figure(figsize=(width, 0.42 * len(table) + top + 0.9), layout="constrained")
    axes = figure.add_subplot()
    picture = axes.imshow(100 * values, cmap="YlGnBu", vmin=50, vmax=100, aspect="auto")
    for row in range(values.shape[0]):
        for column in range(values.shape[1]):
            value = values[row, column]
            axes.text(
                column, row, percent(value), ha="center", va="center", fontsize=8,
                color="white" if value > 0.8 else "black", fontweight="bold" if column >= len(columns) else "normal",
            )  # fmt: skip
    for row, name in enumerate(table):
        for column, tested in enumerate(columns):
            if tested in framed.get(name, ()):
                axes.add_patch(
                    Rectangle((column - 0.46, row - 0.44), 0.92, 0.88, fill=False, edgecolor="black", lw=1.5)
                )
    if means:
        axes.axvline(len(columns) - 0.5, color="white", linewidth=3)
    axes.set_xticks(range(len(names)), names, fontsize=8, rotation=45, ha="left", rotation_mode="anchor")
    axes.set_yticks(range(len(labels)), labels, fontsize=8)
    axes.tick_params(length=0, top=False, labeltop=True, bottom=False, labelbottom=False)
    axes.spines[:].set_visible(False)
    bar = figure.colorbar(picture, ax=axes, extend="min", shrink=0.9, aspect=12)
    bar.set_label("AUC in percent", fontsize=8)
    bar.ax.tick_params(labelsize=8)
    figure.suptitle(wrapped(title, round(13 * width)), fontsize=10)
    return figure
