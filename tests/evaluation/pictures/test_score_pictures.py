"""The pictures of an evaluation, from a score table."""

import json
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from score_table import scored, several_datasets

from difffake.evaluation.evaluate import write_evaluation
from difffake.evaluation.pictures.histograms import histogram_figure
from difffake.evaluation.pictures.score_sets import ScoreSet, score_sets
from difffake.evaluation.pictures.write import write_pictures
from difffake.evaluation.results import Results, result_rows
from difffake.plots import read_caption

THRESHOLDS = {"classifier": {"frame": 0.5, "video": 0.5}, "anomaly": {"frame": 100.0, "video": 100.0}}


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    scores = several_datasets()
    return scores.assign(frame=scores.groupby(["dataset", "compression", "method", "score"]).cumcount(), track=0)


def test_each_score_has_its_pictures_as_png_and_svg_with_captions(table: pd.DataFrame, tmp_path: Path) -> None:
    rows = result_rows(table, THRESHOLDS, 50)
    paths = write_pictures(table, rows, tmp_path / "pictures", THRESHOLDS, resamples=50)
    names = {
        f"{kind}_{score}_{level}"
        for kind, levels in (("roc", ("frame", "video")), ("det", ["frame"]), ("histogram", ["frame"]))
        for score in ("classifier", "anomaly")
        for level in levels
    } | {"reliability_classifier_frame", "timeline"}
    assert {path.stem for path in paths} == names
    assert sorted(path.name for path in (tmp_path / "pictures").iterdir()) == sorted(
        f"{name}.{kind}" for name in names for kind in ("png", "svg")
    )
    for path in paths:
        image = cv2.imread(str(path))
        assert min(image.shape[:2]) > 300
        assert image.shape[1] <= 7 * 150
        assert len(np.unique(image)) > 20  # something is drawn
        assert len(read_caption(path)) > 50
        assert read_caption(path)[:40] in path.with_suffix(".svg").read_text()
    assert "the anomaly score of a video" in read_caption(tmp_path / "pictures" / "roc_anomaly_video.png")


def test_scores_of_other_detectors_are_compared_in_one_picture_per_level(table: pd.DataFrame, tmp_path: Path) -> None:
    other = table[table["score"] == "classifier"].assign(score="file size")
    both = pd.concat([table[table["score"] == "classifier"], other])
    rows = result_rows(both, {}, 0)
    names = {path.stem for path in write_pictures(both, rows, tmp_path, resamples=0)}
    assert {"roc_all_frame", "roc_all_video", "roc_classifier_frame"} < names
    assert not any("file" in name for name in names)
    none_of_them = both.replace({"score": {"classifier": "Meso4"}})  # without a checkpoint
    names = {
        path.stem for path in write_pictures(none_of_them, result_rows(none_of_them, {}, 0), tmp_path, resamples=0)
    }
    assert {"roc_all_frame", "roc_all_video", "roc_Meso4_frame", "roc_file-size_frame"} < names


def test_data_sets_without_both_classes_and_stills_at_video_level_are_left_out(tmp_path: Path) -> None:
    scores = scored(method=["x", "x"], label=1, value=[0.0, 1.0])
    assert write_pictures(scores, [], tmp_path) == []


def test_sets_have_the_limits_of_the_row_with_all_manipulations(table: pd.DataFrame) -> None:
    rows = json.loads(json.dumps(result_rows(table, THRESHOLDS, 50)))
    sets = score_sets(table, rows, "anomaly", "video", THRESHOLDS)
    assert [one.name for one in sets] == ["FF++ c23", "FF++ c40", "Celeb-DF"]
    wanted = next(r for r in rows if (r["score"], r["level"], r["method"]) == ("anomaly", "video", "all"))
    assert sets[0].interval == (wanted["auc_low"], wanted["auc_high"])
    assert [len(one.label) for one in sets] == [18, 12, 16]
    assert sets[0].threshold == 100.0


@pytest.mark.parametrize("logits", [True, False])
def test_a_classifiers_logits_are_drawn_as_probabilities_and_other_scores_as_they_are(logits: bool) -> None:
    value = np.random.default_rng(0).normal(scale=3, size=400)
    fake = np.arange(400) % 4 > 0
    figure = histogram_figure([ScoreSet("a set", fake.astype(int), value, 1.0)], "title", "frames", logits)
    drawn = 100 * expit(value) if logits else value
    limits = (0, 100) if logits else np.quantile(value, (0.005, 0.995))
    outline = figure.axes[0].patches[0].get_data()  # of the reals
    assert (outline.edges[0], outline.edges[-1]) == pytest.approx(limits)
    wanted = np.histogram(np.clip(drawn[~fake], *limits), outline.edges)[0] / 100
    np.testing.assert_allclose(outline.values, wanted, rtol=1e-9)
    assert figure.axes[0].lines[0].get_xdata()[0] == pytest.approx(100 * expit(1.0) if logits else 1.0)
    assert figure.get_supylabel() == "share of each class's frames"


def test_bands_have_the_resamples_of_the_evaluation(table: pd.DataFrame, tmp_path: Path) -> None:
    scores = table[table["score"] == "classifier"]
    found = Results(result_rows(scores, {}, 0), [], {"testbed": False})
    for resamples, banded in ((0, False), (20, True)):
        out = tmp_path / str(resamples)
        write_evaluation(out, scores, found, [], None, resamples=resamples)
        assert ("FillBetweenPolyCollection" in (out / "roc_classifier_video.svg").read_text()) == banded
