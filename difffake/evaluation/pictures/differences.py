"""Forest plot of AUC differences with their intervals."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from difffake.evaluation.comparison_tables import by_baseline, comparison_tables, difference_text, p_text, units_of
from difffake.evaluation.differences import verdict
from difffake.evaluation.results import ALL, Row
from difffake.plots import COLORS, wrapped

_LABEL = 34
"""Largest width of a label in characters."""


def difference_figure(rows: Sequence[Row]) -> Figure:
    """Draw each difference to its baseline as a point with its 95 % interval, one panel per level and baseline.

    A filled point is a difference that is more than chance after Holm's correction, an open one is not. Beside it are
    the numbers.

    Args:
        rows: rows of compare.json (`difffake.evaluation.differences`).
    """
    panels = by_baseline(rows)
    labels = [[wrapped(_label(row, found), _LABEL) for row in found] for found in panels]
    heights = [0.2 + sum(0.27 + 0.14 * label.count("\n") for label in found) for found in labels]
    figure = Figure(figsize=(8.2, sum(heights) + 0.75 * len(panels) + 0.3), layout="constrained")
    drawn = figure.subplots(len(panels), 1, squeeze=False, sharex=True, height_ratios=heights)[:, 0]
    titles = [table.title for table in comparison_tables(rows)]
    for axes, found, names, title in zip(drawn, panels, labels, titles, strict=True):
        axes.axvline(0, color="0.5", linewidth=1)
        for place, row in enumerate(found):
            if row["low"] is not None and row["low"] == row["low"]:  # neither null nor NaN
                axes.plot([100 * row["low"], 100 * row["high"]], [place, place], color=COLORS[0], linewidth=1.6)
            face = COLORS[0] if verdict(row) else "white"
            axes.plot(100 * row["difference"], place, "o", color=COLORS[0], markerfacecolor=face, markersize=6)
        numbers = axes.secondary_yaxis("right")
        texts = [f"{difference_text(row)}   p Holm {p_text(row['p_holm'])}" for row in found]
        numbers.set_yticks(range(len(found)), texts, fontsize=8)
        numbers.tick_params(length=0)
        numbers.spines["right"].set_visible(False)
        axes.set_yticks(range(len(found)), names, fontsize=8)
        axes.set_ylim(len(found) - 0.5, -0.6)  # the first at the top
        axes.set_title(wrapped(title, 90), fontsize=10, loc="left")
        axes.tick_params(labelsize=8)
        axes.tick_params(axis="x", labelbottom=True)
        axes.tick_params(axis="y", length=0)
        axes.spines[["top", "right", "left"]].set_visible(False)
    drawn[-1].set_xlabel("AUC minus AUC of the baseline, in points", fontsize=9)
    return figure


def differences_caption(rows: Sequence[Row], together: str = "all comparisons made") -> str:
    """Caption of `difference_figure`; `together` says which p-values were corrected for one another."""
    return (
        "Difference of AUC between each score and its baseline on the samples that both scored, in points, with 95 % "
        f"intervals from a paired bootstrap by {units_of(rows)}. Right of 0 is better than the baseline. Filled points "
        f"are differences that are more than chance (p below 0.05 after Holm's correction for {together}); "
        "open points are not."
    )


def _label(row: Row, panel: Sequence[Row]) -> str:
    """Name of a row: of its run, score, data set and manipulation, each only if it differs within the panel."""
    shown = [
        key for key in ("run", "score", "dataset", "compression", "method") if len({one[key] for one in panel}) > 1
    ]
    shown = [key for key in shown if key != "run" or row["run"] != row["baseline"]]
    if not shown:
        shown = ["score" if row["run"] == row["baseline"] else "run"]
    words = [("all fakes" if key == "method" and row[key] == ALL else str(row[key])) for key in shown]
    return ", ".join(word for word in words if word)
