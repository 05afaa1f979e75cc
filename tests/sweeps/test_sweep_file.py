"""Sweep files: the same commands as W&B's agent makes, and which runs there are."""

import datetime
import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from wandb.sdk.launch.sweeps.utils import create_sweep_command, create_sweep_command_args

from difffake.commands.fit import fit
from difffake.commands.main import main
from difffake.errors import UserError
from difffake.sweeps import one_run
from difffake.sweeps.sweep_file import Sweep, command_of, read_sweep, run_id, runs_of
from difffake.swept import SEEDS

GRID = {
    "method": "grid",
    "program": "train.py",
    "parameters": {
        "model.regularizers.guide": {"values": ["null", '{"class_path": "Guide"}']},
        "data.batch_size": {"value": 8},
        "overwrite": {"values": [True, False]},
        "seed_everything": {"values": [0, 1, 2]},
    },
}
ROOT = Path(__file__).parents[2]
EXPERIMENTS = sorted((ROOT / "experiments").rglob("*.yaml"))


def written(folder: Path, content: dict[str, Any]) -> Sweep:
    path = folder / "sweep.yaml"
    path.write_text(yaml.safe_dump({"program": "train.py"} | content))
    return read_sweep(path)


def test_a_grid_is_every_combination_once(tmp_path: Path) -> None:
    runs = runs_of(written(tmp_path, GRID))
    assert len(runs) == len({run_id(values) for values in runs}) == 12
    assert runs[0] == {
        "model.regularizers.guide": "null",
        "data.batch_size": 8,
        "overwrite": True,
        "seed_everything": 0,
    }
    assert runs_of(written(tmp_path, GRID), 5) == runs[:5]


@pytest.mark.parametrize("macro", ["args", "args_no_hyphens", "args_no_boolean_flags", "args_json"])
def test_commands_are_those_of_wandbs_agent(macro: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOLDER", "there")
    command = ["${env}", "${interpreter}", "${program}", "--out=${envvar:FOLDER}/x", "fit", f"${{{macro}}}"]
    sweep = written(tmp_path, GRID | {"command": command})
    for values in runs_of(sweep):
        macros = create_sweep_command_args({"args": {name: {"value": value} for name, value in values.items()}})
        macros |= {"env": ["/usr/bin/env"], "interpreter": [sys.executable], "program": ["train.py"]}
        wanted = [
            word
            for part in create_sweep_command(list(command))
            for word in (macros[part[2:-1]] if part.startswith("${") else [part])
        ]
        found = command_of(sweep, values)
        if macro == "args_json":
            assert json.loads(found.pop()) == json.loads(wanted.pop())
        assert found == wanted


def test_random_values_follow_their_distributions(tmp_path: Path) -> None:
    parameters = {
        "lr": {"distribution": "log_uniform_values", "min": 1e-5, "max": 1e-1},
        "lambda": {"min": 0.0, "max": 2.0},
        "layers": {"min": 1, "max": 3},
        "name": {"values": ["a", "b"], "probabilities": [0.2, 0.8]},
        "step": {"distribution": "q_uniform", "min": 0, "max": 1, "q": 0.25},
        "shift": {"distribution": "normal", "mu": 3, "sigma": 0.5},
    }
    sweep = written(tmp_path, {"method": "random", "run_cap": 2000, "parameters": parameters})
    runs = runs_of(sweep)
    assert runs == runs_of(sweep)
    assert runs != runs_of(sweep, seed=1)
    assert runs[:7] == runs_of(sweep, 7)  # more runs are more of the same
    logarithm = np.log10([values["lr"] for values in runs])
    np.testing.assert_allclose(np.quantile(logarithm, [0.02, 0.5, 0.98]), [-4.92, -3, -1.08], atol=0.15)
    assert np.mean([values["lambda"] for values in runs]) == pytest.approx(1, abs=0.06)
    assert {values["layers"] for values in runs} == {1, 2, 3}
    assert np.mean([values["name"] == "b" for values in runs]) == pytest.approx(0.8, abs=0.04)
    assert {values["step"] for values in runs} == {0, 0.25, 0.5, 0.75, 1}
    assert np.std([values["shift"] for values in runs]) == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"method": "bayes", "parameters": {"a": {"value": 1}}}, "needs W&B's server"),
        ({"method": "grid"}, "`method` and `parameters`"),
        ({"parameters": {"a": {"value": 1}}}, "method is missing"),
        ({"methd": "grid", "parameters": {"a": {"value": 1}}}, "methd is not supported: use baseline, command, "),
        ({"method": "grid", "parameters": {"a": 3}}, "parameter a needs"),
        ({"method": "grid", "parameters": {"a": {"parameters": {"b": {"value": 1}}}}}, "a is nested"),
        (
            {"method": "grid", "parameters": {"a": {"value": 1}}, "early_terminate": {}},
            "early_terminate is not supported",
        ),
        ({"method": "grid", "parameters": {"a": {"min": 0, "max": 1}}}, "no values for a grid"),
        ({"method": "random", "parameters": {"a": {"min": 0, "max": 1}}}, "give --runs"),
        ({"method": "random", "run_cap": 1, "parameters": {"a": {"min": 0}}}, "incomplete or wrong"),
        ({"method": "random", "run_cap": 1, "parameters": {"a": {"distribution": "beta"}}}, "beta of a"),
        (
            {
                "method": "random",
                "run_cap": 1,
                "parameters": {"a": {"distribution": "q_uniform", "min": 0, "max": 1, "q": 0}},
            },
            "incomplete or wrong",
        ),
        (
            {
                "method": "random",
                "run_cap": 1,
                "parameters": {"a": {"distribution": "log_uniform_values", "min": 0, "max": 1}},
            },
            "incomplete or wrong",
        ),
        ({"method": "grid", "parameters": {"a": {"value": 1}}, "command": ["${argz}"]}, r"\$\{argz\} in command"),
        ({"method": "grid", "parameters": {"a": {"value": 1}}, "command": "bash a.sh"}, "command must be a list"),
        ({"method": "grid", "parameters": {"a": {"value": 1}}, "program": ""}, "program is missing"),
        ({"method": "grid", "parameters": {"a": {"value": datetime.date(2026, 1, 1)}}}, "neither text nor number"),
        ({"method": "grid", "parameters": {"a": {"value": 1}}, "metric": "val/auc"}, "metric val/auc is wrong"),
        ({"method": "grid", "parameters": {"a": {"value": 1}}, "metric": {"goal": "maximise"}}, "maximize or minimize"),
        ({"method": "random", "parameters": {"a": {"value": 1}}, "run_cap": "two"}, "run_cap two"),
    ],
)
def test_what_cannot_be_run_is_said(content: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=words):
        sweep = written(tmp_path, content)
        command_of(sweep, runs_of(sweep)[0])


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.parent.name + "-" + path.stem)
def test_the_experiments_are_options_of_the_commands(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every setting's options are read by `fit`, `fit-anomaly` and `evaluate` themselves, which then find no data."""
    monkeypatch.chdir(ROOT)
    for name in one_run.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    sweep = read_sweep(path)
    assert sweep.program == one_run.PROGRAM
    runs = runs_of(sweep, None if sweep.method == "grid" else 2)
    settings = {
        json.dumps({name: text for name, text in values.items() if name not in SEEDS}): values for values in runs
    }
    for values in settings.values():
        command = command_of(sweep, values)
        run = one_run.read_run(command[command.index(one_run.PROGRAM) + 1 :], {})
        assert all(Path(config).is_file() for config in run.paths.get("config", []))
        for _, arguments in one_run.stages(run, tmp_path, {}):
            if arguments[0] == "fit":
                with pytest.raises(SystemExit) as ended:
                    fit([*arguments[1:], "--print_config"])
                assert ended.value.code == 0
                config = yaml.safe_load(capsys.readouterr().out)
                assert config["seed_everything"] == values["seed_everything"]
                assert config["data"]["manifest"] in (run.paths["train"], run.paths["train"][0])
            else:
                assert main(arguments) == 1  # 2 would say that an option is wrong
                assert "does not exist" in capsys.readouterr().err


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.parent.name + "-" + path.stem)
def test_the_experiments_say_what_they_ask_and_showed(path: Path) -> None:
    header = path.read_text().split("program:")[0]
    assert all(f"\n# {word}" in f"\n{header}" for word in ("Asks: ", "Size: ", "Showed"))
    assert f"difffake sweep {path.relative_to(ROOT)}" in header
    if path.parent.name == "full":  # there was no GPU
        assert "Showed: not run yet" in header
    for quoted in re.findall(r'docs/results\.md, "([^"]+)"', header.replace("\n#", "")):
        assert quoted in (ROOT / "docs" / "results.md").read_text(), quoted
