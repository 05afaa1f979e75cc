"""The summary over data sets in a report."""

from pathlib import Path

import numpy as np
import pytest
from score_table import several_datasets

from difffake.evaluation.domains import domain_rows
from difffake.evaluation.provenance import provenance
from difffake.evaluation.report.domains import across_remarks, across_tables
from difffake.evaluation.report.folders import read_folders
from difffake.evaluation.report.write import report_text
from difffake.evaluation.results import result_rows, write_results


@pytest.fixture
def summed(tmp_path: Path) -> Path:
    """A run with a summary whose thresholds promise false alarms; the classifier's promises are set by hand."""
    table = several_datasets()
    thresholds = {"classifier": {"frame": 1.0, "video": 1.0}}
    domains = domain_rows(table, thresholds, resamples=20)
    promise = {"fake_above": 2.0, "real_below": 0.0, "realized": 0.25, "realized_low": 0.2, "realized_high": 0.31}
    promise |= {"missed": 0.1, "detected": 0.6, "cannot_tell": 0.4, "enough": True}
    for one in (one for domain in domains if domain["score"] == "classifier" for one in domain["sets"]):
        one["promised"] = [promise | {"rate": 0.01}, promise | {"rate": 0.05}]
        one["shift"] = 0.79
    write_results(tmp_path, result_rows(table, thresholds, resamples=0), provenance(command=["x"]), domains)
    return tmp_path


def test_promises_stand_beside_what_they_came_to(summed: Path) -> None:
    tables = {table.title: table for table in across_tables(read_folders([summed]))}
    promised = tables["Frame level: promised false alarms"]
    assert promised.cells[0] == ["classifier", "FF++ c23", "1.0", "25.0 [20.0, 31.0]", "60.0", "10.0", "40.0"]
    # Data sets and compressions; the anomaly score was not calibrated.
    assert [line[0] for line in promised.cells] == ["classifier"] * 2 * 4
    assert any(line.startswith("Promised: ") for line in across_remarks(read_folders([summed])))


def test_false_alarms_of_each_set_are_those_at_one_threshold(summed: Path) -> None:
    tables = {table.title: table for table in across_tables(read_folders([summed]))}
    summary = tables["Frame level: AUC, shift and false alarms"]
    assert summary.columns == ["Score", "Data set", "AUC", "Shift", "FPR"]
    assert {line[0]: line[3] for line in summary.cells} == {"classifier": "-", "anomaly": "-"}  # of all together
    assert [line[3] for line in summary.cells if line[0] == "classifier"] == ["79.0"] * 4 + ["-"]
    table = several_datasets()
    real = table[(table["score"] == "classifier") & (table["label"] == 0)]
    alarms = (real["value"] >= 1.0).groupby(real["dataset"] + " " + real["compression"]).mean()
    column = summary.columns.index("FPR")
    own = [line for line in summary.cells if line[0] == "classifier"]
    found = {line[1]: line[column] for line in own[:-1]}
    assert found == {name.strip(): f"{100 * share:.1f}" for name, share in alarms.items()}
    assert own[-1][column] == f"{100 * np.mean(real['value'] >= 1.0):.1f}"  # all together


def test_what_could_not_be_promised_is_left_out(summed: Path) -> None:
    run = read_folders([summed])[0]
    for one in (one for domain in run.domains for one in domain["sets"]):
        one["promised"] = [promise | {"enough": promise["rate"] > 0.01} for promise in one["promised"]]
    tables = {table.title: table for table in across_tables([run])}
    assert {line[2] for line in tables["Frame level: promised false alarms"].cells} == {"5.0"}
    for one in (one for domain in run.domains for one in domain["sets"]):
        one["promised"] = [promise | {"enough": False} for promise in one["promised"]]
    assert not any("promised" in table.title for table in across_tables([run]))
    assert not any(line.startswith("Promised: ") for line in across_remarks([run]))


def test_the_page_and_texts_have_the_summary(summed: Path) -> None:
    assert "promised false alarms" in report_text([summed])
    assert "## Across data sets" in report_text([summed], "markdown")


def test_a_run_without_a_summary_has_none(run: Path) -> None:
    assert across_tables(read_folders([run])) == []
    assert 'id="across"' not in report_text([run])
