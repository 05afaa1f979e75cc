"""Paired comparison of AUCs: against scikit-learn, MLstatkit, statsmodels, scipy and hand-made numbers."""

import math

import numpy as np
import pytest
from MLstatkit import Delong_test
from scipy import stats
from sklearn.metrics import roc_auc_score
from statsmodels.stats.multitest import multipletests

from difffake.evaluation.delong import delong_test
from difffake.evaluation.paired import paired_aucs, resampled_aucs
from difffake.evaluation.significance import Error, holm, limits, over_seeds, together, two_sided


def samples(seed: int, real: int, fake: int, digits: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Labels (N,) and two scores (2, N) that share a part; few digits give ties."""
    rng = np.random.default_rng(seed)
    label = rng.permutation(np.repeat([0, 1], [real, fake]))
    shared = rng.normal(size=real + fake)
    scores = np.stack([shared + rng.normal(size=real + fake) + shift * label for shift in (0.8, 1.4)])
    return label, scores.round(digits)


@pytest.mark.parametrize("digits", [8, 0])
@pytest.mark.parametrize(("real", "fake"), [(30, 50), (200, 40)])
def test_delong_agrees_with_mlstatkit(real: int, fake: int, digits: int) -> None:
    label, (first, second) = samples(real, real, fake, digits)
    z, p, _, _, auc_first, auc_second, told = Delong_test(label, first, second)
    assert told["method"] == "delong"
    found = delong_test(label, first, second)
    assert found.p == pytest.approx(p, rel=1e-9)
    assert found.difference / found.error == pytest.approx(z, rel=1e-9)
    assert found.difference == pytest.approx(auc_second - auc_first, abs=1e-12)


def test_delong_by_hand() -> None:
    """Reals 1 and 3, fakes 2 and 4: shares 1, 1/2 of fakes above, 1/2, 1 of reals below. The other score has it all."""
    found = delong_test([0, 0, 1, 1], [1, 3, 2, 4], [1, 2, 3, 4])
    # Differences 0, 1/2 in each class: variance 1/8, over two samples 1/16, twice.
    assert found.difference == 0.25
    assert found.error == pytest.approx(math.sqrt(1 / 8))
    assert found.p == pytest.approx(2 * stats.norm.sf(0.25 / math.sqrt(1 / 8)))
    assert delong_test([0, 0, 1, 1], [1, 2, 3, 4], [10, 20, 30, 40]).p == 1
    assert math.isnan(delong_test([0, 0, 1, 1], [4, 3, 2, 1], [1, 2, 3, 4]).p)
    assert math.isnan(delong_test([0, 1, 1], [1, 2, 3], [1, 3, 2]).p)


@pytest.mark.parametrize("digits", [8, 0])
def test_every_resample_has_the_auc_of_the_repeated_samples(digits: int) -> None:
    label, scores = samples(1, 20, 30, digits)
    units = np.random.default_rng(2).integers(12, size=50)
    units[:12] = range(12)
    drawn = resampled_aucs(label, scores, units, 40, seed=5)
    rng = np.random.default_rng([5])
    counts = [np.bincount(draw, minlength=12) for draw in rng.integers(12, size=(40, 12))]
    for number, count in enumerate(counts):
        weight = count[units]
        expected = [roc_auc_score(label, score, sample_weight=weight) for score in scores]
        assert drawn[:, number] == pytest.approx(expected, abs=1e-12)


def test_chunks_of_resamples_do_not_change_them(monkeypatch: pytest.MonkeyPatch) -> None:
    label, scores = samples(3, 30, 30)
    units = np.arange(60)
    whole = resampled_aucs(label, scores, units, 50, seed=0)
    monkeypatch.setattr("difffake.evaluation.paired.ELEMENTS", 1)
    assert np.array_equal(resampled_aucs(label, scores, units, 50, seed=0), whole)


def test_the_error_of_independent_samples_is_delongs() -> None:
    label, scores = samples(4, 300, 300)
    found = paired_aucs(label, scores[:1], scores[1:], np.arange(600).astype(object), 2000, 0)
    exact = delong_test(label, *scores)
    assert found.difference == pytest.approx(exact.difference)
    assert found.error.size == pytest.approx(exact.error, rel=0.05)
    assert found.error.freedom == 299
    # Copies of every sample add nothing if they are drawn together.
    unit = np.tile(np.arange(600), 3).astype(object)
    three = np.tile(scores, 3)
    copied = paired_aucs(np.tile(label, 3), three[:1], three[1:], unit, 2000, 0)
    assert copied.error.size == pytest.approx(found.error.size)


def test_means_over_seeds_share_the_resamples() -> None:
    """The same scores as several seeds change nothing; opposite deviations of two seeds cancel."""
    label, scores = samples(6, 60, 60)
    unit = np.arange(120).astype(object)
    one = paired_aucs(label, scores[:1], scores[1:], unit, 500, 0)
    several = paired_aucs(label, scores[[0, 0]], scores[[1, 1, 1]], unit, 500, 0)
    assert several.error.size == pytest.approx(one.error.size)
    assert (several.first, several.second) == (one.first * 2, one.second * 3)
    swapped = paired_aucs(label, scores, scores[::-1], unit, 500, 0)
    assert (swapped.difference, swapped.error.size) == (0, pytest.approx(0, abs=1e-12))


def test_few_units_have_no_error() -> None:
    label, scores = samples(7, 40, 40)
    real = np.cumsum(label == 0) % 4
    unit = np.where(label == 0, real, 100 + np.arange(80)).astype(object)
    assert math.isnan(paired_aucs(label, scores[:1], scores[1:], unit, 500, 0).error.size)


@pytest.mark.parametrize("p", [[0.01], [0.04, 0.03, 0.02, 0.011], [0.2, 0.001, 0.5, 0.013, 0.9, 0.01]])
def test_holm_agrees_with_statsmodels(p: list[float]) -> None:
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1].tolist())
    with_hole = holm([*p, math.nan])
    assert with_hole[:-1] == holm(p)
    assert math.isnan(with_hole[-1])


def test_seeds_are_compared_as_scipy_does() -> None:
    first, second = [0.70, 0.74, 0.71], [0.75, 0.76, 0.78]
    difference = sum(second) / 3 - sum(first) / 3
    for paired, expected in (
        (True, stats.ttest_rel(second, first)),
        (False, stats.ttest_ind(second, first, equal_var=False)),
    ):
        error = over_seeds(first, second, paired)
        assert error is not None
        assert two_sided(difference, error) == pytest.approx(expected.pvalue)
        ends = expected.confidence_interval(0.95)
        assert limits(difference, error) == pytest.approx((ends.low, ends.high))
    assert over_seeds([0.7], second, paired=False) is None


def test_errors_of_two_sources_add_up() -> None:
    error = together([Error(0.03, 2), Error(0.04, 100)])
    assert error.size == pytest.approx(0.05)
    assert error.freedom == pytest.approx(0.05**4 / (0.03**4 / 2 + 0.04**4 / 100))
    assert two_sided(0, Error(0, 3)) == 1
    assert math.isnan(two_sided(0.1, Error(0, 3)))
    assert math.isnan(limits(0.1, Error(0, 3))[0])
    assert limits(0.9, Error(0.2, 3)) == (pytest.approx(0.9 - 0.2 * stats.t.isf(0.025, 3)), 1)
