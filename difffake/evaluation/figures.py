"""ROC curves and score histograms as PNG files."""

from itertools import cycle
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.metrics import roc_curve

from difffake import metrics
from difffake.evaluation.results import CLASSIFIER, LEVELS, at_level, comparisons
from difffake.files import staged_file

# Okabe & Ito's palette (2008), told apart with any colour vision; its yellow is too pale for lines on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
STYLES = ("-", "--", "-.", ":")
REAL_COLOUR, FAKE_COLOUR = "#0072B2", "#D55E00"
PANELS_ACROSS = 3
FEW = 200
"""At fewer samples than this of either class the histograms have wider bins."""


def write_figures(scores: pd.DataFrame, out_folder: Path) -> list[Path]:
    """Draw roc_<score>_<level>.png and scores_<score>_<level>.png for every score and level; return their paths.

    `scores` is a score table as in `difffake.evaluation.results`. All manipulations of a data set and compression are
    drawn as one; a data set without both classes has no curve.
    """
    paths = []
    for name in scores["score"].unique():
        for level in LEVELS:
            table = at_level(scores[scores["score"] == name], level)
            whole = _whole(table)
            if not whole:
                continue
            for kind, draw in (("roc", roc_figure), ("scores", histogram_figure)):
                path = out_folder / f"{kind}_{name}_{level}.png"
                save_figure(draw(whole, f"{name} score, {level} level"), path)
                paths.append(path)
    return paths


def _whole(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Each data set and compression that has reals and fakes, with all its manipulations, by a name to print."""
    found: dict[str, pd.DataFrame] = {}
    for dataset, compression, _, rows in comparisons(table):
        # The first comparison of a data set and compression is the whole of it.
        if rows["label"].nunique() == 2:
            found.setdefault(f"{dataset} {compression}".strip(), rows)
    return found


def roc_figure(whole: dict[str, pd.DataFrame], title: str) -> Figure:
    """ROC curves, one for each data set, with its AUC; the diagonal of equal error rates is drawn too."""
    figure = Figure(figsize=(5.2, 5.2), layout="constrained")
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color="0.8", linewidth=1)
    axes.plot([0, 1], [1, 0], color="0.8", linewidth=1, linestyle=":")
    # Colours and styles change together, so that no two of 28 curves look the same and no two neighbours share either.
    for (name, rows), colour, style in zip(whole.items(), cycle(COLOURS), cycle(STYLES), strict=False):
        label, value = _columns(rows)
        false_positive, true_positive, _ = roc_curve(label, value)
        text = f"{_short(name, 28)}  {100 * metrics.auc(label, value):.1f}"
        axes.plot(false_positive, true_positive, color=colour, linestyle=style, linewidth=1.8, label=text)
    axes.set(xlabel="reals called fake (FPR)", ylabel="fakes found (TPR)", title=title, aspect="equal")
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(title="AUC in percent", loc="lower right", fontsize=8, title_fontsize=8, framealpha=0.9)
    return figure


def histogram_figure(whole: dict[str, pd.DataFrame], title: str, xlabel: str = "score, higher = more fake") -> Figure:
    """Densities of real and fake scores, one panel for each data set; a classifier's logits become probabilities.

    The outer half percent of the scores on either side is counted in the outermost bins. `xlabel` is not used for
    probabilities.
    """
    across = min(len(whole), 2 if len(whole) == 4 else PANELS_ACROSS)
    down = -(-len(whole) // across)
    figure = Figure(figsize=(max(3.4 * across, 4.2), 2.3 * down + 0.9), layout="constrained")
    panels = figure.subplots(down, across, squeeze=False).ravel()
    for axes in panels[len(whole) :]:
        axes.set_visible(False)
    for axes, (name, rows) in zip(panels, whole.items(), strict=False):
        label, value = _columns(rows)
        classifier = (rows["score"] == CLASSIFIER).all()
        if classifier:
            value = expit(value)
        low, high = (0.0, 1.0) if classifier else _limits(value)
        smaller = min(np.unique(label, return_counts=True)[1])
        bins = np.linspace(low, high, 13 if smaller < FEW else 31)
        for wanted, colour, text in ((0, REAL_COLOUR, "real"), (1, FAKE_COLOUR, "fake")):
            inside = np.clip(value[label == wanted], low, high)
            if not len(inside):
                continue
            axes.hist(inside, bins, density=True, histtype="stepfilled", color=colour, alpha=0.25)
            axes.hist(
                inside, bins, density=True, histtype="step", color=colour, linewidth=1.5,
                linestyle="--" if wanted else "-", label=f"{text} ({len(inside)})",
            )  # fmt: skip
        axes.set_title(_short(name, 34), fontsize=9)
        axes.set_yticks([])
        axes.set_ylim(top=1.3 * axes.get_ylim()[1])  # room for the legend
        axes.tick_params(labelsize=8)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.legend(fontsize=7, frameon=False)
    figure.suptitle(title, fontsize=11)
    figure.supxlabel("probability of fake" if classifier else xlabel, fontsize=9)
    return figure


def _columns(rows: pd.DataFrame) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    return rows["label"].to_numpy(np.int64), rows["value"].to_numpy(np.float64)


def _limits(value: NDArray[np.float64]) -> tuple[float, float]:
    low, high = (float(limit) for limit in np.quantile(value, (0.005, 0.995)))
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _short(name: str, length: int) -> str:
    return name if len(name) <= length else name[: length - 1] + "…"


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure to a PNG file, whole or not at all."""
    FigureCanvasAgg(figure)
    with staged_file(path) as partial:
        figure.savefig(partial, dpi=150)
