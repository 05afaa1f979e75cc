"""The picture of a robustness study: AUC over the strength of each degradation."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from difffake.evaluation.results import Row
from difffake.plots import WIDTH, in_percent, looks, tidy, wrapped

_ACROSS = 4
_APART = 0.09
"""Distance of the points of two data sets, so that their intervals do not cover each other."""


def robustness_figure(rows: Sequence[Row], title: str) -> Figure:
    """Draw a panel for each kind of degradation, with a line for each data set.

    Args:
        rows: rows of robustness.json with one score and level.
        title: title of the figure.
    """
    names = list(dict.fromkeys(map(_name, rows)))
    titles = {row["kind"]: row["title"] for row in rows if row["strength"]}
    across = min(len(titles), _ACROSS)
    down = -(-len(titles) // across)
    figure = Figure(figsize=(WIDTH, 2.0 * down + 0.6 + 0.2 * -(-len(names) // 2)), layout="constrained")
    panels = figure.subplots(down, across, squeeze=False, sharey=True).ravel().tolist()
    for axes in panels[len(titles) :]:
        axes.set_visible(False)
    for axes, (kind, name) in zip(panels, titles.items(), strict=False):
        _panel(axes, [row for row in rows if row["kind"] == kind or not row["strength"]], names)
        axes.set_title(name, fontsize=10)
    in_percent(panels[0].yaxis)
    figure.suptitle(title, fontsize=11)
    figure.supylabel("AUC", fontsize=9)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), 3), fontsize=9, frameon=False)
    return figure


def robustness_caption(of: str) -> str:
    """Caption of `robustness_figure`; `of` describes the score, such as "the classifier score of one frame"."""
    return (
        f"AUC of {of} after degradations of the pictures, weakest on the left; the first point is that of the "
        "unchanged pictures. Bars are 95 % bootstrap intervals. All points of a line are of the same faces, so the "
        "course of a line is surer than its bars. At 50 %, real and fake are not told apart any more."
    )


def _panel(axes: Axes, rows: Sequence[Row], names: Sequence[str]) -> None:
    axes.axhline(0.5, color="0.7", linewidth=1, label="chance")
    for number, (name, (color, style, marker)) in enumerate(zip(names, looks(len(names)), strict=True)):
        line = sorted((row for row in rows if _name(row) == name), key=lambda row: row["strength"])
        if not line:
            continue
        place = np.array([row["strength"] for row in line]) + _APART * (number - (len(names) - 1) / 2)
        auc, low, high = (np.array([row[key] for row in line], dtype=float) for key in ("auc", "auc_low", "auc_high"))
        reach = np.nan_to_num([np.maximum(auc - low, 0), np.maximum(high - auc, 0)])
        axes.errorbar(
            place, auc, reach, color=color, linestyle=style, marker=marker, markersize=4, linewidth=1.5,
            elinewidth=0.8, capsize=2, label=wrapped(name, 40),
        )  # fmt: skip
    degraded = {row["strength"]: row for row in rows if row["strength"]}
    first = next(iter(degraded.values()))
    axes.set_xticks([0, *degraded], ["none", *(f"{row['value']:g}" for row in degraded.values())])
    unit = f" ({first['unit']})" if first["unit"] else ""
    axes.set_xlabel(wrapped(first["parameter"] + unit, 24), fontsize=8)
    tidy(axes)
    axes.tick_params(axis="x", labelsize=7)


def _name(row: Row) -> str:
    return f"{row['dataset']} {row['compression']}".strip()
