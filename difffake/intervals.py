"""Confidence intervals of metrics, from a bootstrap over whole videos, originals or people.

The frames of one video are similar, so resampling single frames would give intervals that are much too narrow. Units
are resampled instead, each with all its samples, real and fake.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from difffake.metrics import checked
from difffake.randomness import generator
from difffake.statistic import Statistic

Floats = NDArray[np.float64]

MIN_UNITS = 5
"""Smallest number of units of each class for an interval. n units have C(2n - 1, n) different resamples (Efron &
Tibshirani 1993, section 6.2): 35 for four units, which is too few for a 2.5 % tail, and 126 for five."""
TPR_AT = {"tpr_at_1_percent_fpr": 0.01, "tpr_at_5_percent_fpr": 0.05}
"""Metrics that are the share of fakes found at a false positive rate, and this rate."""
RANKED = ("auc", "eer", "ap", *TPR_AT)
"""Metrics that depend only on the order of scores."""
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
    """The metrics `RANKED` with sample weights.

    Args:
        ranking: the N samples, sorted.
        weight: (R, N), >= 0, in the original order of samples; each row is one set of weights.

    Returns:
        Each metric of `RANKED`, (R,); NaN for a row in which a class has no weight.
    """
    real, fake = called_counts(ranking, weight)
    called = real + fake
    with np.errstate(invalid="ignore", divide="ignore"):
        true_positive, false_positive = fake / fake[:, -1:], real / real[:, -1:]
        precision = np.where(called > 0, fake / called, 0.0)
    gain = np.diff(true_positive, axis=1, prepend=0.0)
    area = (np.diff(false_positive, axis=1, prepend=0.0) * (true_positive - gain / 2)).sum(axis=1)
    found = {
        "auc": area,
        "eer": _crossing(false_positive, true_positive),
        "ap": (gain * precision).sum(axis=1),
        **{name: _reached(false_positive, true_positive, rate) for name, rate in TPR_AT.items()},
    }
    return {name: np.where(np.isnan(area), np.nan, values) for name, values in found.items()}


def called_counts(ranking: Ranking, weight: Floats) -> tuple[Floats, Floats]:
    """Weight of the reals and of the fakes that are called fake at each distinct score, (R, K) each.

    The arguments are those of `weighted_metrics`.
    """
    weight = np.take(weight, ranking.order, axis=1)
    fake = np.cumsum(weight * ranking.fake, axis=1)[:, ranking.ends]
    # The weight so far minus that of the fakes is that of the reals; weights are counts, so this is exact.
    return np.cumsum(weight, axis=1)[:, ranking.ends] - fake, fake


def _reached(false_positive: Floats, true_positive: Floats, rate: float) -> Floats:
    """Largest TPR (R,) at an FPR of at most `rate`; both rates rise along each row, from (0, 0)."""
    last = (false_positive <= rate).sum(axis=1) - 1
    values = np.take_along_axis(true_positive, np.maximum(last, 0)[:, None], axis=1)[:, 0]
    return np.where(last < 0, 0.0, values)


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
    statistics: Mapping[str, Statistic] | None = None,
) -> dict[str, tuple[float, float]]:
    """Percentile bootstrap intervals (low, high) of the metrics `RANKED` and of `statistics`, resampled by unit.

    A resample draws units with replacement, as many as there are; the weight of a sample is the number of times that
    its unit was drawn (Efron & Tibshirani 1993, chapter 13). Resamples without one of the classes are dropped. If a
    class that a metric depends on comes from fewer than `MIN_UNITS` units, the interval is (NaN, NaN). If the classes
    are separated perfectly, all resamples are too, and the interval would have no width; then it is given by
    `exact_limits`.

    A metric such as the expected calibration error is larger in a sample than in the population on average, because
    noise adds to it, and in a resample once more (`Statistic.biased`). The bootstrap estimates this bias (Efron &
    Tibshirani 1993, section 10.2): the lower bound is moved down by it twice, the upper bound once, so that the
    interval still contains the sample's own value. If the population's value is nearly 0, the interval misses it.

    Args:
        label: (N,) 0 = real, 1 = fake.
        score: (N,) higher = more fake.
        unit: (N,) names or numbers of units; samples of one unit are drawn together.
        resamples: number of resamples; 0 gives (NaN, NaN).
        seed: random seed of the resamples.
        confidence: share of such intervals that should contain the true value.
        statistics: further metrics, by name.

    Raises:
        UserError: as in `difffake.metrics.checked`.
    """
    labels, scores = checked(label, score)
    units = np.unique(np.asarray(unit), return_inverse=True)[1]
    further = statistics or {}
    intervals = dict.fromkeys((*RANKED, *further), (float("nan"), float("nan")))
    fewest = min(len(np.unique(units[labels == value])) for value in (0, 1))
    ranked = fewest >= MIN_UNITS
    further = {name: statistic for name, statistic in further.items() if statistic.fewest >= MIN_UNITS}
    if resamples == 0 or not (ranked or further):
        return intervals
    ranking = rank(labels, scores)
    drawn = []
    for weight in resampled_weights(units, resamples, seed):
        found = weighted_metrics(ranking, weight) if ranked else {}
        drawn.append(found | {name: statistic.of(weight) for name, statistic in further.items()})
    tails = [(1 - confidence) / 2, (1 + confidence) / 2]
    for name in drawn[0]:
        values = np.concatenate([chunk_values[name] for chunk_values in drawn])
        values = values[~np.isnan(values)]
        if not len(values):
            continue
        low, high = (float(bound) for bound in np.quantile(values, tails))
        if high - low < 1e-9 and abs(low - round(low)) < 1e-9:  # all resamples give 0, or all give 1
            independent = further[name].units if name in further else min(fewest, (int(units.max()) + 1) // 2)
            low, high = exact_limits(name, round(low), independent, confidence)
        elif name in further and further[name].biased:
            bias = float(values.mean() - further[name].value())
            low, high = max(0.0, low - 2 * bias), max(0.0, high - bias)
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

    For shares of samples, such as the accuracy, n counts the units that they come from. The average precision and
    the TPR at an FPR have no such limit, nor have metrics without independent units: NaN.

    Args:
        metric: a metric of `RANKED`, or the name of a share of samples.
        value: 0 or 1.
        independent: n, the number of independent pairs of a real and a fake unit; for shares, of units.
        confidence: share of such intervals that should contain the true value.
    """
    if metric == "ap" or metric in TPR_AT or not independent:
        return float("nan"), float("nan")
    tail = (1 - confidence) / (4 if metric == "eer" else 2)
    limit = tail ** (1 / independent)
    return (limit, 1.0) if value == 1 else (0.0, 1 - limit)


def resampled_weights(units: NDArray[np.intp], resamples: int, seed: int) -> Iterator[Floats]:
    """Weights of samples, how often the unit of each was drawn, some resamples at a time.

    Args:
        units: (N,) number of each sample's unit, from 0 on.
        resamples: number of resamples.
        seed: random seed.

    Yields:
        Weights (R, N) of the next R resamples.
    """
    rng, number = generator(seed), int(units.max()) + 1
    chunk = max(1, ELEMENTS // len(units))
    for start in range(0, resamples, chunk):
        yield np.take(draw_counts(rng, min(chunk, resamples - start), number), units, axis=1)


def draw_counts(rng: np.random.Generator, resamples: int, units: int) -> Floats:
    """Number of times that each unit was drawn (resamples, units); each resample draws as many units as there are."""
    # Counting drawn numbers is several times faster than rng.multinomial, which draws one binomial per unit.
    chosen = rng.integers(units, size=(resamples, units)) + np.arange(resamples)[:, None] * units
    counts = np.bincount(chosen.ravel(), minlength=resamples * units)
    return counts.reshape(resamples, units).astype(np.float64)
