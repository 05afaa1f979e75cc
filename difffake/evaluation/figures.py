"""ROC curves and score histograms as PNG files."""

from itertools import cycle
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.metrics import roc_curve

from difffake import metrics
from difffake.evaluation.results import CLASSIFIER, LEVELS, at_level, comparisons
from difffake.plots import COLORS, in_percent, save_figure, two_class_panels, wrapped

STYLES = ("-", "--", "-.", ":")
_LEVELS = {
    "frame": ("the {} score of one frame or image", "frames"),
    "video": ("the mean {} score of a video", "videos"),
}
"""Description of one sample's score at each level, and the name of several samples."""


def write_figures(scores: pd.DataFrame, out_folder: Path) -> list[Path]:
    """Draw roc_<score>_<level>.png and scores_<score>_<level>.png for every score and level.

    All manipulations of a data set and compression are drawn together. A data set without both classes is left out.
    Each file has a caption (`difffake.plots.read_caption`).

    Args:
        scores: score table as in `difffake.evaluation.results`.
        out_folder: folder to write to.

    Returns:
        Paths of the figures.
    """
    paths = []
    for name in scores["score"].unique():
        for level in LEVELS:
            table = at_level(scores[scores["score"] == name], level)
            whole = _whole(table)
            if not whole:
                continue
            one, several = _LEVELS[level]
            of = one.format(name)
            title = f"{name} score, {level} level"
            figures = {
                "roc": (roc_figure(whole, title), roc_caption(of)),
                "scores": (histogram_figure(whole, title, several), histogram_caption(of, several)),
            }
            for kind, (figure, caption) in figures.items():
                path = out_folder / f"{kind}_{name}_{level}.png"
                save_figure(figure, path, caption)
                paths.append(path)
    return paths


def _whole(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The rows of each data set and compression with reals and fakes, all manipulations together, by printable name."""
    found: dict[str, pd.DataFrame] = {}
    for dataset, compression, _, rows in comparisons(table):
        # The first comparison of a data set and compression has all its manipulations.
        if rows["label"].nunique() == 2:
            found.setdefault(f"{dataset} {compression}".strip(), rows)
    return found


def roc_figure(whole: dict[str, pd.DataFrame], title: str) -> Figure:
    """Draw one ROC curve per data set, with its AUC, and the lines of chance and of equal error rates."""
    figure = Figure(figsize=(5.2, 5.15 + 0.2 * (len(whole) + 3)), layout="constrained")
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1, label="chance  50.0")
    axes.plot([0, 1], [1, 0], color="0.7", linewidth=1, linestyle=":", label="equal error rates")
    # Color and style both change from curve to curve, so that 28 curves look different.
    for (name, rows), color, style in zip(whole.items(), cycle(COLORS), cycle(STYLES), strict=False):
        label, value = _columns(rows)
        false_positive, true_positive, _ = roc_curve(label, value)
        text = f"{wrapped(name, 50)}  {100 * metrics.auc(label, value):.1f}"
        axes.plot(false_positive, true_positive, color=color, linestyle=style, linewidth=1.8, label=text)
    axes.set(xlabel="reals called fake (false-positive rate)", ylabel="fakes found (true-positive rate)")
    axes.set(title=f"ROC curves: {title}", aspect="equal", xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    for axis in (axes.xaxis, axes.yaxis):
        in_percent(axis)
    axes.spines[["top", "right"]].set_visible(False)
    # The legend is below the axes, where it covers no curve.
    figure.legend(
        title="AUC in percent", loc="outside lower center", fontsize=9, title_fontsize=9, frameon=False,
        alignment="left",
    )  # fmt: skip
    return figure


def roc_caption(of: str) -> str:
    """Caption of `roc_figure`; `of` describes the score, such as "the classifier score of one frame"."""
    return (
        f"ROC curves of {of}, one for each data set. Each point of a curve is one threshold: how many fakes it finds, "
        "and how many reals it calls fake. A curve nearer to the upper left corner is better; the gray diagonal is "
        "chance. Where a curve crosses the dotted line, both kinds of error are equally frequent (EER)."
    )


def histogram_figure(whole: dict[str, pd.DataFrame], title: str, units: str) -> Figure:
    """Draw histograms of real and fake scores, one panel per data set; logits are converted to probabilities.

    Args:
        whole: rows of each data set by name.
        title: title of the figure.
        units: name of the samples, such as "frames".
    """
    columns = {name: _columns(rows) for name, rows in whole.items()}
    if all((rows["score"] == CLASSIFIER).all() for rows in whole.values()):
        columns = {name: (label, expit(value)) for name, (label, value) in columns.items()}
        return two_class_panels(columns, title, "probability of fake", units, (0.0, 1.0))
    return two_class_panels(columns, title, "score, higher = more fake", units)


def histogram_caption(of: str, units: str) -> str:
    """Caption of `histogram_figure`; `of` describes the score, such as "the classifier score of one frame"."""
    return (
        f"Distribution of {of} over the real {units} (solid line) and the fake ones (dashed line) of each data set. "
        f"The bars of one class add up to 100 %, so classes of unequal size (n {units}) can be compared. The less the "
        "two overlap, the better they are separated. Scores beyond the axis are in the outermost bins."
    )


def _columns(rows: pd.DataFrame) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    return rows["label"].to_numpy(np.int64), rows["value"].to_numpy(np.float64)
