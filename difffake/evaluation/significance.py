"""p-values: from a standard error, over training seeds, and Holm's correction for several comparisons."""

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple

from scipy.stats import t as student

LEVEL = 0.05
"""A difference with a corrected p-value below this is called more than chance."""


class Error(NamedTuple):
    """Standard error of a difference, and the degrees of freedom that it was estimated with."""

    size: float
    freedom: float


def two_sided(difference: float, error: Error) -> float:
    """Two-sided p-value of Student's t, difference / error.

    It is 1 if difference and error are both 0, and NaN if only the error is 0: then nothing says how likely chance is.

    >>> round(two_sided(2.0, Error(1.0, 10)), 4)
    0.0734
    """
    if error.size == 0:
        return 1.0 if difference == 0 else math.nan
    return float(2 * student.sf(abs(difference) / error.size, error.freedom))


def limits(difference: float, error: Error, confidence: float = 0.95) -> tuple[float, float]:
    """Interval of a difference of two rates, cut at -1 and 1; (NaN, NaN) if the error is 0 or NaN.

    It contains 0 exactly if `two_sided` gives a p-value above 1 - `confidence`.
    """
    if not error.size > 0:
        return math.nan, math.nan
    half = float(student.isf((1 - confidence) / 2, error.freedom)) * error.size
    return max(-1.0, difference - half), min(1.0, difference + half)


def together(errors: Sequence[Error]) -> Error:
    """Error of a sum of independent deviations, with the degrees of freedom of Welch (1947) and Satterthwaite (1946).

    >>> together([Error(3.0, 9), Error(4.0, 16)])
    Error(size=5.0, freedom=25.0)
    """
    squares = [error.size**2 for error in errors]
    total = sum(squares)
    if total == 0:
        return Error(0.0, max(error.freedom for error in errors))
    parts = sum(square**2 / error.freedom for square, error in zip(squares, errors, strict=True))
    return Error(math.sqrt(total), total**2 / parts)


def over_seeds(first: Sequence[float], second: Sequence[float], paired: bool) -> Error | None:
    """Error of the difference of two means over runs with several seeds, as in a t-test.

    Args:
        first: values of the runs of one setting.
        second: values of the runs of the other.
        paired: the runs have the same seeds in the same order: the t-test is paired, with m - 1 degrees of freedom.
            Otherwise it is Welch's, for two samples whose variances may differ.

    Returns:
        The error, or None if a setting has a single run.
    """
    if min(len(first), len(second)) < 2:
        return None
    if paired:
        gaps = [b - a for a, b in zip(first, second, strict=True)]
        return Error(statistics.stdev(gaps) / math.sqrt(len(gaps)), len(gaps) - 1)
    return together([Error(statistics.stdev(v) / math.sqrt(len(v)), len(v) - 1) for v in (first, second)])


def holm(p: Sequence[float]) -> list[float]:
    """Holm's (1979) corrected p-values, for all comparisons of a table together.

    If a difference is called more than chance when its corrected value is below 0.05, then the probability of any false
    call in the table is at most 0.05. NaN stays NaN and is not counted.

    >>> holm([0.01, 0.04, 0.03, math.nan])
    [0.03, 0.06, 0.06, nan]
    """
    ordered = sorted((value, place) for place, value in enumerate(p) if not math.isnan(value))
    found, highest = [math.nan] * len(p), 0.0
    for rank, (value, place) in enumerate(ordered):
        highest = max(highest, min(1.0, (len(ordered) - rank) * value))
        found[place] = highest
    return found
