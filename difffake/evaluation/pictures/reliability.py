"""Reliability diagrams: how often a face with a probability of p is a fake."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray
from scipy.stats import beta

from difffake.metrics import ECE_BINS, calibration_bin, ece
from difffake.plots import WIDTH, in_percent, legend_above, looks, tidy, wrapped

CAPTION = (
    f"Reliability of the classifier's probabilities. Faces are grouped by their probability of a fake, in {ECE_BINS} "
    "equally wide bins; a "
    "point is the share of fakes in a bin, the bar its 95 % interval (Clopper and Pearson, samples taken as "
    "independent). On the gray diagonal, probabilities are right; below it, they are too high. ECE is the mean "
    "distance from the diagonal, weighted by the number of samples, which the lower panels show. It also depends on "
    "the share of fakes in a data set."
)
Probabilities = tuple[ArrayLike, ArrayLike]
"""Labels (N,) and probabilities of a fake (N,)."""


class Reliability(NamedTuple):
    """The bins of a reliability diagram that have samples; the same as those of `difffake.metrics.ece`."""

    bin: NDArray[np.intp]
    """(B,), number of each bin."""
    probability: NDArray[np.float64]
    """(B,), mean probability of the samples of each bin."""
    share: NDArray[np.float64]
    """(B,), share of fakes in each bin."""
    samples: NDArray[np.int64]
    """(B,), number of samples in each bin."""
    error: float
    """Expected calibration error."""


def reliability(label: ArrayLike, probability: ArrayLike) -> Reliability:
    """Group samples, labels (N,) and probabilities of a fake (N,), into bins."""
    labels, values = np.asarray(label, np.float64), np.asarray(probability, np.float64)
    which = calibration_bin(values)
    samples = np.bincount(which, minlength=ECE_BINS)
    there = np.flatnonzero(samples)
    mean, share = (
        np.bincount(which, weights=of, minlength=ECE_BINS)[there] / samples[there] for of in (values, labels)
    )
    return Reliability(there, mean, share, samples[there], ece(label, probability))


def reliability_figure(sets: Mapping[str, Mapping[str, Probabilities]], title: str) -> Figure:
    """Draw a reliability diagram per data set, with the number of samples of each bin below it.

    Args:
        sets: for each data set by name, the labels and probabilities of each kind by name, such as "as trained" and
            "calibrated". All data sets have the same kinds.
        title: title of the figure.
    """
    across = min(len(sets), 3)
    down = -(-len(sets) // across)
    kinds = list(dict.fromkeys(kind for found in sets.values() for kind in found))
    figure = Figure(figsize=(max(4.0, WIDTH * across / 3), 3.2 * down + 0.6), layout="constrained")
    panels = figure.subplots(2 * down, across, squeeze=False, height_ratios=[3, 1] * down)
    for place in range(down * across):
        upper, lower = (panels[2 * (place // across) + half, place % across] for half in (0, 1))
        if place >= len(sets):
            upper.remove()
            lower.remove()
            continue
        name, found = list(sets.items())[place]
        _fill(upper, lower, {kind: reliability(*found[kind]) for kind in kinds if kind in found})
        upper.set_title(wrapped(name, 30), fontsize=9, pad=6 + 14 * len(found))
        if place % across == 0:
            upper.set_ylabel("share of fakes", fontsize=8)
            lower.set_ylabel("samples", fontsize=8)
    figure.suptitle(title, fontsize=11)
    figure.supxlabel("probability of a fake", fontsize=9)
    return figure


def _fill(upper: Axes, lower: Axes, found: Mapping[str, Reliability]) -> None:
    upper.plot([0, 1], [0, 1], color="0.6", linewidth=0.8)
    width = 0.8 / ECE_BINS / len(found)
    for number, ((kind, bins), (color, style, marker)) in enumerate(zip(found.items(), looks(len(found)), strict=True)):
        fakes = bins.share * bins.samples
        low = np.nan_to_num(beta.ppf(0.025, fakes, bins.samples - fakes + 1), nan=0.0)
        high = np.nan_to_num(beta.ppf(0.975, fakes + 1, bins.samples - fakes), nan=1.0)
        # Rounding may put a limit beyond the point itself.
        bars = np.maximum([bins.share - low, high - bins.share], 0)
        upper.errorbar(
            bins.probability, bins.share, bars, color=color, linestyle=style, marker=marker, markersize=4,
            linewidth=1.2, elinewidth=0.8, capsize=2, label=f"{kind}: ECE {100 * bins.error:.1f} %",
        )  # fmt: skip
        middle = (bins.bin + 0.5) / ECE_BINS
        shift = (number - (len(found) - 1) / 2) * width
        lower.bar(
            middle + shift, bins.samples, width, color=color, edgecolor="black", linewidth=0.5, hatch=_HATCH[number % 4]
        )
    for axes in (upper, lower):
        axes.set_xlim(-0.02, 1.02)
        axes.set_xticks((0, 0.5, 1))
        in_percent(axes.xaxis)
        tidy(axes)
    lower.set_yscale("symlog", linthresh=1)
    lower.set_ylim(bottom=0)
    lower.minorticks_off()
    lower.yaxis.set_major_formatter("{x:,.0f}")
    upper.set_ylim(-0.02, 1.02)
    in_percent(upper.yaxis)
    legend_above(upper)


_HATCH = ("", "////", "....", "xxxx")
