from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.special import expit
from score_table import scored, several_datasets
from sklearn.metrics import roc_curve

from difffake.evaluation.figures import histogram_figure, roc_figure, write_figures
from difffake.plots import read_caption


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
        units = "frame or image" if "frame" in path.stem else "video"
        assert f"{path.stem.split('_')[1]} score of " in read_caption(path)
        assert units in read_caption(path)


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


@pytest.mark.parametrize("score", ["classifier", "anomaly"])
def test_a_classifiers_logits_are_drawn_as_probabilities_and_other_scores_as_they_are(score: str) -> None:
    logits = np.random.default_rng(0).normal(scale=3, size=400)
    fake = np.arange(400) % 4 > 0
    table = scored(method=np.where(fake, "x", "real"), label=fake.astype(int), score=score, value=logits)
    figure = histogram_figure({"a set": table}, "title", "frames")
    drawn = expit(logits) if score == "classifier" else logits
    limits = (0, 1) if score == "classifier" else np.quantile(logits, (0.005, 0.995))
    outline = figure.axes[0].patches[0].get_data()  # of the reals
    assert (outline.edges[0], outline.edges[-1]) == pytest.approx(limits)
    wanted = np.histogram(np.clip(drawn[~fake], *limits), outline.edges)[0] / 100
    np.testing.assert_allclose(outline.values, wanted, rtol=1e-9)
    assert figure.get_supxlabel() == ("probability of fake" if score == "classifier" else "score, higher = more fake")
    assert figure.get_supylabel() == "share of each class's frames"
