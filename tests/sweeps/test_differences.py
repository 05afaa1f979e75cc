"""Marks in the tables of a sweep: differences to the baseline setting that are more than chance."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from difffake.errors import UserError
from difffake.evaluation.comparison_tables import difference_text
from difffake.evaluation.results import result_rows, write_results
from difffake.plots import read_caption
from difffake.sweeps.collect import Setting, read_run_result, settings_of
from difffake.sweeps.differences import compared_settings, draw_differences
from difffake.sweeps.summary import markdown_page, sweep_tables
from difffake.sweeps.sweep_file import baseline_run, runs_of, sweep_of


def write_evaluation(folder: Path, seed: int, gain: float) -> None:
    """Forty reals, and forty videos of each of two manipulations; the second is not changed by `gain`."""
    common, own = np.random.default_rng(0), np.random.default_rng([1, seed])
    parts = []
    for method, label, distance in (("real", 0, 0.0), ("swap", 1, 0.5 + gain), ("mouth", 1, 0.5)):
        value = common.normal(size=40) + 0.3 * own.normal(size=40) + distance
        names = [f"{method}/{number}" for number in range(40)]
        empty = {"compression": "", "target": "", "identity": ""}
        known = {"dataset": "clips", "method": method, "label": label, "score": "classifier", **empty}
        parts.append(pd.DataFrame({"video": names, "path": names, "value": value} | known))
    scores = pd.concat(parts, ignore_index=True)
    folder.mkdir(parents=True)
    write_results(folder, result_rows(scores, {}, resamples=0), {})
    scores.to_parquet(folder / "scores.parquet")


def sweep(folder: Path) -> list[Setting]:
    """Two seeds each of the settings plain, worse, better and same."""
    results = []
    for name, gain in (("plain", 0.0), ("worse", -1.5), ("better", 1.5), ("same", 0.0)):
        for seed in (0, 1):
            place = folder / f"{name}{seed}"
            write_evaluation(place / "evaluation", seed + (10 if name == "same" else 0), gain)
            values = {"setting": f"{name}: --option", "seed_everything": seed}
            results.append(read_run_result(values, place, "auc/video/classifier", "maximize"))
    return settings_of(results, "maximize")


def test_the_picture_has_each_difference_and_its_numbers(tmp_path: Path) -> None:
    tests = compared_settings(sweep(tmp_path), {"setting": "plain: --option", "seed_everything": 7}, resamples=100)
    rows = tests.shown("frame")
    assert len(rows) == 9
    draw_differences(tmp_path / "differences.png", rows)
    assert "after Holm's correction for all in the panel" in read_caption(tmp_path / "differences.png")
    drawn = (tmp_path / "differences.svg").read_text()
    for row in rows:
        assert difference_text(row) in drawn
    for text in ("Video level, classifier score, against plain", "better, swap", "worse, all fakes", "same, mouth"):
        assert text in drawn


def test_cells_are_marked_and_the_marks_explained(tmp_path: Path) -> None:
    settings = sweep(tmp_path)
    tests = compared_settings(settings, {"setting": "plain: --option", "seed_everything": 7}, resamples=300)
    tables = sweep_tables(settings, "auc/video/classifier", ["auc", "eer"], tests)
    auc = next(table for table in tables if table.title.startswith("AUC") and table.level == "video")
    assert auc.columns == ["all", "mouth", "swap"]
    marks = {
        cells[0]: [cell.split()[-1] if cell.split()[-1] in "▲▼=" else "" for cell in cells[1:]] for cells in auc.cells
    }
    assert marks == {
        "better": ["▲", "=", "▲"], "plain": ["", "", ""], "same": ["=", "=", "="], "worse": ["▼", "=", "▼"],
    }  # fmt: skip
    assert auc.note == (
        "▲ better, ▼ worse than the baseline setting=plain by more than chance (p < 0.05 after Holm's correction for "
        "all cells of the table); = no difference found."
    )
    assert f"\n{auc.note}\n" in markdown_page(tables, "best")
    eer = next(table for table in tables if table.title.startswith("EER"))
    assert not eer.note
    assert not any(mark in cell for cells in eer.cells for cell in cells for mark in "▲▼")

    rows = tests.rows["video", "classifier"]
    row = next(
        row
        for (number, column), row in rows.items()
        if settings[number].name["setting"] == "better" and column[1] == "swap"
    )
    aucs = []
    for name in ("plain", "better"):
        found = [pd.read_parquet(tmp_path / f"{name}{seed}/evaluation/scores.parquet") for seed in (0, 1)]
        chosen = [table[table["method"] != "mouth"] for table in found]
        aucs.append([roc_auc_score(table["label"], table["value"]) for table in chosen])
    assert row["difference"] == pytest.approx(np.mean(aucs[1]) - np.mean(aucs[0]))
    assert row["p_seeds"] == pytest.approx(stats.ttest_rel(aucs[1], aucs[0]).pvalue)
    assert row["p_holm"] >= row["p"]


def test_runs_without_scores_are_said_and_not_tested(tmp_path: Path) -> None:
    settings = sweep(tmp_path)
    plain = {"setting": "plain: --option", "seed_everything": 0}
    (tmp_path / "same1" / "evaluation" / "scores.parquet").unlink()
    (tmp_path / "worse0" / "evaluation" / "scores.parquet").write_text("broken")
    found = compared_settings(settings, plain, resamples=50)
    assert found.note.endswith("no difference found. 2 runs have no scores.parquet: run their evaluation again.")
    assert {settings[number].name["setting"] for number, _ in found.rows["video", "classifier"]} == {"better"}
    (tmp_path / "plain0" / "evaluation" / "scores.parquet").unlink()
    found = compared_settings(settings, plain, resamples=50)
    assert found.note == (
        "Differences to the baseline setting=plain are not tested: 3 runs have no scores.parquet: run their evaluation "
        "again."
    )
    assert not found.rows
    absent = compared_settings(settings, {"setting": "other: --option"}, resamples=50)
    assert absent.note == "The baseline setting has no finished run, so differences to it are not tested."


def file(**entries: Any) -> dict[str, Any]:
    parameters = {"lr": {"values": [0.1, 0.2]}, "size": {"values": [64, 96]}, "seed_everything": {"values": [0, 1]}}
    return {"method": "grid", "command": ["true"], "parameters": parameters} | entries


def test_the_baseline_is_the_first_setting_or_the_named_one() -> None:
    plan = sweep_of(file(), Path("a.yaml"))
    assert baseline_run(plan, runs_of(plan)) == {"lr": 0.1, "size": 64, "seed_everything": 0}
    plan = sweep_of(file(baseline={"lr": 0.2, "size": 96}), Path("a.yaml"))
    assert baseline_run(plan, runs_of(plan)) == {"lr": 0.2, "size": 96, "seed_everything": 0}
    named = {"setting": {"values": ["plain: --a", "guided: --b"]}}
    plan = sweep_of(file(parameters=named, baseline="guided"), Path("a.yaml"))
    assert baseline_run(plan, runs_of(plan)) == {"setting": "guided: --b"}
    for entry, message in (
        ({"lr": 0.3}, "a.yaml: no run has the baseline's lr 0.3: name values of its parameters"),
        ({"lr": 0.2}, "a.yaml: several settings have the baseline's lr 0.2: add size"),
        ([1], "a.yaml: baseline must be the name of a setting, or parameters"),
    ):
        with pytest.raises(UserError, match=message):
            plan = sweep_of(file(baseline=entry), Path("a.yaml"))
            baseline_run(plan, runs_of(plan))


def test_settings_with_other_test_data_are_not_compared(tmp_path: Path) -> None:
    settings = sweep(tmp_path)
    place = tmp_path / "same0" / "evaluation" / "scores.parquet"
    scores = pd.read_parquet(place)
    scores.assign(dataset="others").to_parquet(place)
    rows = compared_settings(settings, settings[0].runs[0].values, resamples=50).rows["video", "classifier"]
    assert "same" not in {settings[number].name["setting"] for number, _ in rows}
    assert json.loads((tmp_path / "same0" / "evaluation" / "results.json").read_text())["rows"]
