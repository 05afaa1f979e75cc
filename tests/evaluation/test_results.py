import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from score_table import scored, several_datasets
from sklearn.metrics import roc_auc_score

from difffake.errors import UserError
from difffake.evaluation.results import (
    comparisons,
    read_results,
    result_rows,
    video_scores,
    write_results,
)


def rows_of(rows: list[dict], **wanted: object) -> list[dict]:
    return [row for row in rows if all(row[key] == value for key, value in wanted.items())]


def test_one_row_for_each_dataset_compression_manipulation_level_and_score() -> None:
    rows = result_rows(several_datasets(), thresholds={}, resamples=20)
    found = {tuple(row[key] for key in ("dataset", "compression", "method", "level", "score")) for row in rows}
    expected = set()
    for score in ("classifier", "anomaly"):
        for level in ("frame", "video"):
            expected |= {("FF++", "c23", method, level, score) for method in ("all", "Deepfakes", "FaceSwap")}
            expected |= {("FF++", "c40", "Deepfakes", level, score), ("Celeb-DF", "", "synthesis", level, score)}
        expected.add(("drawn-unseen", "", "blend", "frame", score))  # stills: no video level
    assert found == expected
    assert len(rows) == len(expected)


def test_a_row_compares_fakes_with_reals_of_their_own_compression() -> None:
    table = several_datasets()
    (row,) = rows_of(
        result_rows(table, {}, resamples=0), dataset="FF++", compression="c40", level="frame", score="anomaly"
    )
    own = table[(table["dataset"] == "FF++") & (table["compression"] == "c40") & (table["score"] == "anomaly")]
    assert (row["n_real"], row["n_fake"]) == (24, 24)
    assert row["auc"] == pytest.approx(roc_auc_score(own["label"], own["value"]))


def test_method_all_pools_the_manipulations_and_counts_each_real_once() -> None:
    (row,) = rows_of(result_rows(several_datasets(), {}, resamples=0), method="all", level="video", score="classifier")
    assert (row["n_real"], row["n_fake"]) == (6, 12)


def test_reals_of_unknown_compression_serve_where_none_match() -> None:
    table = scored(
        method=["real", "real", "Deepfakes", "Deepfakes"],
        label=[0, 0, 1, 1],
        compression=["", "", "c23", "c40"],
        value=[0.0, 1.0, 2.0, 0.5],
    )
    rows = result_rows(table, {}, resamples=0)
    assert [(row["compression"], row["n_real"], row["auc"]) for row in rows] == [("c23", 2, 1.0), ("c40", 2, 0.5)]


def test_a_data_set_of_one_class_gives_nan_and_does_not_stop_the_others() -> None:
    table = scored(
        dataset=["fakes", "fakes", "reals", "both", "both"],
        method=["x", "x", "real", "real", "x"],
        label=[1, 1, 0, 0, 1],
        value=[1.0, -1.0, -2.0, -3.0, 3.0],
    )
    fakes, reals, both = result_rows(table, {"classifier": {"frame": 0.0}}, resamples=10)
    assert math.isnan(fakes["auc"])
    assert math.isnan(fakes["eer"])
    assert (fakes["n_real"], fakes["n_fake"], fakes["acc"]) == (0, 2, 0.5)
    assert (reals["method"], reals["n_fake"], reals["acc"]) == ("real", 0, 1.0)
    assert both["auc"] == 1.0


def test_video_value_of_a_classifier_is_the_mean_probability() -> None:
    # sigmoid(ln 3) = 3/4, sigmoid(-ln 3) = 1/4, sigmoid(1000) = 1: the mean logit would say something else entirely.
    table = scored(method="Deepfakes", label=1, video=["a", "a", "b"], value=[math.log(3), 1000.0, -math.log(3)])
    videos = video_scores(table)
    assert videos["video"].tolist() == ["a", "b"]
    # Means 7/8 and 1/4, as logits: ln 7 and -ln 3.
    np.testing.assert_allclose(videos["value"], [math.log(7), -math.log(3)], rtol=1e-12)
    assert videos["frames"].tolist() == [2, 1]


@pytest.mark.parametrize("offset", [0.0, 100.0, 1e4, -1e4])
def test_large_logits_keep_their_order_at_video_level(offset: float) -> None:
    real = scored(method="real", label=0, video=["a", "a", "b", "b"], value=[offset + v for v in (0.0, 1, 2, 3)])
    fake = scored(method="Deepfakes", label=1, video=["c", "c", "d", "d"], value=[offset + v for v in (4.0, 5, 6, 7)])
    videos = video_scores(pd.concat([real, fake]))
    assert videos["value"].is_monotonic_increasing
    assert videos["value"].nunique() == 4


def test_video_value_of_an_anomaly_score_is_the_mean_over_its_pairs() -> None:
    videos = video_scores(scored(video="a", score="anomaly", value=[-5000.0, 9000.0, 2000.0]))
    assert videos["value"].tolist() == [2000.0]


def test_a_folder_name_alone_does_not_make_a_video() -> None:
    same = [
        scored(dataset=dataset, compression=compression, method=method, label=int(method != "real"), video="000_003",
               value=[1.0])
        for dataset, compression, method in (
            ("FF++", "c23", "Deepfakes"), ("FF++", "c23", "FaceSwap"),
            ("FF++", "c40", "FaceSwap"), ("DFD", "c23", "FaceSwap"),
        )
    ]  # fmt: skip
    assert len(video_scores(pd.concat(same))) == 4


def test_accuracy_uses_the_given_threshold_of_its_level_and_score() -> None:
    table = scored(
        method=["real", "real", "x", "x"], label=[0, 0, 1, 1], video=["a", "b", "c", "d"], value=[-1, 3, 2, 4]
    )
    thresholds = {"classifier": {"frame": 2.5, "video": 0.5}, "anomaly": {"frame": None}}
    frame, video = result_rows(pd.concat([table]), thresholds, resamples=0)
    assert (frame["level"], frame["threshold"], frame["acc"]) == ("frame", 2.5, 0.5)
    assert (video["level"], video["threshold"], video["acc"]) == ("video", 0.5, 0.75)
    (anomaly,) = result_rows(table.assign(score="anomaly", video=""), thresholds, resamples=0)
    assert anomaly["threshold"] is None
    assert math.isnan(anomaly["acc"])


def test_intervals_hold_their_values_and_name_their_unit() -> None:
    for row in result_rows(several_datasets(), {}, resamples=200):
        for metric in ("auc", "eer", "ap"):
            if metric == "ap" and row["auc"] == 1:  # no overlap: its interval is not known
                assert math.isnan(row["ap_low"])
            else:
                assert row[f"{metric}_low"] <= row[metric] <= row[f"{metric}_high"]
        assert row["resampled_by"] == ("target" if row["dataset"] == "drawn-unseen" else "video")


def test_comparisons_of_one_manipulation_have_no_row_called_all() -> None:
    table = scored(method=["real", "x"], label=[0, 1], value=[0.0, 1.0])
    assert [method for _, _, method, _ in comparisons(table)] == ["x"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"value": [0.0, math.nan]},
            "1 of 2 scores are NaN or infinite, the first the classifier score of b.png in FF",
        ),
        ({"label": [0, 0]}, "b.png in FF.. has label 0 and method 'x'"),
        (
            {"path": ["b.png", "b.png"], "method": "x", "label": 1},
            "1 frame.s. occur more than once, the first b.png",
        ),
        ({"video": ["", None]}, "empty cells in video"),
    ],
)
def test_mistakes_are_named(change: dict, message: str) -> None:
    table = scored(method=["real", "x"], label=[0, 1], path=["a.png", "b.png"], value=[0.0, 1.0])
    with pytest.raises(UserError, match=message):
        result_rows(table.assign(**change), {})


def test_a_missing_column_is_named() -> None:
    with pytest.raises(UserError, match=r"lacks the column\(s\) video, value"):
        result_rows(scored(value=[0.0]).drop(columns=["video", "value"]), {})


def test_a_frame_may_be_in_several_pairs_and_in_several_compressions() -> None:
    table = scored(method="x", label=1, score="anomaly", path="same.png", value=[0.0, 1.0])
    twice = scored(method="x", label=1, compression=["c23", "c40"], path="same.png", value=[0.0, 1.0])
    assert len(result_rows(pd.concat([table, twice]), {}, resamples=0)) == 3


DOMAIN = {"score": "x", "level": "frame", "pooled_auc": 0.5, "pooled_false_alarm_rate": None, "sets": []}


def test_results_survive_writing_and_nan_becomes_null(tmp_path: Path) -> None:
    rows = result_rows(scored(method="x", label=1, value=[0.0, 1.0]), {}, resamples=10)
    facts = {"seed": np.int64(3), "list": (1.5, math.inf)}
    path = write_results(tmp_path / "new", rows, facts, [DOMAIN])

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    content = json.loads(path.read_text(), parse_constant=refuse)
    assert content["rows"][0]["auc"] is None
    assert content["rows"][0]["n_fake"] == 2
    assert content["provenance"] == {"seed": 3, "list": [1.5, None]}
    assert read_results(tmp_path / "new") == (content["rows"], [DOMAIN], content["provenance"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not valid JSON"),
        ("[]", "is not an object"),
        ('{"rows": [1]}', "has no list of rows"),
        ('{"rows": [{"dataset": "x"}]}', "row 0 of rows has no valid method"),
        ('{"rows": [], "domains": [{"score": "x"}]}', "row 0 of domains has no valid level"),
        ('{"rows": [], "provenance": 3}', "provenance is not an object"),
        ('{"rows": [], "domains": {}}', "has no list of domains"),
    ],
)
def test_broken_results_are_refused_by_name(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "results.json").write_text(text)
    with pytest.raises(UserError, match=f"results.json.*{message}"):
        read_results(tmp_path)


def test_a_number_that_is_text_is_refused(tmp_path: Path) -> None:
    rows = result_rows(scored(method=["real", "x"], label=[0, 1], value=[0.0, 1.0]), {}, resamples=0)
    write_results(tmp_path, [rows[0] | {"auc": "0.9"}], {})
    with pytest.raises(UserError, match="row 0 of rows has no valid auc"):
        read_results(tmp_path)


def test_missing_results_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"results\.json does not exist"):
        read_results(tmp_path)


def test_file_size_alone_tells_real_deepfakes_a_little(shared_data: Path) -> None:
    # The floor that the data's own description gives: AUC 0.578, smaller = fake.
    manifest = pd.read_csv(shared_data / "dfdc_faces" / "manifest.csv")
    images = shared_data / "dfdc_faces" / "images"
    table = scored(
        dataset="dfdc_faces",
        method=["real" if label == "real" else "unknown" for label in manifest["label"]],
        label=(manifest["label"] == "fake").astype(int),
        path=manifest["file"],
        target=manifest["original"],
        score="bytes",
        value=[-float((images / name).stat().st_size) for name in manifest["file"]],
    )
    (row,) = result_rows(table, {}, resamples=1000)
    assert (row["n_real"], row["n_fake"], row["units"]) == (2000, 3599, 2000)
    assert row["auc"] == pytest.approx(0.578, abs=0.001)
    assert 0.57 < row["auc_low"] < row["auc"] < row["auc_high"] < 0.59
    assert row["resampled_by"] == "target"
