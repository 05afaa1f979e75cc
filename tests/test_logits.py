"""Logits and probabilities against SciPy."""

import numpy as np
import pytest
from scipy.special import expit, logit

from difffake.logits import mean_logit, sigmoid


@pytest.mark.parametrize("value", [-800.0, -38.0, -1.5, 0.0, 2.0, 38.0, 800.0])
def test_sigmoid_is_scipys(value: float) -> None:
    assert sigmoid(value) == pytest.approx(expit(value), rel=1e-14)


def test_the_mean_of_probabilities_as_a_logit() -> None:
    values = np.random.default_rng(0).normal(scale=4, size=30)
    assert mean_logit(values) == pytest.approx(logit(expit(values).mean()))
    assert mean_logit([2.5]) == pytest.approx(2.5)


def test_large_logits_keep_their_differences() -> None:
    """All these probabilities are 1 as floating-point numbers."""
    assert expit(38.0) == expit(40.0) == 1
    assert mean_logit([40.0, 40.0]) == pytest.approx(40)
    # By hand: 1 - p is exp(-40) and exp(-42), whose mean is exp(-40) (1 + exp(-2)) / 2.
    assert mean_logit([40.0, 42.0]) == pytest.approx(40 - np.log((1 + np.exp(-2)) / 2))
    assert mean_logit([-700.0, -710.0]) == pytest.approx(-700 + np.log((1 + np.exp(-10)) / 2))
