"""Metrics that are means over samples, for many sets of sample weights at a time.

Each takes weights (R, N), one row per resample, and gives values (R,); so a bootstrap of them needs only a few products
of matrices.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from difffake.metrics import ECE_BINS, calibration_bin

Floats = NDArray[np.float64]
Weighted = Callable[[Floats], Floats]


@dataclass(frozen=True)
class Statistic:
    """A metric as a function of sample weights."""

    of: Weighted
    """From weights (R, N) to values (R,); NaN where the samples it needs have no weight."""
    samples: int
    """N, the number of samples."""
    units: int
    """Number of independent units for the exact limits of a share that is 0 or 1; 0 for a metric without limits."""
    fewest: int
    """Smallest number of units of a class that it depends on."""
    biased: bool = False
    """Whether a sample's value is on average above that of the population."""

    def value(self) -> float:
        """The metric of the samples themselves."""
        return float(self.of(np.ones((1, self.samples)))[0])


def share(values: ArrayLike, over: ArrayLike, unit: ArrayLike) -> Statistic:
    """Mean of `values` (N,), each 0 or 1, over the samples with `over` (N,) true, of units (N,)."""
    chosen, units = np.asarray(over, dtype=np.float64), len(np.unique(np.asarray(unit)[np.asarray(over, dtype=bool)]))
    return Statistic(_mean(np.asarray(values, dtype=np.float64), chosen), len(chosen), units, units)


def accuracy(label: ArrayLike, called: ArrayLike, unit: ArrayLike) -> Statistic:
    """Share of samples whose `called` (N,), 1 for fake, is their label (N,)."""
    labels = np.asarray(label)
    right = (np.asarray(called) == labels).astype(np.float64)
    of = _mean(right, np.ones(len(labels)))
    return Statistic(of, len(labels), len(np.unique(np.asarray(unit))), min(_units(labels, unit)))


def balanced_accuracy(label: ArrayLike, called: ArrayLike, unit: ArrayLike) -> Statistic:
    """Mean of the shares of reals and of fakes whose `called` (N,), 1 for fake, is their label (N,)."""
    labels = np.asarray(label)
    right = (np.asarray(called) == labels).astype(np.float64)
    of_real, of_fake = (_mean(right, (labels == value).astype(np.float64)) for value in (0, 1))
    # If n pairs of a real and a fake unit are all right, that has the probability (TNR TPR)^n, at most the balanced
    # accuracy to the power of 2 n; so the limit of n is on the safe side.
    pairs = min(min(_units(labels, unit)), len(np.unique(np.asarray(unit))) // 2)
    return Statistic(
        lambda weight: (of_real(weight) + of_fake(weight)) / 2, len(labels), pairs, min(_units(labels, unit))
    )


def brier(label: ArrayLike, probability: ArrayLike, unit: ArrayLike) -> Statistic:
    """Brier score (see `difffake.metrics.brier`) of probabilities (N,)."""
    error = (np.asarray(probability, dtype=np.float64) - np.asarray(label)) ** 2
    return Statistic(_mean(error, np.ones(len(error))), len(error), 0, min(_units(np.asarray(label), unit)))


def ece(label: ArrayLike, probability: ArrayLike, unit: ArrayLike) -> Statistic:
    """Expected calibration error (see `difffake.metrics.ece`) of probabilities (N,)."""
    values = np.asarray(probability, dtype=np.float64)
    errors = np.zeros((len(values), ECE_BINS))
    errors[np.arange(len(values)), calibration_bin(values)] = np.asarray(label) - values

    def of(weight: Floats) -> Floats:
        with np.errstate(invalid="ignore"):
            total: Floats = np.abs(weight @ errors).sum(axis=1) / weight.sum(axis=1)
        return total

    return Statistic(of, len(values), 0, min(_units(np.asarray(label), unit)), biased=True)


def _mean(values: Floats, chosen: Floats) -> Weighted:
    """Weighted mean of `values` (N,) over the samples whose `chosen` (N,) is 1."""

    def of(weight: Floats) -> Floats:
        with np.errstate(invalid="ignore", divide="ignore"):
            mean: Floats = (weight @ (values * chosen)) / (weight @ chosen)
        return mean

    return of


def _units(label: NDArray[np.int64], unit: ArrayLike) -> tuple[int, int]:
    """Number of units with reals, and with fakes."""
    units = np.asarray(unit)
    return len(np.unique(units[label == 0])), len(np.unique(units[label == 1]))
