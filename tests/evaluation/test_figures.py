from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.special import expit
from score_table import scored, several_datasets
from sklearn.metrics import roc_curve

from difffake.evaluation.figures import histogram_figure, roc_figure, write_figures


def test_one_roc_and_one_histogram_for_each_score_and_level(tmp_path: Path) -> None:
    paths = write_figures(several_datasets(), tmp_path / "figures")
    assert {path.name for path in paths} == {
        f"{kind}_{score}_{level}.png"
        for kind in ("roc", "scores")
        for score in ("classifier", "anomaly")
        for level in ("frame", "video")
    }
    assert sorted(paths) == sorted((tmp_path / "figures").iterdir())  # nothing half written is left
    for path in paths:
        image = cv2.imread(str(path))
        assert min(image.shape[:2]) > 300
        assert len(np.unique(image)) > 20  # something is drawn


def test_data_sets_without_both_classes_and_stills_at_video_level_are_left_out(tmp_path: Path) -> None:
    table = scored(method=["x", "x"], label=1, value=[0.0, 1.0])
    assert write_figures(table, tmp_path) == []


def test_the_curve_is_scikit_learns_and_the_legend_has_its_auc() -> None:
    table = scored(method=["real", "real", "x", "x"], label=[0, 0, 1, 1], value=[0.1, 0.4, 0.35, 0.8])
    axes = roc_figure({"a set": table}, "title").axes[0]
    curve = axes.lines[-1]
    false_positive, true_positive, _ = roc_curve(table["label"], table["value"])
    np.testing.assert_array_equal(curve.get_xdata(), false_positive)
    np.testing.assert_array_equal(curve.get_ydata(), true_positive)
    assert curve.get_label() == "a set  75.0"


def test_no_two_curves_look_the_same() -> None:
    table = scored(method=["real", "x"], label=[0, 1], value=[0.0, 1.0])
    lines = roc_figure({f"set {number}": table for number in range(20)}, "title").axes[0].lines[2:]
    assert len({(line.get_color(), line.get_linestyle()) for line in lines}) == 20


def panel(score: str, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Density and edges of the bins of the reals, as drawn; every second sample is real."""
    fake = np.arange(len(values)) % 2
    table = scored(method=np.where(fake, "x", "real"), label=fake, score=score, value=values)
    axes = histogram_figure({"a set": table}, "title").axes[0]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [
        f"real ({(fake == 0).sum()})", f"fake ({fake.sum()})",
    ]  # fmt: skip
    outline = axes.patches[0].get_xy()  # up and down each bin's sides, then back along the ground
    edges = np.unique(outline[:, 0])
    return outline[1 : 2 * len(edges) - 2 : 2, 1], edges


def test_logits_are_drawn_as_probabilities() -> None:
    logits = np.random.default_rng(0).normal(scale=3, size=1000)
    density, edges = panel("classifier", logits)
    assert (edges[0], edges[-1]) == (0.0, 1.0)
    np.testing.assert_allclose(density, np.histogram(expit(logits[::2]), edges, density=True)[0], rtol=1e-9)


def test_far_away_scores_are_counted_in_the_outermost_bins() -> None:
    values = np.arange(1000.0)
    values[998] = 1e9
    density, edges = panel("anomaly", values)
    assert edges[-1] < 1000
    share = density * np.diff(edges)
    assert share.sum() == pytest.approx(1)
    assert share[-1] == pytest.approx((values[::2] >= edges[-2]).mean())


def test_scores_that_are_all_the_same_have_a_panel_too() -> None:
    density, edges = panel("anomaly", np.full(4, 3.0))
    assert (edges[0], edges[-1]) == (2.5, 3.5)
    assert density.max() > 0
