"""ROC and DET curves, their bands, and their legends."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm
from seen_texts import check_texts, seen_texts
from sklearn.metrics import det_curve, roc_curve

from difffake.evaluation.pictures.bands import GRID, roc_band
from difffake.evaluation.pictures.curves import det_figure, in_panels, roc_figure
from difffake.evaluation.pictures.score_sets import ScoreSet
from difffake.intervals import bootstrap_intervals

LABEL = np.array([0, 0, 1, 1])
VALUE = np.array([0.1, 0.4, 0.35, 0.8])
LONG = "a data set with a long name, made of many words"


def normal_set(name: str, shift: float, units: int = 60) -> ScoreSet:
    """Normally distributed scores of `units` real and as many fake videos with four frames each."""
    rng = np.random.default_rng(0)
    label = np.repeat([0, 1], 4 * units)
    value = rng.normal(size=8 * units) + shift * label
    unit = np.repeat(np.arange(2 * units), 4)
    return ScoreSet(name, label, value, 0.0, (0.1, 0.9), roc_band(label, value, unit, 200))


def test_the_curves_are_scikit_learns_and_the_legend_has_the_auc_of_the_table() -> None:
    one = ScoreSet("a set", LABEL, VALUE, interval=(0.5, 0.9))
    roc = roc_figure(in_panels([one]), "title").axes[0].lines[-1]
    false_positive, true_positive, _ = roc_curve(LABEL, VALUE)
    np.testing.assert_array_equal(roc.get_xdata(), false_positive)
    np.testing.assert_array_equal(roc.get_ydata(), true_positive)
    assert roc.get_label() == "a set: 75.0\N{NO-BREAK SPACE}[50.0,\N{NO-BREAK SPACE}90.0]"
    det = det_figure(in_panels([one]), "title").axes[0].lines[-1]
    false_positive, missed, _ = det_curve(LABEL, VALUE)
    np.testing.assert_array_equal(det.get_xdata(), false_positive)
    np.testing.assert_array_equal(det.get_ydata(), missed)
    assert replace(one, interval=(np.nan, np.nan)).described == "a set: 75.0"


def test_axes_of_det_curves_are_normal_deviates() -> None:
    axes = det_figure(in_panels([normal_set("a", 1.0)]), "title").axes[0]
    rates = np.array([0.01, 0.1, 0.5, 0.9])
    np.testing.assert_allclose(axes.xaxis.get_transform().transform(rates), norm.ppf(rates))
    assert axes.lines[0].get_label().startswith("_")


def test_the_dot_is_at_the_rates_of_the_threshold() -> None:
    one = ScoreSet("a set", LABEL, VALUE, threshold=0.4)
    (x,), (y,) = roc_figure(in_panels([one]), "title").axes[0].lines[-1].get_data()
    assert (x, y) == (0.5, 0.5)
    (x,), (y,) = det_figure(in_panels([one]), "title").axes[0].lines[-1].get_data()
    assert (x, y) == (0.5, 0.5)


def test_the_band_contains_the_curve_and_has_the_width_of_the_auc_s_interval() -> None:
    one = normal_set("a", 1.0)
    false_positive, true_positive, _ = roc_curve(one.label, one.value, drop_intermediate=False)
    at = np.array([true_positive[false_positive <= rate].max() for rate in GRID])
    low, high = one.band or (None, None)
    inside = (at >= low - 0.02) & (at <= high + 0.02)
    assert inside.all()
    assert (np.diff(low) >= -1e-9).all()
    # Frames of a video are drawn together, as for the interval of the AUC, so its area is about as wide.
    unit = np.repeat(np.arange(120), 4)
    least, most = bootstrap_intervals(one.label, one.value, unit, 200)["auc"]
    width = np.trapezoid(high - low, GRID)
    assert most - least < width < 3 * (most - least)


def test_the_band_at_a_rate_is_the_quantile_of_single_resamples() -> None:
    """At one false-positive rate, by weights of scikit-learn's curve instead of own sums."""
    rng = np.random.default_rng(3)
    label = np.repeat([0, 1], 30)
    value, unit = rng.normal(size=60) + label, np.arange(60)
    drawn = np.random.default_rng([0]).integers(60, size=(300, 60))
    rates = []
    for row in drawn:
        weight = np.bincount(row, minlength=60)
        false_positive, true_positive, _ = roc_curve(label, value, sample_weight=weight, drop_intermediate=False)
        rates.append(np.interp(0.305, false_positive + 1e-12 * np.arange(len(false_positive)), true_positive))
    band = roc_band(label, value, unit, 300)
    assert band is not None
    wanted = np.quantile(rates, (0.025, 0.975))
    place = [np.interp(0.305, GRID, limit) for limit in band]
    assert place == pytest.approx(wanted, abs=0.03)


def test_there_is_no_band_of_few_units_or_without_resamples() -> None:
    label, value = np.repeat([0, 1], 8), np.arange(16.0)
    assert roc_band(label, value, np.arange(16) // 2, 100) is None  # four videos of each class
    assert roc_band(label, value, np.arange(16), 0) is None
    assert roc_band(label, value, np.arange(16), 100) is not None


@pytest.mark.parametrize("count", [1, 10])
def test_names_are_whole_and_nothing_overlaps(count: int) -> None:
    sets = [normal_set(f"{LONG} {number}", number / 5) for number in range(count)]
    for figure in (roc_figure(in_panels(sets), "title"), det_figure(in_panels(sets), "title")):
        check_texts(figure)
        drawn = " ".join(text.replace("\n", " ") for text, _ in seen_texts(figure))
        assert all(f"{LONG} {number}:" in drawn for number in range(count))
        assert figure.get_figwidth() <= 7


def test_curves_of_one_panel_differ_in_color_and_style_and_have_bands() -> None:
    axes = roc_figure(in_panels([normal_set(str(number), number) for number in range(4)]), "title").axes[0]
    lines = [line for line in axes.lines if not line.get_label().startswith("_")]
    assert len({line.get_color() for line in lines}) == len({line.get_linestyle() for line in lines}) == 4
    assert len(axes.collections) == 4
    axes = roc_figure([("all scores", [normal_set(str(number), number) for number in range(6)])], "title").axes[0]
    assert not axes.collections  # six bands would hide each other


def test_a_score_looks_the_same_in_every_panel() -> None:
    first, second, third = (normal_set(name, 1.0) for name in ("classifier", "anomaly", "file size"))
    figure = roc_figure([("A", [first, third]), ("B", [first, second, third])], "all scores")
    found = [
        {line.get_label().split(":")[0]: (line.get_color(), line.get_linestyle()) for line in axes.lines}
        for axes in figure.axes
    ]
    assert found[0]["file size"] == found[1]["file size"]
    assert len({found[1][name] for name in ("classifier", "anomaly", "file size")}) == 3
    check_texts(figure)
