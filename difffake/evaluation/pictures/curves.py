"""ROC and DET curves with bootstrap bands."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import ScaledTranslation
from scipy.special import ndtr, ndtri
from sklearn.metrics import det_curve, roc_curve

from difffake.evaluation.pictures.bands import GRID, LIMITS
from difffake.evaluation.pictures.score_sets import ScoreSet
from difffake.plots import WIDTH, in_percent, looks, tidy, wrapped

PER_PANEL = 4
"""Largest number of curves in one panel; more bands would hide each other."""
_DET_TICKS = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9)
_BELOW = 0.45  # inches from the axes to the legend: the labels of axis and ticks
_BELOW_UPRIGHT = 0.68  # the same with upright labels
_DOTTED = (0, (1, 3))


Panels = Sequence[tuple[str, Sequence[ScoreSet]]]
"""Title (it may be empty) and curves of each panel."""


def in_panels(sets: Sequence[ScoreSet]) -> Panels:
    """Panels without titles, with at most `PER_PANEL` curves each, about equally many in all."""
    count = -(-len(sets) // PER_PANEL)
    return [("", sets[len(sets) * n // count : len(sets) * (n + 1) // count]) for n in range(count)]


def roc_figure(panels: Panels, title: str) -> Figure:
    """Draw ROC curves with their AUC and 95 % bands, the lines of chance and of equal error rates.

    A dot is the threshold of the validation data. A panel with more than `PER_PANEL` curves has no bands.

    Args:
        panels: scores to draw.
        title: title of the figure.
    """
    figure, squares, characters = _squares(panels, _BELOW)
    for axes, (name, part) in zip(squares, panels, strict=True):
        axes.plot([0, 1], [0, 1], color="0.6", linewidth=0.8)
        axes.plot([0, 1], [1, 0], color="0.6", linewidth=0.8, linestyle=_DOTTED)
        for one, (color, style, _) in zip(part, _looks(panels, part), strict=True):
            false_positive, true_positive, _ = roc_curve(one.label, one.value)
            text = wrapped(one.described, characters)
            axes.plot(false_positive, true_positive, color=color, linestyle=style, linewidth=1.5, label=text)
            if one.band and len(part) <= PER_PANEL:
                _fill(axes, one.band.low, one.band.high, color, style)
            if one.threshold is not None:
                _dot(axes, *one.rates(one.threshold), color)
        axes.set(aspect="equal", xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
        _finish(axes, wrapped(name, characters), "fakes found (true-positive rate)", _BELOW)
    figure.suptitle(title, fontsize=11)
    return figure


def det_figure(panels: Panels, title: str) -> Figure:
    """Draw DET curves with 95 % bands: missed fakes over false alarms, both on normal-deviate axes.

    Arguments as in `roc_figure`. Rates below 0.08 % and above 93 % are outside the axes; a threshold's dot is then at
    their edge.
    """
    figure, squares, characters = _squares(panels, _BELOW_UPRIGHT)
    for axes, (name, part) in zip(squares, panels, strict=True):
        axes.plot(LIMITS, LIMITS, color="0.6", linewidth=0.8, linestyle=_DOTTED)
        for one, (color, style, _) in zip(part, _looks(panels, part), strict=True):
            false_positive, missed, _ = det_curve(one.label, one.value)
            text = wrapped(one.described, characters)
            axes.plot(false_positive, missed, color=color, linestyle=style, linewidth=1.5, label=text)
            if one.band and len(part) <= PER_PANEL:
                _fill(axes, 1 - one.band.high, 1 - one.band.low, color, style)
            if one.threshold is not None:
                alarms, found = one.rates(one.threshold)
                # A rate outside the axes is drawn at their edge.
                _dot(axes, float(np.clip(alarms, *LIMITS)), float(np.clip(1 - found, *LIMITS)), color)
        axes.set_xscale("function", functions=(_deviate, ndtr))
        axes.set_yscale("function", functions=(_deviate, ndtr))
        axes.set(xlim=LIMITS, ylim=LIMITS, xticks=_DET_TICKS, yticks=_DET_TICKS, aspect="equal")
        axes.minorticks_off()
        axes.grid(color="0.92")
        axes.tick_params(axis="x", labelrotation=90)
        _finish(axes, wrapped(name, characters), "fakes missed (false-negative rate)", _BELOW_UPRIGHT)
    figure.suptitle(title, fontsize=11)
    return figure


def roc_caption(of: str) -> str:
    """Caption of `roc_figure`; `of` describes the score, such as "the classifier score of one frame"."""
    return (
        f"ROC curves of {of}. Each point of a curve is one threshold: how many fakes it finds, and how many reals it "
        "calls fake. A curve nearer to the upper left corner is better; the gray diagonal is chance. Where a curve "
        "crosses the dotted line, both kinds of error are equally frequent (EER). A dot is the threshold that was "
        "chosen on validation data. The band is the 95 % bootstrap interval of the fakes found."
    )


def det_caption(of: str) -> str:
    """Caption of `det_figure`; `of` describes the score, such as "the classifier score of one frame"."""
    return (
        f"DET curves of {of}: the fakes that are missed at each rate of false alarms. The axes are stretched so that "
        "normally distributed scores give straight lines, and small rates can be read. A curve nearer to the lower "
        "left corner is better. On the dotted line, both kinds of error are equally frequent (EER). A dot is the "
        "threshold that was chosen on validation data; the band is the 95 % bootstrap interval."
    )


def _looks(panels: Panels, part: Sequence[ScoreSet]) -> list[tuple[str, str, str]]:
    """Looks of the curves of one panel; the same for all curves of one name if several panels have it."""
    names = [one.name for _, sets in panels for one in sets]
    distinct = list(dict.fromkeys(names))
    if len(distinct) == len(names):
        return list(looks(len(part)))
    every = dict(zip(distinct, looks(len(distinct)), strict=True))
    return [every[one.name] for one in part]


def _squares(panels: Panels, below: float) -> tuple[Figure, list[Axes], int]:
    """A figure with a square place for each panel and its legend; also the characters of a line of a legend.

    `below`: inches from the axes to the legend.
    """
    across = min(len(panels), 2)
    down = -(-len(panels) // across)
    characters = 60 if across == 1 else 44
    lines = max(sum(wrapped(one.described, characters).count("\n") + 1 for one in part) for _, part in panels)
    width = 5.2 if across == 1 else WIDTH
    # A square of the width that the labels leave; below it its labels and the legend, above it its title.
    side = width / across - (0.8 if across == 1 else 0.55)
    height = side + below + 0.17 * (lines + 1) + (0.1 if len(panels) == 1 and not panels[0][0] else 0.3)
    figure = Figure(figsize=(width, height * down + 0.4), layout="constrained")
    found = figure.subplots(down, across, squeeze=False).ravel().tolist()
    for axes in found[len(panels) :]:
        axes.remove()
    return figure, found[: len(panels)], characters


def _finish(axes: Axes, title: str, ylabel: str, below: float) -> None:
    """Labels, title, and the legend below the axes, where it covers no curve."""
    axes.set_title(title, fontsize=9)
    axes.set_xlabel("reals called fake (false-positive rate)", fontsize=7.5)
    axes.set_ylabel(ylabel, fontsize=7.5)
    for axis in (axes.xaxis, axes.yaxis):
        in_percent(axis)
    tidy(axes)
    figure = axes.figure
    assert isinstance(figure, Figure)  # not a part of another figure
    down = ScaledTranslation(0, -below, figure.dpi_scale_trans)
    axes.legend(
        title="AUC in percent [95 % interval]", loc="upper left", bbox_to_anchor=(-0.15, 0),
        bbox_transform=axes.transAxes + down, fontsize=8, title_fontsize=8, frameon=False, alignment="left",
        handlelength=2.8, borderaxespad=0,
    )  # fmt: skip


def _fill(axes: Axes, low: np.ndarray, high: np.ndarray, color: str, style: str) -> None:
    axes.fill_between(GRID, low, high, facecolor=(color, 0.13), edgecolor=(color, 0.5), linestyle=style, linewidth=0.6)


def _dot(axes: Axes, x: float, y: float, color: str) -> None:
    axes.plot(
        x, y, marker="o", markersize=5, color=color, markeredgecolor="black", markeredgewidth=0.7, linestyle="",
        clip_on=False, zorder=4,
    )  # fmt: skip


def _deviate(rate: np.ndarray) -> np.ndarray:
    """Normal deviate; rates of 0 and 1, which have none, are drawn beyond the limits of the axes."""
    return np.asarray(ndtri(np.clip(rate, 1e-5, 1 - 1e-5)))
