import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    balanced_accuracy_score,
    roc_auc_score,
    roc_curve,
)

from difffake import metrics
from difffake.errors import UserError

SEPARATE = ([0, 0, 0, 1, 1], [-3.0, -2.0, -1.0, 1.0, 2.0])


def noisy(seed: int, n: int = 300, decimals: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Overlapping classes; rounding makes ties."""
    rng = np.random.default_rng(seed)
    label = np.r_[0, 1, rng.integers(0, 2, n - 2)]
    return label, np.round(rng.normal(size=n) + label, decimals)


@pytest.mark.parametrize("scale", [1.0, 1e4, -1e4, 1e-6])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_agrees_with_scikit_learn(scale: float, dtype: type) -> None:
    label, score = noisy(0)
    score = (score * scale).astype(dtype)
    threshold = float(np.median(score))
    assert metrics.auc(label, score) == pytest.approx(roc_auc_score(label, score), abs=1e-12)
    assert metrics.average_precision(label, score) == pytest.approx(average_precision_score(label, score), abs=1e-12)
    assert metrics.accuracy(label, score, threshold) == accuracy_score(label, score >= threshold)
    at_youden = score >= metrics.youden_threshold(label, score)
    assert metrics.balanced_accuracy_at_youden(label, score) == pytest.approx(balanced_accuracy_score(label, at_youden))


def test_large_scores_do_not_saturate() -> None:
    # A sigmoid would make all of these 1: torchmetrics' AUC of them is 0.5.
    assert metrics.auc([0, 0, 1, 1], [10_000.0, 10_001.0, 10_002.0, 10_003.0]) == 1.0


@pytest.mark.parametrize(
    ("label", "score", "expected"),
    [
        (*SEPARATE, 0.0),
        ([1, 1, 0, 0], [1, 2, 3, 4], 1.0),  # every real scores above every fake
        ([0, 1, 0, 1], [7, 7, 7, 7], 0.5),  # all tied: the ROC curve is the diagonal
        ([0, 0, 1, 1], [1, 3, 2, 4], 0.5),  # corner at (0, 1/2), step to (1/2, 1/2): crossed at the step's end
        ([0, 0, 0, 1, 1, 1], [1, 2, 5, 4, 6, 7], 1 / 3),  # (0, 2/3) to (1/3, 2/3): crossed at its end
        ([0, 0, 0, 1, 1], [1, 2, 3, 3, 4], 0.2),  # tie: the line from (0, 1/2) to (1/3, 1) meets 1 - x at 1/5
        ([0, 0, 0, 0, 1, 1], [1, 2, 3, 4, 3.5, 5], 0.25),  # (0, 1/2) -> (1/4, 1/2) -> (1/4, 1): 1 - 1/4 on the rise
    ],
)
def test_eer_of_cases_worked_out_by_hand(label: list[int], score: list[float], expected: float) -> None:
    assert metrics.eer(label, score) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("decimals", [0, 1, 6])
def test_eer_agrees_with_a_root_finder(decimals: int) -> None:
    label, score = noisy(1, decimals=decimals)
    false_positive, true_positive, _ = roc_curve(label, score, drop_intermediate=False)
    # Where the curve rises straight up np.interp jumps, and the root finder converges to the jump.
    root = brentq(lambda x: 1 - x - np.interp(x, false_positive, true_positive), 0, 1, xtol=1e-12)
    assert metrics.eer(label, score) == pytest.approx(root, abs=1e-9)


def test_youden_threshold_is_the_middle_of_the_gap_it_splits() -> None:
    assert metrics.youden_threshold(*SEPARATE) == 0.0
    assert metrics.youden_threshold([0, 0, 1, 1], [-10_000.0, 0.0, 10_000.0, 20_000.0]) == 5_000.0


def test_youden_threshold_splits_neighboring_floats() -> None:
    low = 1.0
    high = np.nextafter(low, 2)
    threshold = metrics.youden_threshold([0, 1], [low, high])
    assert low < threshold <= high


@pytest.mark.parametrize("score", [[4.0, 3.0, 2.0, 1.0], [5.0, 5.0, 5.0, 5.0]])
def test_youden_threshold_where_nothing_beats_chance(score: list[float]) -> None:
    label = [0, 0, 1, 1]
    threshold = metrics.youden_threshold(label, score)
    assert math.isfinite(threshold)  # it goes into results.json
    assert metrics.accuracy(label, score, threshold) == 0.5
    assert metrics.balanced_accuracy_at_youden(label, score) == 0.5


def test_released_script_prints_less_than_the_auc() -> None:
    # method.md: "a true 0.90 prints about 0.82". Normal scores 1.81 apart have that AUC.
    rng = np.random.default_rng(0)
    label = np.repeat([0, 1], 20_000)
    score = rng.normal(size=label.size) + 1.812 * label
    assert metrics.auc(label, score) == pytest.approx(0.90, abs=0.005)
    assert metrics.balanced_accuracy_at_youden(label, score) == pytest.approx(0.82, abs=0.005)


def test_tpr_at_fpr_counts_only_thresholds_that_keep_the_promise() -> None:
    label = [0] * 4 + [1] * 4
    score = [1, 2, 3, 6, 4, 5, 7, 8]
    assert metrics.tpr_at_fpr(label, score, fpr=0.0) == 0.5
    assert metrics.tpr_at_fpr(label, score, fpr=0.24) == 0.5  # one real of four is a quarter already
    assert metrics.tpr_at_fpr(label, score, fpr=0.25) == 1.0


@pytest.mark.parametrize(("label", "score"), [([1, 1], [0.2, 0.4]), ([0, 0], [0.2, 0.4]), ([], [])])
def test_one_class_alone_is_nan_where_both_are_needed(label: list[int], score: list[float]) -> None:
    for metric in (
        metrics.auc,
        metrics.eer,
        metrics.average_precision,
        metrics.balanced_accuracy_at_youden,
        metrics.youden_threshold,
    ):
        assert math.isnan(metric(label, score))
    assert math.isnan(metrics.tpr_at_fpr(label, score, 0.05))


def test_accuracy_needs_one_class_only() -> None:
    assert metrics.accuracy([1, 1, 1, 1], [0.2, 0.5, 0.6, 0.7], threshold=0.5) == 0.75
    assert math.isnan(metrics.accuracy([], [], threshold=0.5))


def test_nan_and_infinite_scores_are_counted_and_refused() -> None:
    with pytest.raises(UserError, match="2 of 4 scores are NaN or infinite"):
        metrics.auc([0, 1, 0, 1], [math.nan, 0.1, math.inf, 0.2])


@pytest.mark.parametrize(("label", "score", "message"), [([0, 2], [0.1, 0.2], "neither 0"), ([0, 1], [0.1], "shape")])
def test_wrong_input_is_refused(label: list[int], score: list[float], message: str) -> None:
    with pytest.raises(UserError, match=message):
        metrics.eer(label, score)


samples = st.lists(st.tuples(st.integers(0, 1), st.integers(-50, 50)), min_size=2, max_size=40).filter(
    lambda pairs: len({label for label, _ in pairs}) == 2
)


@settings(max_examples=60, deadline=None)
@given(samples)
def test_monotone_maps_change_nothing_and_a_sign_turns_the_auc(pairs: list[tuple[int, int]]) -> None:
    label, score = np.array(pairs).T
    mapped = np.arctan(score / 10) * 1e4 - 7
    for metric in (metrics.auc, metrics.eer, metrics.average_precision, metrics.balanced_accuracy_at_youden):
        assert metric(label, mapped) == pytest.approx(metric(label, score), abs=1e-12)
    assert metrics.auc(label, -score) == pytest.approx(1 - metrics.auc(label, score), abs=1e-12)
    assert metrics.eer(1 - label, -score) == pytest.approx(metrics.eer(label, score), abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(samples)
def test_no_threshold_beats_youdens(pairs: list[tuple[int, int]]) -> None:
    label, score = np.array(pairs).T
    chosen = balanced_accuracy_score(label, score >= metrics.youden_threshold(label, score))
    best = max(balanced_accuracy_score(label, score >= cut) for cut in [*score, score.max() + 1])
    assert chosen == pytest.approx(best) == metrics.balanced_accuracy_at_youden(label, score)
