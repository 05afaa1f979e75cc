"""Runs of a report are told apart by folder and settings."""

import json
from pathlib import Path
from typing import Any

import pytest

from difffake.errors import UserError
from difffake.evaluation.run_names import run_names
from difffake.evaluation.swept_names import of_settings, swept_names


def named(paths: str, *configs: str) -> list[str]:
    folders = [Path(path) for path in paths.split()]
    return run_names(folders, configs or [""] * len(folders))


def test_folders_are_named_where_they_differ() -> None:
    assert named("/s/a1/evaluation /s/b2/evaluation") == ["a1", "b2"]
    assert named("/s/a/x/evaluation /s/b/y/evaluation") == ["a/x", "b/y"]
    assert named("/s/run") == ["run"]
    assert named("/s/a /s/a/b") == ["a", "a/b"]
    assert named("/s/a /s/a") == ["a", "a"]


def test_settings_that_differ_are_named_by_their_last_word() -> None:
    one = "seed_everything: 0\nout: a\nmodel: {optimizer: {lr: 0.1}, encoder: b4}"
    two = "seed_everything: 1\nout: b\nmodel: {optimizer: {lr: 0.1}, encoder: b0}"
    assert named("/s/a /s/b", one, two) == ["a (seed_everything 0, encoder b4)", "b (seed_everything 1, encoder b0)"]


def test_settings_with_one_last_word_keep_their_whole_name() -> None:
    assert named("/a /b", "x: {n: 1}\ny: {n: 1}", "x: {n: 2}\ny: {n: 2}") == ["a (x.n 1, y.n 1)", "b (x.n 2, y.n 2)"]


def test_a_run_without_a_config_and_a_broken_one_have_a_name_alone() -> None:
    assert named("/a /b /c", "x: 1", "", "x: [") == ["a", "b", "c"]
    assert named("/a /b /c", "x: 1", "x: 2", "") == ["a (x 1)", "b (x 2)", "c"]


def test_many_settings_are_counted() -> None:
    one, two = ("\n".join(f"s{n}: {value}" for n in range(8)) for value in (1, 2))
    assert named("/a /b", one, two)[0] == "a (s0 1, s1 1, s2 1, s3 1, s4 1, 3 more)"


def swept(root: Path, *runs: dict[str, Any]) -> list[Path]:
    """Folders of a sweep's finished runs, named by hashes."""
    for number, parameters in enumerate(runs):
        (root / f"ab{number}" / "evaluation").mkdir(parents=True)
        (root / f"ab{number}" / "done.json").write_text(json.dumps({"parameters": {"config": "a.yaml"} | parameters}))
    return [root / f"ab{number}" / "evaluation" for number in range(len(runs))]


def test_runs_of_a_sweep_are_named_by_what_it_varied(tmp_path: Path) -> None:
    settings = ["plain", "guide: --model.regularizers.guide Guide"]
    runs = swept(tmp_path / "a", *({"setting": one, "seed_everything": seed} for one in settings for seed in (0, 1)))
    assert swept_names(runs) == ["plain", "plain", "guide", "guide"]
    assert run_names(runs, [""] * 4) == ["plain, seed 0", "plain, seed 1", "guide, seed 0", "guide, seed 1"]
    assert run_names([runs[0], runs[2]], ["x: 1", "x: 2"]) == ["plain", "guide"]
    assert of_settings(runs, ["guide", "plain"]) == [*runs[2:], *runs[:2]]
    with pytest.raises(UserError, match="no run has the setting other: choose from plain, guide"):
        of_settings(runs, ["plain", "other"])
    with pytest.raises(UserError, match="--settings is for runs of one sweep"):
        of_settings([tmp_path], ["plain"])
    other = swept(tmp_path / "b", {"lambda": 0.5, "rank": 4}, {"lambda": 1, "rank": 8})
    assert swept_names([run.parent for run in other]) == ["lambda 0.5, rank 4", "lambda 1, rank 8"]


def test_other_folders_among_them_and_broken_ones_have_names_of_their_own(tmp_path: Path) -> None:
    runs = swept(tmp_path, {"setting": "plain"}, {"setting": "guide"})
    assert swept_names([*runs, tmp_path]) is None
    (runs[0].parent / "done.json").write_text("[")
    assert swept_names(runs) is None
    assert run_names(runs, ["", ""]) == ["ab0", "ab1"]
