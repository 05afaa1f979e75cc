"""Metrics with sample weights, against scikit-learn's and against samples that are repeated."""

import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import accuracy_score, balanced_accuracy_score, brier_score_loss, recall_score

from difffake import metrics, statistic

RNG = np.random.default_rng(0)
LABEL = RNG.integers(0, 2, 300)
PROBABILITY = np.round(np.clip(RNG.normal(0.5, 0.25, 300) + 0.2 * LABEL, 0, 1), 2)
CALLED = PROBABILITY >= 0.6
UNIT = np.arange(300) // 3
WEIGHT = RNG.integers(0, 4, (4, 300)).astype(float)


def test_shares_and_accuracies_are_scikit_learns() -> None:
    found = {
        "acc": (statistic.accuracy(LABEL, CALLED, UNIT), accuracy_score),
        "balanced": (statistic.balanced_accuracy(LABEL, CALLED, UNIT), balanced_accuracy_score),
        "found": (statistic.share(CALLED, LABEL == 1, UNIT), recall_score),
    }
    for one, reference in found.values():
        assert one.value() == pytest.approx(reference(LABEL, CALLED), abs=1e-12)
        wanted = [reference(LABEL, CALLED, sample_weight=weight) for weight in WEIGHT]
        np.testing.assert_allclose(one.of(WEIGHT), wanted, rtol=1e-12)
    alarms = statistic.share(CALLED, LABEL == 0, UNIT)
    assert alarms.value() == pytest.approx(1 - recall_score(LABEL, CALLED, pos_label=0))


def test_brier_is_scikit_learns() -> None:
    one = statistic.brier(LABEL, PROBABILITY, UNIT)
    assert one.value() == pytest.approx(brier_score_loss(LABEL, PROBABILITY), abs=1e-12)
    assert one.value() == pytest.approx(metrics.brier(LABEL, PROBABILITY), abs=1e-12)
    wanted = [brier_score_loss(LABEL, PROBABILITY, sample_weight=weight) for weight in WEIGHT]
    np.testing.assert_allclose(one.of(WEIGHT), wanted, rtol=1e-12)


def of_curve(label: np.ndarray, probability: np.ndarray) -> float:
    """Expected calibration error from scikit-learn's reliability curve and NumPy's histogram."""
    share, mean = calibration_curve(label, probability, n_bins=metrics.ECE_BINS)
    edges = np.linspace(0, 1, metrics.ECE_BINS + 1)
    edges[1:-1] = np.nextafter(edges[1:-1], 1)  # a bin holds its upper edge, as scikit-learn's do
    count = np.histogram(probability, edges)[0]
    return float((count[count > 0] * np.abs(share - mean)).sum() / len(label))


def test_calibration_error_is_that_of_scikit_learns_curve() -> None:
    one = statistic.ece(LABEL, PROBABILITY, UNIT)
    assert one.value() == pytest.approx(of_curve(LABEL, PROBABILITY), abs=1e-12)
    assert one.value() == pytest.approx(metrics.ece(LABEL, PROBABILITY), abs=1e-12)
    for weight, value in zip(WEIGHT, one.of(WEIGHT), strict=True):
        times = weight.astype(int)
        assert value == pytest.approx(of_curve(np.repeat(LABEL, times), np.repeat(PROBABILITY, times)), abs=1e-12)


def test_calibration_error_by_hand() -> None:
    # Bins of 1/15: 0.10 and 0.12 share one with one fake in two; 0.9 is alone and right, so 0.1 short.
    assert metrics.ece([0, 1, 1], [0.10, 0.12, 0.9]) == pytest.approx((2 * abs(0.5 - 0.11) + 0.1) / 3)
    assert metrics.ece([0, 0, 1, 1], [0.0, 0.0, 1.0, 1.0]) == 0.0
    assert metrics.ece([1, 1], [0.0, 0.0]) == 1.0
    assert np.isnan(metrics.ece([], []))
    assert np.isnan(metrics.brier([], []))


def test_balanced_accuracy_of_one_class_is_nan() -> None:
    assert np.isnan(metrics.balanced_accuracy([0, 0], [1.0, 2.0], 1.5))
    assert metrics.balanced_accuracy(LABEL, PROBABILITY, 0.6) == balanced_accuracy_score(LABEL, CALLED)
    alone = statistic.balanced_accuracy(np.zeros(9), np.ones(9), np.arange(9))
    assert np.isnan(alone.value())
    assert alone.fewest == 0


def test_units_of_a_share_are_those_it_counts() -> None:
    one = statistic.share([1, 0, 1, 0], [True, True, True, False], ["a", "a", "b", "c"])
    assert (one.value(), one.units, one.fewest) == (pytest.approx(2 / 3), 2, 2)
    assert np.isnan(one.of(np.array([[0.0, 0.0, 0.0, 5.0]]))).all()
