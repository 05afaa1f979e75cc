"""The summary over test sets: what AUCs of single sets hide."""

import io
import math

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from score_table import scored, several_datasets
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from difffake.evaluation.calibrate import fit_scores
from difffake.evaluation.calibration import Calibration
from difffake.evaluation.domains import domain_rows
from difffake.evaluation.rate_tables import domain_remarks, domain_tables, rate_tables
from difffake.evaluation.results import result_rows
from difffake.evaluation.tables import print_results
from difffake.intervals import bootstrap_intervals


def stills(seed: int, dataset: str, shift: float, n: int = 400) -> pd.DataFrame:
    """Stills, half of them fake; `shift` is added to all scores of the set."""
    rng = np.random.default_rng(seed)
    label = np.arange(n) % 2
    return scored(
        dataset=dataset, label=label, method=np.where(label, "x", "real"), value=shift + rng.normal(size=n) + 2 * label
    )


@pytest.fixture(scope="module")
def calibration() -> Calibration:
    scores = fit_scores(stills(0, "val", 0.0, 2000), "temperature")
    return Calibration("", None, "temperature", "manifest", frozenset(), None, scores)


@pytest.fixture(scope="module")
def scores() -> pd.DataFrame:
    return pd.concat([stills(1, "same", 0.0), stills(2, "shifted", 2.0)], ignore_index=True)


THRESHOLDS = {"classifier": {"frame": 1.0, "video": 1.0}}


def test_a_shift_of_one_set_is_seen_only_together(calibration: Calibration, scores: pd.DataFrame) -> None:
    (domain,) = domain_rows(scores, THRESHOLDS, 100, 0, calibration)
    label, value = scores["label"], scores["value"]
    assert (domain["score"], domain["level"], domain["n_real"], domain["n_fake"]) == ("classifier", "frame", 400, 400)
    assert domain["pooled_auc"] == pytest.approx(roc_auc_score(label, value))
    assert domain["pooled_auc_low"] < domain["pooled_auc"] < domain["pooled_auc_high"]
    assert domain["pooled_balanced_accuracy"] == pytest.approx(balanced_accuracy_score(label, value >= 1))
    assert domain["pooled_false_alarm_rate"] == pytest.approx((value[label == 0] >= 1).mean())
    same, shifted = domain["sets"]
    assert same["auc"] == pytest.approx(shifted["auc"], abs=0.06)
    assert domain["pooled_auc"] < same["auc"] - 0.05
    assert same["shift_low"] < 0.5 < same["shift_high"]
    assert shifted["shift_low"] > 0.85
    assert shifted["median_difference"] == pytest.approx(2, abs=0.25)
    known = calibration.scores["classifier"]["frame"].real.score
    own = value[(scores["dataset"] == "shifted") & (label == 0)]
    wanted = roc_auc_score(np.repeat([0, 1], [len(known), len(own)]), [*known, *own])
    assert shifted["shift"] == pytest.approx(wanted)
    assert shifted["false_alarm_rate"] == pytest.approx((own >= 1).mean())


def test_promised_and_realized_false_alarms(calibration: Calibration, scores: pd.DataFrame) -> None:
    (domain,) = domain_rows(scores, THRESHOLDS, 200, 0, calibration)
    same, shifted = (one["promised"] for one in domain["sets"])
    assert [promise["rate"] for promise in same] == [0.01, 0.05]
    value = scores["value"][(scores["dataset"] == "same") & (scores["label"] == 0)]
    for promise in same:
        assert promise["enough"]
        assert promise["realized"] == (value >= promise["fake_above"]).mean()
        assert promise["realized_low"] <= promise["rate"] <= promise["realized_high"]
        assert promise["missed"] < 3 * promise["rate"] + 0.02
        assert promise["detected"] + promise["cannot_tell"] + promise["missed"] > 0.5
    assert shifted[1]["realized_low"] > 0.4


def test_without_calibration_there_is_no_shift(scores: pd.DataFrame) -> None:
    (domain,) = domain_rows(scores, THRESHOLDS, 0)
    for one in domain["sets"]:
        assert math.isnan(one["shift"])
        assert math.isnan(one["median_difference"])
        assert one["promised"] == []
        assert 0 < one["false_alarm_rate"] < 1


def test_one_entry_for_each_score_and_level_and_compressions_are_sets() -> None:
    domains = domain_rows(several_datasets(), {}, 20)
    assert {(d["score"], d["level"]) for d in domains} == {
        (score, level) for score in ("classifier", "anomaly") for level in ("frame", "video")
    }
    names = [(one["dataset"], one["compression"]) for one in domains[0]["sets"]]
    assert names == [("FF++", "c23"), ("FF++", "c40"), ("Celeb-DF", ""), ("drawn-unseen", "")]
    assert all(math.isnan(one["false_alarm_rate"]) for one in domains[0]["sets"])
    assert domain_remarks(domains) == ["There is no FPR, because there is no threshold from validation data."]
    some = domain_rows(several_datasets(), {"anomaly": {"frame": 0.0}}, 0)
    assert domain_remarks(some)[0].endswith("at the threshold of the validation data, where there is one.")


def test_the_videos_are_printed_if_there_are_videos() -> None:
    domains = domain_rows(several_datasets(), {}, 20)
    printed = []
    for shown in (domains, [domain for domain in domains if domain["level"] == "frame"]):
        print_results([], Console(file=(stream := io.StringIO())), shown)
        printed.append(stream.getvalue())
    assert "Across data sets, video level, anomaly score" in printed[0]
    assert "frame level" not in printed[0]
    assert "Across data sets, frame level, anomaly score" in printed[1]


def test_both_compressions_of_a_video_are_one_unit_and_equal_names_of_two_sets_are_not() -> None:
    label = np.repeat([0, 1], 20)
    common = {"label": label, "method": np.where(label, "x", "real"), "video": [f"{n % 20:02}" for n in range(40)]}
    value = np.random.default_rng(0).normal(size=40) + label
    twice = pd.concat([scored(**common, value=value, compression=name) for name in ("c23", "c40")])
    two = pd.concat([scored(**common, value=value, dataset=name) for name in ("a", "b")])
    widths = []
    for scores in (twice, two):
        (frame, _) = domain_rows(scores, {}, 500)
        widths.append(frame["pooled_auc_high"] - frame["pooled_auc_low"])
    # Two equal halves, drawn together, say no more than one.
    low, high = bootstrap_intervals(label, value, [f"{one}{n % 20}" for n, one in enumerate(label)], 500)["auc"]
    assert widths[0] == pytest.approx(high - low, rel=0.15)
    assert widths[1] < 0.85 * widths[0]


def test_tables_name_shift_and_promises(calibration: Calibration, scores: pd.DataFrame) -> None:
    domains = domain_rows(scores, THRESHOLDS, 50, 0, calibration)
    (table,) = domain_tables(domains)
    assert table.title == "Across data sets, frame level, classifier score"
    assert table.columns == ["Data set", "AUC", "Shift", "FPR", "promised 1 %", "promised 5 %"]
    assert [cells[0] for cells in table.cells] == ["same", "shifted", "all together"]
    assert table.cells[2][2] == "-"
    assert len(domain_remarks(domains)) == 2
    few = fit_scores(stills(0, "val", 0.0, 60), "temperature")
    poor = Calibration("", None, "temperature", "manifest", frozenset(), None, few)
    domains = domain_rows(scores, THRESHOLDS, 0, 0, poor)
    assert "too few real faces calibrated to promise 1 %" in domain_remarks(domains)[-1]
    assert domain_tables(domains)[0].cells[0][-2] == "-"
    assert [one["promised"][0]["realized"] for one in domains[0]["sets"]] == [0, 0]
    # One data set and no calibration: the ordinary tables say it all.
    assert domain_tables(domain_rows(scores[scores["dataset"] == "same"], THRESHOLDS, 0)) == []
    assert domain_remarks([]) == []


def test_table_of_rates(calibration: Calibration, scores: pd.DataFrame) -> None:
    rows = result_rows(scores, THRESHOLDS, 0, 0, calibration)
    (table,) = rate_tables(rows)
    assert len(table.cells) == 2
    assert all(len(cells) == len(table.columns) for cells in table.cells)
    assert table.cells[0][3] == f"{100 * rows[0]['balanced_accuracy']:.1f}"
    assert table.cells[0][-2] == f"{rows[0]['brier']:.3f}"
