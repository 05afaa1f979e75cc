"""Difference of the AUCs of scores on the same samples, and its error from a bootstrap over whole units."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from difffake import metrics
from difffake.evaluation.significance import Error
from difffake.intervals import MIN_UNITS, draw_counts
from difffake.metrics import Labels
from difffake.randomness import generator

Floats = NDArray[np.float64]

ELEMENTS = 1_000_000
"""Number of weights in memory at a time, 8 MB."""


class PairedAucs(NamedTuple):
    """AUCs of two groups of scores on the same samples, such as two settings with several seeds each."""

    first: list[float]
    """AUC of each score of the first group."""
    second: list[float]
    """AUC of each score of the second group."""
    difference: float
    """Mean of the second group minus mean of the first."""
    error: Error
    """Standard error over samples; NaN if a class comes from fewer than `MIN_UNITS` units."""


def paired_aucs(
    labels: Labels, first: Floats, second: Floats, unit: NDArray[np.object_], resamples: int, seed: int
) -> PairedAucs:
    """Compare two groups of scores of the same samples.

    The error is the standard deviation of the difference of the two mean AUCs over `resamples` resamples of units, the
    same resamples for all scores (`resampled_aucs`). So it contains the spread of the test data, for these scores as
    they are. The degrees of freedom are the number of units of the class with fewer units, minus 1. With few units, a
    t-test with this error has fewer false alarms than its level says, while percentiles of the resamples have up to
    twice as many (docs/guide.md has the shares in simulations).

    Args:
        labels: (N,) 0 = real, 1 = fake.
        first: (S, N) scores of the first group, finite, higher = more fake.
        second: (T, N) scores of the second group.
        unit: (N,) names of the units, see `difffake.data.keys.resampling_unit`.
        resamples: number of resamples.
        seed: random seed of the resamples.
    """
    before, after = ([metrics.auc(labels, score) for score in group] for group in (first, second))
    difference = float(np.mean(after) - np.mean(before))
    _, units = np.unique(unit.astype(str), return_inverse=True)
    fewest = min(len(np.unique(units[labels == value])) for value in (0, 1))
    error = Error(math.nan, max(fewest - 1, 1))
    if fewest >= MIN_UNITS and resamples > 1:
        drawn = resampled_aucs(labels, np.concatenate([first, second]), units, resamples, seed)
        gaps = drawn[len(first) :].mean(axis=0) - drawn[: len(first)].mean(axis=0)
        error = Error(float(np.nanstd(gaps, ddof=1)), fewest - 1)
    return PairedAucs(before, after, difference, error)


def resampled_aucs(labels: Labels, scores: Floats, units: NDArray[np.intp], resamples: int, seed: int) -> Floats:
    """AUCs of several scores on the same resamples of units.

    A resample draws units with replacement, as many as there are; the weight of a sample is the number of times that
    its unit was drawn. AUC = sum over pairs of a real and a fake sample of weight x weight x (1 if the fake has the
    higher score, 1/2 if they are equal), over the sum of weight x weight. All scores get the same weights, so their
    AUCs are paired.

    Args:
        labels: (N,) 0 = real, 1 = fake.
        scores: (S, N) finite scores, higher = more fake.
        units: (N,) number of each sample's unit, from 0 on.
        resamples: number of resamples R.
        seed: random seed.

    Returns:
        (S, R); NaN for a resample without one of the classes.
    """
    rng, number = generator(seed), int(units.max()) + 1
    real, fake = np.flatnonzero(labels == 0), np.flatnonzero(labels == 1)
    sides = []
    for score in scores:
        order = real[np.argsort(score[real], kind="stable")]
        below, upto = (np.searchsorted(score[order], score[fake], side) for side in ("left", "right"))
        sides.append((units[order], below, upto))
    found = np.empty((len(scores), resamples))
    chunk = max(16, ELEMENTS // len(labels))
    for start in range(0, resamples, chunk):
        weight = np.ascontiguousarray(draw_counts(rng, min(chunk, resamples - start), number).T)
        of_fakes = weight[units[fake]]
        pairs = of_fakes.sum(axis=0) * weight[units[real]].sum(axis=0)
        sums = np.zeros((len(real) + 1, weight.shape[1]))
        for place, (ordered, below, upto) in enumerate(sides):
            np.cumsum(weight[ordered], axis=0, out=sums[1:])
            wins = np.einsum("fr,fr->r", of_fakes, sums[below] + sums[upto]) / 2
            with np.errstate(invalid="ignore"):
                found[place, start : start + chunk] = wins / pairs
    return found
