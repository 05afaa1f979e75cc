"""Confidence intervals of AUC, EER, AP and accuracy, from a bootstrap over whole videos, originals or people.

The frames of one video are similar, so resampling single frames would give intervals that are much too narrow. Units
are resampled instead, each with all its samples, real and fake.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from difffake.metrics import checked
from difffake.randomness import generator

Floats = NDArray[np.float64]

MIN_UNITS = 5
"""Smallest number of units of each class for an interval. n units have C(2n - 1, n) different resamples (Efron &
Tibshirani 1993, section 6.2): 35 for four units, which is too few for a 2.5 % tail, and 126 for five."""
ELEMENTS = 400_000
"""Number of weights in memory at a time: a few MB, so that a chunk of resamples fits into the processor's cache."""


class Ranking(NamedTuple):
    """Samples sorted by score, the highest first, for metrics with many sets of weights."""

    order: NDArray[np.intp]
    """(N,) sample at each rank."""
    fake: Floats
    """(N,) 1 if the sample at this rank is fake, else 0."""
    ends: NDArray[np.intp]
    """(K,) last rank of each group of tied scores."""


def rank(label: ArrayLike, score: ArrayLike) -> Ranking:
    """Sort samples, labels (N,) and scores (N,), for `weighted_metrics`."""
    labels, scores = checked(label, score)
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.diff(scores[order]) != 0, True)
    return Ranking(order, labels[order].astype(np.float64), np.flatnonzero(last))


def weighted_metrics(ranking: Ranking, weight: Floats) -> dict[str, Floats]:
    """AUC, EER and AP with sample weights.

    Args:
        ranking: the N samples, sorted.
        weight: (R, N), >= 0, in the original order of samples; each row is one set of weights.

    Returns:
        "auc", "eer" and "ap", each (R,); NaN for a row in which a class has no weight.
    """
    weight = np.take(weight, ranking.order, axis=1)
    fake = np.cumsum(weight * ranking.fake, axis=1)[:, ranking.ends]
    # The weight so far minus that of the fakes is that of the reals; weights are counts, so this is exact.
    called = np.cumsum(weight, axis=1)[:, ranking.ends]
    real = called - fake
    with np.errstate(invalid="ignore", divide="ignore"):
        true_positive, false_positive = fake / fake[:, -1:], real / real[:, -1:]
        precision = np.where(called > 0, fake / called, 0.0)
    gain = np.diff(true_positive, axis=1, prepend=0.0)
    area = (np.diff(false_positive, axis=1, prepend=0.0) * (true_positive - gain / 2)).sum(axis=1)
    return {
        "auc": area,
        "eer": _crossing(false_positive, true_positive),
        "ap": np.where(np.isnan(area), np.nan, (gain * precision).sum(axis=1)),
    }


def _crossing(false_positive: Floats, true_positive: Floats) -> Floats:
    """FPR (R,) where FPR = 1 - TPR on each row's piecewise linear ROC curve, which starts at (0, 0)."""
    gap = false_positive + true_positive - 1
    row = np.arange(len(gap))
    right = np.minimum((gap < 0).sum(axis=1), gap.shape[1] - 1)
    first = right == 0
    left_rate = np.where(first, 0.0, false_positive[row, right - 1])
    left_gap = np.where(first, -1.0, gap[row, right - 1])
    share = -left_gap / (gap[row, right] - left_gap)
    crossing: Floats = left_rate + share * (false_positive[row, right] - left_rate)
    return crossing


def bootstrap_intervals(
    label: ArrayLike,
    score: ArrayLike,
    unit: ArrayLike,
    resamples: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
    threshold: float | None = None,
) -> dict[str, tuple[float, float]]:
    """Percentile bootstrap intervals (low, high) of "auc", "eer", "ap" and, at `threshold`, "acc", resampled by unit.

    A resample draws units with replacement, as many as there are; the weight of a sample is the number of times that
    its unit was drawn (Efron & Tibshirani 1993, chapter 13). Resamples without one of the classes are dropped. If a
    class comes from fewer than `MIN_UNITS` units, the interval is (NaN, NaN). If the classes are separated perfectly,
    all resamples are too, and the interval would have no width; then it is given by `exact_limits`.

    Args:
        label: (N,) 0 = real, 1 = fake.
        score: (N,) higher = more fake.
        unit: (N,) names or numbers of units; samples of one unit are drawn together.
        resamples: number of resamples; 0 gives (NaN, NaN).
        seed: random seed of the resamples.
        confidence: share of such intervals that should contain the true value.
        threshold: threshold of the accuracy; without one there is no "acc".

    Raises:
        UserError: as in `difffake.metrics.checked`.
    """
    labels, scores = checked(label, score)
    names, units = np.unique(np.asarray(unit), return_inverse=True)
    nothing = (float("nan"), float("nan"))
    intervals = dict.fromkeys(("auc", "eer", "ap") if threshold is None else ("auc", "eer", "ap", "acc"), nothing)
    fewest = min(len(np.unique(units[labels == value])) for value in (0, 1))
    if resamples == 0 or fewest < MIN_UNITS:
        return intervals
    ranking, rng = rank(labels, scores), generator(seed)
    chunk = max(1, ELEMENTS // len(labels))
    right = ((scores >= (threshold or 0.0)) == labels).astype(np.float64)
    drawn = []
    for start in range(0, resamples, chunk):
        weight = np.take(draw_counts(rng, min(chunk, resamples - start), len(names)), units, axis=1)
        drawn.append(weighted_metrics(ranking, weight) | {"acc": weight @ right / weight.sum(axis=1)})
    tails = [(1 - confidence) / 2, (1 + confidence) / 2]
    for name in intervals:
        values = np.concatenate([chunk_values[name] for chunk_values in drawn])
        values = values[~np.isnan(values)]
        if len(values):
            low, high = (float(bound) for bound in np.quantile(values, tails))
            if high - low < 1e-9 and abs(low - round(low)) < 1e-9:  # all resamples give 0, or all give 1
                independent = len(names) if name == "acc" else min(fewest, len(names) // 2)
                low, high = exact_limits(name, round(low), independent, confidence)
            intervals[name] = (low, high)
    return intervals


def exact_limits(metric: str, value: int, independent: int, confidence: float = 0.95) -> tuple[float, float]:
    """Limits of a metric that is 0 or 1 in the sample, where a bootstrap gives an interval without width.

    The limits hold for any distribution. They are those of Clopper & Pearson (1934) for n successes in n trials: a
    value is left out if the observed result has a probability below a = (1 - `confidence`) / 2 under it.

    AUC: take n units of real faces and n of fakes, each paired with one of the other class. If a fake has a higher
    score than a real face with probability AUC, all n independent pairs are in order with probability AUC^n. All
    samples are in order at most as often. So the lower limit is a^(1/n).

    EER: an EER of 0 means that a threshold separates the samples. Consider the threshold at which both classes have the
    error probability e. If the samples are separated, all n units of one class are on the right side of it, which
    happens with probability 2 (1 - e)^n at most. So the upper limit is 1 - (a / 2)^(1/n).

    For the accuracy, n counts all units. The average precision has no such limit: NaN.

    Args:
        metric: auc, eer, ap or acc.
        value: 0 or 1.
        independent: n, the number of independent pairs of a real and a fake unit; for the accuracy, of units.
        confidence: share of such intervals that should contain the true value.
    """
    if metric == "ap":
        return float("nan"), float("nan")
    tail = (1 - confidence) / (4 if metric == "eer" else 2)
    limit = tail ** (1 / independent)
    return (limit, 1.0) if value == 1 else (0.0, 1 - limit)


def draw_counts(rng: np.random.Generator, resamples: int, units: int) -> Floats:
    """Number of times that each unit was drawn (resamples, units); each resample draws as many units as there are."""
    # Counting drawn numbers is several times faster than rng.multinomial, which draws one binomial per unit.
    chosen = rng.integers(units, size=(resamples, units)) + np.arange(resamples)[:, None] * units
    counts = np.bincount(chosen.ravel(), minlength=resamples * units)
    return counts.reshape(resamples, units).astype(np.float64)
