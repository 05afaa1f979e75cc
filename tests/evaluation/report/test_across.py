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
    promised = tables["Promised false alarms, frame level, classifier score"]
    assert promised.cells[0] == ["FF++ c23", "1.0", "25.0 [20.0, 31.0]", "60.0", "10.0", "40.0"]
    assert len(promised.cells) == 2 * 4  # data sets and compressions
    assert not any("anomaly" in title and "Promised" in title for title in tables)
    assert any(line.startswith("Promised: ") for line in across_remarks(read_folders([summed])))


def test_false_alarms_of_each_set_are_those_at_one_threshold(summed: Path) -> None:
    tables = {table.title: table for table in across_tables(read_folders([summed]))}
    summary = tables["Across data sets, frame level, classifier score"]
    assert not any(column.startswith("promised") for column in summary.columns)
    table = several_datasets()
    real = table[(table["score"] == "classifier") & (table["label"] == 0)]
    alarms = (real["value"] >= 1.0).groupby(real["dataset"] + " " + real["compression"]).mean()
    column = summary.columns.index("FPR")
    found = {line[0]: line[column] for line in summary.cells[:-1]}
    assert found == {name.strip(): f"{100 * share:.1f}" for name, share in alarms.items()}
    assert summary.cells[-1][column] == f"{100 * np.mean(real['value'] >= 1.0):.1f}"  # all together


def test_the_page_and_texts_have_the_summary(summed: Path) -> None:
    assert "Promised false alarms" in report_text([summed])
    assert "## Across data sets" in report_text([summed], "markdown")


def test_a_run_without_a_summary_has_none(run: Path) -> None:
    assert across_tables(read_folders([run])) == []
    assert 'id="across"' not in report_text([run])
