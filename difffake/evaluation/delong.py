"""DeLong's test of the difference of two AUCs on the same independent samples, in O(N log N)."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm, rankdata

from difffake.metrics import checked


class DeLong(NamedTuple):
    """Result of `delong_test`."""

    difference: float
    """AUC of the second scores minus AUC of the first."""
    error: float
    """Standard error of the difference; NaN if a class has fewer than two samples."""
    p: float
    """Two-sided p-value; NaN if the standard error is 0 or NaN, but 1 if the two rank all pairs alike."""


def delong_test(label: ArrayLike, first: ArrayLike, second: ArrayLike) -> DeLong:
    """Test whether two scores of the same samples have the same AUC (DeLong, DeLong & Clarke-Pearson 1988).

    The samples must be independent: not several frames of one video, nor a real face together with its forgeries. The
    variance comes from the structural components of both AUCs. They are computed from midranks, as in Sun & Xu (2014),
    "Fast implementation of DeLong's algorithm", equations 5 and 6.

    Args:
        label: (N,) 0 = real, 1 = fake.
        first: (N,) scores, higher = more fake.
        second: (N,) other scores of the same samples.

    Raises:
        UserError: as in `difffake.metrics.checked`.
    """
    labels, _ = checked(label, first)
    real, fake = (
        np.stack(parts) for parts in zip(*(_components(labels, score) for score in (first, second)), strict=True)
    )
    by_real, by_fake = real[1] - real[0], fake[1] - fake[0]
    if min(len(by_real), len(by_fake)) < 2:
        return DeLong(
            float(by_fake.mean()) if len(by_fake) and len(by_real) else float("nan"), float("nan"), float("nan")
        )
    difference = float(by_fake.mean())
    error = float(np.sqrt(by_real.var(ddof=1) / len(by_real) + by_fake.var(ddof=1) / len(by_fake)))
    if error == 0:
        return DeLong(difference, error, 1.0 if difference == 0 else float("nan"))
    return DeLong(difference, error, float(2 * norm.sf(abs(difference) / error)))


def _components(labels: NDArray[np.int64], score: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Share of fakes above each real sample (R,), and share of reals below each fake (F,); ties count one half."""
    _, scores = checked(labels, score)
    fake = labels == 1
    n_real, n_fake = int((~fake).sum()), int(fake.sum())
    together = rankdata(scores)
    below_fake = (together[fake] - rankdata(scores[fake])) / max(n_real, 1)
    above_real = 1 - (together[~fake] - rankdata(scores[~fake])) / max(n_fake, 1)
    return above_real, below_fake
