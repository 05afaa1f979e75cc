"""Bands of ROC curves, from the same bootstrap over units as the intervals of the metrics."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

from difffake.intervals import MIN_UNITS, called_counts, rank, resampled_weights

Floats = NDArray[np.float64]

LIMITS = (0.0008, 0.93)
"""Limits of the axes of DET curves."""
GRID: Floats = np.union1d(np.linspace(0, 1, 101), ndtr(np.linspace(ndtri(LIMITS[0]), ndtri(LIMITS[1]), 61)))
"""(G,) false-positive rates of a band, dense enough for the axes of ROC and of DET curves."""


class Band(NamedTuple):
    """Limits of the true-positive rate, (G,) each, at the false-positive rates `GRID`."""

    low: Floats
    high: Floats


def roc_band(
    label: ArrayLike,
    score: ArrayLike,
    unit: ArrayLike,
    resamples: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
) -> Band | None:
    """Pointwise percentile interval of the true-positive rate at each false-positive rate of `GRID`.

    The resamples are those of `difffake.intervals.bootstrap_intervals` with the same seed.

    Args:
        label: (N,) 0 = real, 1 = fake.
        score: (N,) higher = more fake.
        unit: (N,) names of units; samples of one unit are drawn together.
        resamples: number of resamples.
        seed: random seed of the resamples.
        confidence: share of such intervals that should contain the true value.

    Returns:
        The band; None if a class comes from fewer than `MIN_UNITS` units, or if there are no resamples.
    """
    labels = np.asarray(label)
    units = np.unique(np.asarray(unit), return_inverse=True)[1]
    if resamples == 0 or min(len(np.unique(units[labels == value])) for value in (0, 1)) < MIN_UNITS:
        return None
    ranking = rank(labels, score)
    curves = []
    for weight in resampled_weights(units, resamples, seed):
        real, fake = called_counts(ranking, weight)
        drawn = (fake[:, -1] > 0) & (real[:, -1] > 0)
        for own_real, own_fake in zip(real[drawn], fake[drawn], strict=True):
            curves.append(_at(GRID, own_real / own_real[-1], own_fake / own_fake[-1]))
    tail = (1 - confidence) / 2
    low, high = np.quantile(curves, (tail, 1 - tail), axis=0)
    return Band(low, high)


def _at(grid: Floats, false_positive: Floats, true_positive: Floats) -> Floats:
    """True-positive rate at each rate of the grid, the upper one at steps, of a piecewise linear curve from (0, 0)."""
    x, y = np.concatenate([[0.0], false_positive]), np.concatenate([[0.0], true_positive])
    left = np.searchsorted(x, grid, side="right") - 1
    right = np.minimum(left + 1, len(x) - 1)
    width = x[right] - x[left]
    share = np.divide(grid - x[left], width, out=np.zeros_like(grid), where=width > 0)
    found: Floats = y[left] + share * (y[right] - y[left])
    return found
