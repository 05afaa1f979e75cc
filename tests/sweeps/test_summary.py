"""The tables of a sweep, against numbers that were worked out by hand."""

import io
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from rich.console import Console

from difffake.evaluation.results import ROW_NUMBERS, Row
from difffake.sweeps.collect import Setting, read_run_result, settings_of
from difffake.sweeps.summary import SweepTable, best_line, markdown_page, print_tables, sweep_tables, write_runs


def row(auc: float | None, **names: str) -> Row:
    texts = {"dataset": "faces", "method": "swap", "compression": "", "level": "frame", "score": "classifier"}
    numbers: dict[str, Any] = dict.fromkeys(ROW_NUMBERS, 0.5) | {"n_real": 2, "n_fake": 2}
    ends = {"auc_low": None, "auc_high": None} if auc is None else {"auc_low": auc - 0.02, "auc_high": auc + 0.04}
    return texts | names | numbers | {"auc": auc} | ends


def write_run(folder: Path, rows: list[Row]) -> None:
    (folder / "evaluation").mkdir(parents=True)
    (folder / "evaluation" / "results.json").write_text(json.dumps({"rows": rows, "provenance": {}}))


def settings(
    folder: Path, runs: list[tuple[dict[str, Any], list[Row]]], metric: str, goal: str = "maximize"
) -> list[Setting]:
    for number, (_, rows) in enumerate(runs):
        write_run(folder / str(number), rows)
    results = [read_run_result(values, folder / str(n), metric, goal) for n, (values, _) in enumerate(runs)]
    return settings_of(results, goal)


def test_a_matrix_of_training_and_test_methods(tmp_path: Path) -> None:
    """Two seeds of a detector of swaps, one of mouths; tested on both, sorted by the mean over all."""
    of_run = [("mouth", 0, 0.55, 0.4, 0.9), ("swap", 0, 0.7, 0.8, 0.5), ("swap", 1, 0.6, 0.9, 0.5)]
    runs = [
        (
            {"data.methods": f"[{trained}]", "seed_everything": seed, "trainer.max_epochs": 2},
            [row(both, method="all"), row(swap), row(mouth, method="mouth")],
        )
        for trained, seed, both, swap, mouth in of_run
    ]
    found = settings(tmp_path, runs, "auc/frame/classifier")
    assert best_line(found, "auc/frame/classifier") == (
        "best of 2 by auc/frame/classifier: data.methods=[swap], 65.0 ± 7.1 (2 runs)"
    )
    ranking, matrix = sweep_tables(found, "auc/frame/classifier", ["auc"])
    assert ranking.cells == [["[swap]", "2", "65.0 ± 7.1"], ["[mouth]", "1", "55.0"]]
    assert matrix.title == "AUC, faces, frame level, classifier score, in percent"
    assert (matrix.names, matrix.columns) == (["data.methods"], ["all", "swap", "mouth"])
    assert matrix.cells == [
        ["[swap]", "65.0 ± 7.1", "85.0 ± 7.1", "50.0 ± 0.0"],
        ["[mouth]", "55.0 [53.0, 59.0]", "40.0 [38.0, 44.0]", "90.0 [88.0, 94.0]"],
        ["95 % interval of a single run", "±3.0", "±3.0", "±3.0"],
    ]
    page = markdown_page([ranking, matrix], "best")
    assert "\n| data.methods | all | swap | mouth |\n| :-- | --: | --: | --: |\n| [swap] | 65.0 ± 7.1 |" in page


def test_data_sets_levels_scores_and_metrics_have_their_places(tmp_path: Path) -> None:
    rows = [
        row(0.6),
        row(0.7, dataset="clips", compression="c23"),
        row(0.8, level="video", compression="c40"),
        row(0.9, level="video", score="anomaly"),
    ]
    found = settings(tmp_path, [({"lr": 0.1}, rows)], "eer/video/anomaly", "minimize")
    tables = sweep_tables(found, "eer/video/anomaly", ["auc", "eer"])
    assert [table.title.replace(", in percent", "") for table in tables] == [
        "eer/video/anomaly",
        "AUC, faces, c40, video level, classifier score",
        "EER, faces, c40, video level, classifier score",
        "AUC, faces, video level, anomaly score",
        "EER, faces, video level, anomaly score",
        "AUC, frame level, classifier score",
        "EER, frame level, classifier score",
    ]
    assert tables[1].columns == ["swap"]
    assert tables[-1].columns == ["faces swap", "clips swap c23"]
    assert tables[-1].cells == [["all runs", "50.0", "50.0"]]  # without an interval, and nothing varies
    assert tables[-2].cells[-1] == ["95 % interval of a single run", "±3.0", "±3.0"]


def test_the_best_is_named_with_those_that_seeds_cannot_tell_from_it(tmp_path: Path) -> None:
    aucs = {0.1: (0.6, 0.8), 0.2: (0.62, 0.64), 0.3: (0.3, 0.3)}
    runs = [({"lr": lr, "seed_everything": n}, [row(auc)]) for lr, both in aucs.items() for n, auc in enumerate(both)]
    found = settings(tmp_path, runs, "auc/frame/classifier")
    assert best_line(found, "auc/frame/classifier") == (
        "best of 3 by auc/frame/classifier: lr=0.1, 70.0 ± 14.1 (2 runs); 1 of the others within this spread"
    )


def test_an_evaluation_ranks_by_the_mean_over_data_sets(tmp_path: Path) -> None:
    """Of all fakes of each: a data set of one manipulation has no row for all."""
    rows = [
        row(0.9, method="all"),
        row(0.1),
        row(0.2, method="mouth"),
        row(0.5, dataset="other"),
        row(0.3, level="video"),
    ]
    write_run(tmp_path, rows)
    values = {
        name: read_run_result({}, tmp_path, name, "maximize").metric
        for name in (
            "auc/frame/classifier",
            "auc/faces/mouth/frame/classifier",
            "auc/frame/anomaly",
            "auc/video/classifier",
        )
    }
    assert values == {
        "auc/frame/classifier": pytest.approx(0.7),
        "auc/faces/mouth/frame/classifier": 0.2,
        "auc/frame/anomaly": None,
        "auc/video/classifier": 0.3,
    }


def test_runs_csv_has_the_numbers_of_results_json(tmp_path: Path) -> None:
    write_run(tmp_path / "a", [row(0.6), row(None, method="real")])
    values = {"setting": "no guide: --model.regularizers.guide null", "lr": 0.1}
    write_runs(tmp_path / "runs.csv", [read_run_result(values, tmp_path / "a", "val/auc", "maximize")], "val/auc")
    (line,) = pd.read_csv(tmp_path / "runs.csv").to_dict("records")
    assert (line["run"], line["setting"], line["lr"]) == ("a", "no guide: --model.regularizers.guide null", 0.1)
    assert (line["auc/faces/swap/frame/classifier"], line["auc_high/faces/swap/frame/classifier"]) == (0.6, 0.64)
    assert pd.isna(line["auc/faces/real/frame/classifier"])
    assert pd.isna(line["val/auc"])


def test_the_best_of_a_log_counts_and_broken_logs_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    logs = {"good": "val/auc,val/loss\n0.5,0.2\n0.75,0.1\n", "text": "val/auc\n0.5\nbad\n", "empty": ""}
    for name, content in logs.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "metrics.csv").write_text(content)
    results = [read_run_result({"lr": n}, tmp_path / name, "val/auc", "maximize") for n, name in enumerate(logs)]
    assert [result.metric for result in results] == [0.75, None, None]
    (ranking,) = sweep_tables(settings_of(results, "maximize"), "val/auc", ["auc"])
    assert ranking.title == "val/auc, in percent"
    assert ranking.cells == [["0", "1", "75.0"], ["1", "1", "-"], ["2", "1", "-"]]
    said = "".join(capsys.readouterr().err.split())
    assert "text/metrics.csvisbroken" in said
    assert "empty/metrics.csvisbroken" in said
    loss = read_run_result({}, tmp_path / "good", "val/loss", "minimize")
    assert sweep_tables(settings_of([loss], "minimize"), "val/loss", [])[0].cells == [["all runs", "1", "0.1000"]]
    unknown = settings_of([read_run_result({}, tmp_path / "good", "val/auk", "maximize")], "maximize")
    assert best_line(unknown, "val/auk") == "no run has the sweep's metric val/auk, so the settings are not sorted"


@pytest.mark.parametrize("width", [50, 80, 200])
def test_every_value_is_readable_in_a_terminal_of_any_width(width: int) -> None:
    names = [f"noise learning with [bold] loss number {setting}" for setting in range(3)]
    columns = [f"forged-drawn-{letter} diffusion_swap c23" for letter in "abcdefg"]
    cells = [[name, *(f"{10 * n + m}.5 ± 10.{n}" for m in range(len(columns)))] for n, name in enumerate(names)]
    file = io.StringIO()
    print_tables([SweepTable("AUC", "frame", ["setting"], columns, cells)], Console(file=file, width=width))
    said = file.getvalue()
    assert all(len(line) <= width for line in said.splitlines())
    assert all(value in said for line in cells for value in line[1:])
    joined = "".join(said.split())
    if width == 200:
        assert all("".join(name.split()) in joined for name in names)
