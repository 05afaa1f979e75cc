"""`difffake sweep`: several runs at a time, each once, whatever happens to it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import yaml

from difffake.commands.main import main
from difffake.evaluation.results import ROW_NUMBERS

# Stands for a training: leaves a mark at its start, a result at its end, and can fail or take long.
PROGRAM = """
import json, os, sys, time
from pathlib import Path

options = dict(argument[2:].split("=", 1) for argument in sys.argv[1:])
folder = Path(os.environ["RUN_FOLDER"])
with (folder / "starts").open("a") as file:
    file.write(os.environ["WANDB_RUN_ID"] + "\\n")
time.sleep(float(os.environ.get("SECONDS_A_RUN", "0")))
if options["lr"] == "0.3" and not os.environ.get("MENDED"):
    sys.exit("this rate is too high")
auc = 0.5 + float(options["lr"]) + 0.01 * int(options["seed_everything"])
row = dict.fromkeys(NUMBERS, 0.5) | {"n_real": 2, "n_fake": 2, "auc": auc}
row |= {"dataset": "faces", "method": "swap", "compression": "", "level": "frame", "score": "classifier"}
(folder / "results.json").write_text(json.dumps({"rows": [row], "provenance": {}}))
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    program = tmp_path / "train.py"
    program.write_text(PROGRAM.replace("NUMBERS", repr(ROW_NUMBERS)))
    content = {
        "method": "grid",
        "program": str(program),
        "metric": {"name": "auc/frame/classifier", "goal": "maximize"},
        "parameters": {"lr": {"values": [0.1, 0.2, 0.3]}, "seed_everything": {"values": [0, 1, 2]}},
    }
    (tmp_path / "rates.yaml").write_text(yaml.safe_dump(content))
    return tmp_path / "rates.yaml"


def starts(out: Path) -> list[str]:
    return [line for path in out.glob("*/starts") for line in path.read_text().split()]


def test_failed_runs_are_named_and_the_others_go_on(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    command = ["sweep", str(file), "--jobs", "3", "--out", str(out)]
    assert main(command) == 1
    said = " ".join(capsys.readouterr().err.split())
    assert said.count("failed: this rate is too high (") == 3
    logs = [path.read_text() for path in out.glob("*/log.txt") if path.stat().st_size]
    assert logs == ["this rate is too high\n"] * 3
    lines = (out / "summary.md").read_text().splitlines()
    assert lines[0] == "Best of 2 by auc/frame/classifier: lr=0.2, 71.0 ± 1.0 (3 runs)."
    assert lines[-7:-3] == ["| lr | swap |", "| :-- | --: |", "| 0.2 | 71.0 ± 1.0 |", "| 0.1 | 61.0 ± 1.0 |"]
    untested = (
        "Differences to the baseline lr=0.1 are not tested: {} runs have no scores.parquet: run their evaluation again."
    )
    assert lines[-1] == untested.format(6)
    table = pd.read_csv(out / "runs.csv")
    assert table["auc/faces/swap/frame/classifier"].tolist() == pytest.approx([0.6, 0.61, 0.62, 0.7, 0.71, 0.72])

    monkeypatch.setenv("MENDED", "1")  # only what failed is done again
    assert main(command) == 0
    assert len(starts(out)) == 9 + 3
    lines = (out / "summary.md").read_text().splitlines()
    assert lines[-6:-3] == ["| 0.3 | 81.0 ± 1.0 |", "| 0.2 | 71.0 ± 1.0 |", "| 0.1 | 61.0 ± 1.0 |"]
    assert lines[-1] == untested.format(9)
    assert main(command) == 0
    assert len(starts(out)) == 9 + 3


@pytest.mark.parametrize("name", ["SIGTERM", "SIGKILL"])
def test_a_sweep_that_was_killed_goes_on(name: str, file: Path, tmp_path: Path) -> None:
    """Runs that outlive a killed sweep are waited for, not started a second time."""
    out = tmp_path / "out"
    command = [sys.executable, "-m", "difffake", "sweep", str(file), "--jobs", "2", "--out", str(out)]
    slow = os.environ | {"SECONDS_A_RUN": "6", "MENDED": "1"}
    process = subprocess.Popen(command, env=slow, stderr=subprocess.PIPE, text=True)
    while len(starts(out)) < 2:
        time.sleep(0.1)
        assert process.poll() is None
    process.send_signal(signal.Signals[name])
    _, said = process.communicate(timeout=60)
    assert process.returncode == (143 if name == "SIGTERM" else -9), said
    begun = starts(out)
    subprocess.run(command, env=slow | {"SECONDS_A_RUN": "0"}, check=True, capture_output=True)
    assert len(list(out.glob("*/done.json"))) == 9
    again = starts(out)
    if name == "SIGTERM":
        assert len(again) == 9 + len(begun)  # those were stopped, and are done anew
    else:
        # The two that were running ended by themselves; without their sweep nobody had noted it.
        assert len(again) <= 9 + len(begun)
    assert all(json.loads(path.read_text())["parameters"] for path in out.glob("*/done.json"))


def test_another_command_does_not_pass_for_the_same_runs(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MENDED", "1")
    command = ["sweep", str(file), "--runs", "1", "--out", str(tmp_path / "out")]
    assert main(command) == 0
    content = yaml.safe_load(file.read_text())
    file.write_text(yaml.safe_dump(content | {"command": ["true", "${args}"]}))
    assert main(command) == 1
    assert "has runs of command [" in capsys.readouterr().err
    file.write_text(yaml.safe_dump(content))
    assert main(command) == 0
    monkeypatch.setenv("CKPT", "other.ckpt")
    assert main(command) == 1
    assert "has runs of CKPT None, not other.ckpt: choose another --out" in capsys.readouterr().err


def test_a_stopped_sweep_waits_until_its_runs_are_saved(file: Path, tmp_path: Path) -> None:
    """A shell in between ends at the signal; what it has started takes its time."""
    saving = tmp_path / "saving.sh"
    saving.write_text(
        "(trap 'sleep 2; touch $RUN_FOLDER/saved; exit' TERM; touch $RUN_FOLDER/starts; "
        "for i in $(seq 100); do sleep 0.1; done) &\nwait\n"
    )
    content = yaml.safe_load(file.read_text())
    file.write_text(yaml.safe_dump(content | {"command": ["bash", str(saving)]}))
    out = tmp_path / "out"
    process = subprocess.Popen([sys.executable, "-m", "difffake", "sweep", str(file), "--out", str(out)])
    while not list(out.glob("*/starts")):
        time.sleep(0.1)
    time.sleep(0.5)
    process.terminate()
    assert process.wait(timeout=60) == 143
    assert len(list(out.glob("*/saved"))) == 1


def test_several_sweeps_of_one_folder_share_the_runs(file: Path, tmp_path: Path) -> None:
    """As the jobs of an array do: each run once, and every sweep ends with the whole table."""
    out = tmp_path / "out"
    command = [sys.executable, "-m", "difffake", "sweep", str(file), "--out", str(out)]
    environment = os.environ | {"SECONDS_A_RUN": "0.5", "MENDED": "1"}
    processes = [subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    for process in processes:
        _, said = process.communicate(timeout=120)
        assert process.returncode == 0, said
        assert "9 of 9 runs" in said
    assert len(starts(out)) == 9


def test_missing_files_are_named_before_the_first_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of all runs, in one line, each file once."""
    monkeypatch.chdir(tmp_path)
    for name in ("TRAIN", "TEST", "TEACHER", "CKPT"):
        monkeypatch.delenv(name, raising=False)
    content = {
        "method": "grid",
        "program": "difffake.sweeps.one_run",
        "command": ["${env}", "${interpreter}", "-m", "${program}", "--config", "base.yaml", "${args}"],
        "parameters": {
            "train": {"values": ["a", "b"]},
            "test": {"value": "b c"},
            "seed_everything": {"values": [0, 1]},
        },
    }
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(content))
    assert main(["sweep", "study.yaml"]) == 1
    said = capsys.readouterr().err
    assert "study.yaml: missing: config base.yaml, train a, test b, test c, train b. Make them" in said
    assert said.count("\n") == 1
    assert not (tmp_path / "sweeps").exists()
    monkeypatch.setenv("TRAIN", "mine")
    assert main(["sweep", "study.yaml"]) == 1
    assert "missing: config base.yaml, train mine, test b, test c. Make" in capsys.readouterr().err
    del content["parameters"]["test"]
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(content))
    assert main(["sweep", "study.yaml"]) == 1
    assert "study.yaml: no test is given" in capsys.readouterr().err
