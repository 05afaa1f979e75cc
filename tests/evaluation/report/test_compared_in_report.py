"""Tests of differences in a report are those of `difffake compare`."""

import html
from pathlib import Path

import pandas as pd
import pytest
from score_table import several_datasets

from difffake.evaluation.compare import compare_runs, write_comparison
from difffake.evaluation.comparison_tables import comparison_tables
from difffake.evaluation.provenance import provenance
from difffake.evaluation.report.compared import compared
from difffake.evaluation.report.folders import read_folders
from difffake.evaluation.report.write import report_text
from difffake.evaluation.results import result_rows, write_results


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A run, and another whose fakes are clearly easier, so that a difference is more than chance."""
    root = tmp_path_factory.mktemp("runs")
    parts = []
    for seed in range(5):  # 30 videos of each class
        part = several_datasets(seed)
        part = part[(part["score"] == "classifier") & (part["compression"] == "c40")]
        parts.append(part.assign(video=f"{seed}-" + part["video"], path=f"{seed}-" + part["path"]))
    whole = pd.concat(parts, ignore_index=True)
    for name, gain in (("plain", -1.5), ("guided", 1.5)):
        table = whole.assign(value=whole["value"] + gain * whole["label"])
        (root / name).mkdir()
        table.to_parquet(root / name / "scores.parquet")
        write_results(root / name, result_rows(table, {}, resamples=0), provenance(command=["x"]))
    return [root / "plain", root / "guided"]


def test_runs_are_compared_with_the_first(runs: list[Path]) -> None:
    (found,) = compared(read_folders(runs))
    expected = comparison_tables(compare_runs(runs).rows)
    assert [table.title for table in found.tables] == [table.title for table in expected]
    assert [table.cells for table in found.tables] == [table.cells for table in expected]
    assert found.tables[0].columns == [*expected[0].columns[:-1], "More than chance"]
    assert [line[-1] for line in found.tables[0].cells] == ["▲"]
    page = html.unescape(report_text(runs))
    assert '<h2 id="comparison">' in page
    assert all(cell in page for table in expected for line in table.cells for cell in line)
    assert r"$\uparrow$" in report_text(runs, "latex")


def test_a_comparison_that_was_made_is_shown_instead(runs: list[Path], tmp_path: Path) -> None:
    write_comparison(tmp_path / "compared", compare_runs(runs[::-1]), runs, seed=0)
    (found,) = compared(read_folders([*runs, tmp_path / "compared"]))
    assert all("score of guided" in table.title or "against guided" in table.title for table in found.tables)
    assert "differences" in report_text([*runs, tmp_path / "compared"])


def test_scores_of_one_run_are_compared(run: Path, tmp_path: Path) -> None:
    assert compared(read_folders([run])) == []  # its scores were not kept
    table = several_datasets()
    table.to_parquet(tmp_path / "scores.parquet")
    write_results(tmp_path, result_rows(table, {}, resamples=0), provenance())
    (found,) = compared(read_folders([tmp_path]))
    assert found.tables[0].columns[-1] != "More than chance"  # there is none
    assert "anomaly against classifier score" in found.tables[0].title


def test_a_line_says_why_runs_are_not_compared(run: Path, runs: list[Path]) -> None:
    (found,) = compared(read_folders([*runs, run]))
    assert found.tables == []
    assert found.lines[0].startswith("The runs are not compared: ")
    assert "scores.parquet does not exist" in found.lines[0]
