"""Reliability diagrams."""

import numpy as np
import pytest
from seen_texts import check_texts, seen_texts
from sklearn.calibration import calibration_curve

from difffake.evaluation.pictures.reliability import reliability, reliability_figure
from difffake.metrics import ECE_BINS, ece


def test_the_points_are_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    probability = rng.uniform(0.15, 1, size=500)
    label = (rng.uniform(size=500) < probability**2).astype(int)
    found = reliability(label, probability)
    share, mean = calibration_curve(label, probability, n_bins=ECE_BINS)
    np.testing.assert_allclose(found.share, share)
    np.testing.assert_allclose(found.probability, mean)
    assert found.samples.sum() == 500
    assert found.bin.min() > 0  # nothing is below 0.15


def test_a_hand_checked_error() -> None:
    # Two samples at 0.9, of which one is fake: 0.4 off; two at 0.1, no fake: 0.1 off.
    found = reliability([1, 0, 0, 0], [0.9, 0.9, 0.1, 0.1])
    assert found.error == pytest.approx((0.4 + 0.1) / 2) == ece([1, 0, 0, 0], [0.9, 0.9, 0.1, 0.1])
    assert reliability([1, 0], [1.0, 0.0]).error == 0  # a probability of 1 is in the last bin


def test_each_kind_has_a_curve_with_its_error_and_texts_do_not_overlap() -> None:
    rng = np.random.default_rng(1)
    label, probability = rng.integers(0, 2, 80), rng.uniform(size=80)
    kinds = {"as trained": (label, probability), "calibrated": (label, 0.25 + probability / 2)}
    figure = reliability_figure({f"a data set with a long name, number {n}": kinds for n in range(4)}, "title")
    check_texts(figure)
    drawn = [text for text, _ in seen_texts(figure)]
    for name, (_, values) in kinds.items():
        assert drawn.count(f"{name}: ECE {100 * reliability(label, values).error:.1f} %") == 4
    point = figure.axes[0].lines[1]  # after the diagonal
    np.testing.assert_allclose(point.get_ydata(), reliability(label, probability).share)
