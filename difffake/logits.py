"""Logits and probabilities of frames and videos. It needs only NumPy, because `predict` must start quickly."""

import math

import numpy as np
from numpy.typing import ArrayLike


def sigmoid(logit: float) -> float:
    """1 / (1 + exp(-logit)), without overflow for large negative logits."""
    small = math.exp(-abs(logit))
    return 1 / (1 + small) if logit >= 0 else small / (1 + small)


def mean_logit(logits: ArrayLike) -> float:
    """The logit of the mean probability, log(mean p / (1 - mean p)) with p = sigmoid(logit), of logits (N,).

    It is computed without p, because a probability near 1 would lose the differences between large logits.
    """
    values = np.asarray(logits, dtype=np.float64)
    # The mean of p over the mean of 1 - p, in logarithms; the number of values cancels.
    fake, real = (np.logaddexp.reduce(-np.logaddexp(0.0, sign * values)) for sign in (-1, 1))
    return float(fake - real)
