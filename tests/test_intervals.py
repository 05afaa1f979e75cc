import dataclasses
import functools
import math
import time

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit
from sklearn.metrics import average_precision_score, roc_auc_score

from difffake import metrics, statistic
from difffake.intervals import TPR_AT, bootstrap_intervals, exact_limits, rank, weighted_metrics


def simulated(rng: np.random.Generator, units: int, per_unit: int, spread: float) -> tuple[np.ndarray, ...]:
    """Videos with `per_unit` frames each; a video's own offset makes its frames alike by `spread`."""
    unit = np.repeat(np.arange(units), per_unit)
    label = (unit % 2).astype(int)
    offset = rng.normal(scale=spread, size=units)[unit]
    return label, label + offset + rng.normal(size=unit.size), unit


@pytest.mark.parametrize("decimals", [0, 1, 8])
def test_weighted_metrics_agree_with_scikit_learn(decimals: int) -> None:
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, 200)
    score = np.round(rng.normal(size=200) + label, decimals)  # 0 decimals: many ties
    weight = rng.integers(0, 4, (5, 200)).astype(float)
    found = weighted_metrics(rank(label, score), weight)
    for row, weights in enumerate(weight):
        assert found["auc"][row] == pytest.approx(roc_auc_score(label, score, sample_weight=weights), abs=1e-12)
        assert found["ap"][row] == pytest.approx(
            average_precision_score(label, score, sample_weight=weights), abs=1e-12
        )
        # A sample of weight w is that sample w times.
        labels, scores = (np.repeat(values, weights.astype(int)) for values in (label, score))
        assert found["eer"][row] == pytest.approx(metrics.eer(labels, scores))
        for name, rate in TPR_AT.items():
            assert found[name][row] == pytest.approx(metrics.tpr_at_fpr(labels, scores, rate))


def test_weights_of_one_give_the_plain_metrics() -> None:
    label, score, _ = simulated(np.random.default_rng(1), 40, 3, 1.0)
    found = weighted_metrics(rank(label, score), np.ones((1, len(label))))
    assert found["auc"][0] == pytest.approx(metrics.auc(label, score), abs=1e-12)
    assert found["eer"][0] == pytest.approx(metrics.eer(label, score), abs=1e-12)
    assert found["ap"][0] == pytest.approx(metrics.average_precision(label, score), abs=1e-12)
    for name, rate in TPR_AT.items():
        assert found[name][0] == pytest.approx(metrics.tpr_at_fpr(label, score, rate), abs=1e-12)


def test_a_class_without_weight_is_nan() -> None:
    found = weighted_metrics(rank([0, 0, 1], [1.0, 2.0, 3.0]), np.array([[1.0, 1.0, 0.0], [0.0, 0.0, 2.0]]))
    assert all(np.isnan(values).all() for values in found.values())


def test_agrees_with_scipys_bootstrap() -> None:
    label, score, _ = simulated(np.random.default_rng(2), 150, 1, 0.0)

    def auc_of(label: np.ndarray, score: np.ndarray) -> float:
        return float(roc_auc_score(label, score))

    reference = stats.bootstrap(
        (label, score), auc_of, paired=True, vectorized=False, method="percentile", n_resamples=800, rng=0
    ).confidence_interval
    low, high = bootstrap_intervals(label, score, np.arange(150), resamples=800)["auc"]
    assert low == pytest.approx(reference.low, abs=0.01)
    assert high == pytest.approx(reference.high, abs=0.01)


SPREAD = 1.0
_APART = 1 / math.sqrt(1 + SPREAD**2)  # between the classes' means, in standard deviations of a frame's score
_REAL_TAIL = math.sqrt(1 + SPREAD**2) * stats.norm.ppf(0.95)
TRUTH = {
    "auc": stats.norm.cdf(_APART / math.sqrt(2)),
    "eer": stats.norm.cdf(-_APART / 2),
    "tpr_at_5_percent_fpr": stats.norm.sf((_REAL_TAIL - 1) / math.sqrt(1 + SPREAD**2)),
    "false_alarm_rate": stats.norm.sf(0.5 / math.sqrt(1 + SPREAD**2)),
    "balanced_accuracy": stats.norm.cdf(0.5 / math.sqrt(1 + SPREAD**2)),
}
"""What the metrics of `simulated` videos are over infinitely many of them, at the threshold 0.5."""


@functools.cache
def covered(by_video: bool) -> dict[str, float]:
    """How often intervals hold the true value, over 200 simulated data sets of 60 videos with 5 frames each."""
    rng = np.random.default_rng(0)
    hits: dict[str, list[bool]] = {name: [] for name in TRUTH}
    for trial in range(200):
        label, score, video = simulated(rng, 60, 5, SPREAD)
        unit = video if by_video else np.arange(len(label))
        further = {
            "false_alarm_rate": statistic.share(score >= 0.5, label == 0, unit),
            "balanced_accuracy": statistic.balanced_accuracy(label, score >= 0.5, unit),
        }
        found = bootstrap_intervals(label, score, unit, resamples=300, seed=trial, statistics=further)
        for name, truth in TRUTH.items():
            low, high = found[name]
            hits[name].append(low <= truth <= high)
    return {name: float(np.mean(inside)) for name, inside in hits.items()}


def test_interval_of_the_accuracy_agrees_with_scipys_bootstrap() -> None:
    label, score, _ = simulated(np.random.default_rng(3), 150, 1, 0.0)
    right = (score >= 0.4) == (label == 1)
    reference = stats.bootstrap((right,), np.mean, method="percentile", n_resamples=2000, rng=0).confidence_interval
    accuracy = {"acc": statistic.accuracy(label, score >= 0.4, np.arange(150))}
    found = bootstrap_intervals(label, score, np.arange(150), resamples=2000, statistics=accuracy)["acc"]
    assert found == pytest.approx((reference.low, reference.high), abs=0.012)
    assert "acc" not in bootstrap_intervals(label, score, np.arange(150))


@pytest.mark.parametrize("metric", TRUTH)
def test_95_percent_intervals_hold_the_truth_about_95_percent_of_the_time(metric: str) -> None:
    assert 0.89 <= covered(by_video=True)[metric] <= 0.985


@pytest.mark.parametrize("metric", TRUTH)
def test_resampling_frames_instead_of_videos_would_promise_too_much(metric: str) -> None:
    assert covered(by_video=False)[metric] < 0.89


def test_interval_of_the_calibration_error_holds_it() -> None:
    """Probabilities that are too certain by a temperature of 3. Without the correction, it is missed too often."""

    def too_certain(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
        logit = 2 * rng.normal(size=count)
        return (rng.random(count) < expit(logit / 3)).astype(int), expit(logit)

    rng, inside, plain = np.random.default_rng(0), [], []
    truth = metrics.ece(*too_certain(rng, 1_000_000))
    for trial in range(200):
        label, probability = too_certain(rng, 500)
        found, unit = statistic.ece(label, probability, np.arange(500)), np.arange(500)
        corrected, raw = (
            bootstrap_intervals(label, probability, unit, 200, trial, statistics={"ece": one})["ece"]
            for one in (found, dataclasses.replace(found, biased=False))
        )
        assert corrected[0] <= found.value() <= corrected[1]
        inside.append(corrected[0] <= truth <= corrected[1])
        plain.append(raw[0] <= truth <= raw[1])
    assert 0.89 <= np.mean(inside) <= 0.995
    assert np.mean(plain) < 0.89


def test_a_share_of_reals_needs_no_fakes() -> None:
    label, called = np.zeros(40, int), np.arange(40) % 4 == 0
    unit = np.arange(40)
    further = {"far": statistic.share(called, label == 0, unit), "acc": statistic.accuracy(label, called, unit)}
    found = bootstrap_intervals(label, called, unit, statistics=further)
    reference = stats.bootstrap((called,), np.mean, method="percentile", rng=0).confidence_interval
    assert found["far"] == pytest.approx((reference.low, reference.high), abs=0.03)
    assert np.isnan([*found["auc"], *found["acc"]]).all()


def test_names_and_numbers_of_units_give_the_same_and_a_seed_repeats_it() -> None:
    label, score, unit = simulated(np.random.default_rng(3), 30, 4, 1.0)
    names = [f"video {number:03}" for number in unit]
    once = bootstrap_intervals(label, score, unit, resamples=200, seed=5)
    assert bootstrap_intervals(label, score, names, resamples=200, seed=5) == once
    assert bootstrap_intervals(label, score, unit, resamples=200, seed=6) != once


def test_a_wider_confidence_gives_a_wider_interval_around_the_value() -> None:
    label, score, unit = simulated(np.random.default_rng(4), 60, 2, 0.5)
    narrow = bootstrap_intervals(label, score, unit, confidence=0.5)["ap"]
    wide = bootstrap_intervals(label, score, unit, confidence=0.99)["ap"]
    assert wide[0] < narrow[0] < metrics.average_precision(label, score) < narrow[1] < wide[1]


def test_perfect_separation_promises_no_certainty() -> None:
    label = np.repeat([0, 1], 20)
    unit = np.arange(40)
    further = {"acc": statistic.accuracy(label, label, unit), "far": statistic.share(label, label == 0, unit)}
    found = bootstrap_intervals(label, label * 1e4, unit, statistics=further)
    # Clopper and Pearson's limits of 20 of 20 and, for the accuracy, of 40 of 40.
    assert found["auc"] == pytest.approx((stats.binomtest(20, 20).proportion_ci().low, 1.0))
    assert found["acc"] == pytest.approx((stats.binomtest(40, 40).proportion_ci().low, 1.0))
    assert found["far"] == pytest.approx((0.0, stats.binomtest(0, 20).proportion_ci().high))
    assert found["eer"] == pytest.approx((0, 1 - 0.0125 ** (1 / 20)))
    assert np.isnan(found["ap"]).all()
    assert np.isnan(found["tpr_at_1_percent_fpr"]).all()
    worst = bootstrap_intervals(label, -label, unit)
    assert worst["auc"] == pytest.approx((0.0, stats.binomtest(0, 20).proportion_ci().high))
    # Each unit has a real and a fake: two units make one independent pair.
    paired = bootstrap_intervals(np.tile([0, 1], 20), np.tile([0, 1], 20), np.repeat(np.arange(20), 2))
    assert paired["auc"] == pytest.approx((stats.binomtest(10, 10).proportion_ci().low, 1.0))


@pytest.mark.parametrize("metric", ["auc", "eer"])
def test_exact_limits_leave_out_what_is_seldom_seen(metric: str) -> None:
    """At the limit itself, two normal classes of ten samples are parted without a fault in less than 2.5 % of draws."""
    low, high = exact_limits(metric, int(metric == "auc"), 10)
    apart = math.sqrt(2) * stats.norm.ppf(low) if metric == "auc" else -2 * stats.norm.ppf(high)
    rng = np.random.default_rng(0)
    real, fake = rng.normal(size=(20_000, 10)).max(axis=1), rng.normal(apart, size=(20_000, 10)).min(axis=1)
    assert (fake > real).mean() <= 0.025


@pytest.mark.parametrize(
    ("label", "unit", "resamples"),
    [
        ([0, 0, 1, 1], ["a", "a", "b", "c"], 100),  # all reals come from one video
        ([0, 0, 1, 1], ["a", "b", "c", "d"], 100),  # two videos each
        ([1, 1, 1, 1], ["a", "b", "c", "d"], 100),  # no reals
        ([0, 0, 1, 1], ["a", "b", "c", "d"], 0),
    ],
)
def test_no_interval_where_nothing_can_be_said(label: list[int], unit: list[str], resamples: int) -> None:
    intervals = bootstrap_intervals(label, [1.0, 2.0, 3.0, 4.0], unit, resamples)
    assert all(math.isnan(bound) for interval in intervals.values() for bound in interval)


@pytest.mark.parametrize(("units", "known"), [(4, False), (5, True)])
def test_five_units_of_each_class_are_the_fewest(units: int, known: bool) -> None:
    label, score = np.repeat([0, 1], units), np.arange(2.0 * units)[::-1] % 3
    low, high = bootstrap_intervals(label, score, np.arange(2 * units), resamples=500)["auc"]
    assert (not math.isnan(low)) == known
    if known:
        assert low < metrics.auc(label, score) < high


def test_resamples_without_both_classes_are_dropped() -> None:
    # One resample in 512 misses a class, of these 3,000 about six; a metric of one is NaN.
    score = [0, 0, 0, 0, 2, 1, 1, 1, 1, 1]
    low, high = bootstrap_intervals([0] * 5 + [1] * 5, score, np.arange(10), resamples=3000)["auc"]
    assert 0 <= low < metrics.auc([0] * 5 + [1] * 5, score) == 0.8 < high == 1.0


def test_real_and_fake_of_one_original_are_drawn_together() -> None:
    # A unit's own offset moves its real and its fake alike: drawn as a pair it largely cancels, drawn apart not.
    original = np.repeat(np.arange(50), 2)
    label = np.tile([0, 1], 50)
    score = original * 0.1 + label
    paired = bootstrap_intervals(label, score, original)["auc"]
    alone = bootstrap_intervals(label, score, np.arange(100))["auc"]
    assert paired[1] - paired[0] < 0.6 * (alone[1] - alone[0])


def test_a_thousand_resamples_of_six_thousand_samples_take_about_a_second() -> None:
    label, score, _ = simulated(np.random.default_rng(5), 6000, 1, 0.0)
    bootstrap_intervals(label, score, np.arange(6000), resamples=10)
    start = time.perf_counter()
    bootstrap_intervals(label, score, np.arange(6000), resamples=1000)
    # About half a second on one core. The bound leaves room for a busy machine, not for scikit-learn in a loop (8 s).
    assert time.perf_counter() - start < 5


def test_roc_of_weights_starts_at_the_origin() -> None:
    # One tie of everything is one point: area 1/2 and EER 1/2 only if the curve starts at (0, 0).
    label, score = [0, 1, 1], [3.0, 3.0, 3.0]
    found = weighted_metrics(rank(label, score), np.ones((1, 3)))
    assert found["auc"][0] == roc_auc_score(label, score) == 0.5
    assert found["eer"][0] == 0.5
