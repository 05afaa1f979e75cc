"""experiments/full/gpu.sh: its commands are commands, and what is wrong is said before any work."""

import contextlib
import io
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from difffake.commands.evaluate import evaluate
from difffake.commands.fit import fit
from difffake.commands.parse import parse

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "experiments" / "full" / "gpu.sh"


def called(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", str(SCRIPT), *options], capture_output=True, text=True, timeout=60)


@pytest.fixture
def data(tmp_path: Path) -> str:
    (tmp_path / "manifest.parquet").touch()
    return str(tmp_path)


@pytest.mark.parametrize("size", [[], ["--small"]])
def test_its_commands_have_these_options(size: list[str], data: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    done = called("--train", data, "--test", data, "--out", "somewhere", "--dry-run", *size)
    assert (done.returncode, done.stderr) == (0, "")
    found = [re.fullmatch(r"== (\w+): (.*)", line) for line in done.stdout.splitlines()]
    lines = [(line[1], shlex.split(line[2])) for line in found if line]
    assert [name for name, _ in lines] == ["step", "memory", "loader", "training", "training"]
    for _, (python, first, *words) in lines:
        assert python == "python"
        if first == "-m":
            command = words[1]
            if command == "evaluate":
                parse("difffake evaluate", evaluate, (), words[2:])
                continue
            assert command == "fit"
            with contextlib.redirect_stdout(io.StringIO()), pytest.raises(SystemExit) as ended:
                fit([*words[2:], "--print_config"])
            assert ended.value.code == 0
        else:
            # The memory benchmark takes the options of guide_step.py.
            text = (ROOT / first.replace("memory_switches", "guide_step")).read_text()
            assert all(f'"{word}"' in text for word in words if word.startswith("--"))
    assert not (ROOT / "somewhere").exists()


def test_steps_can_be_chosen(data: str) -> None:
    done = called("--train", data, "--test", data, "--dry-run", "--steps", "loader")
    assert [line.split()[1] for line in done.stdout.splitlines()] == ["loader:"]


def test_mistakes_are_said(data: str, tmp_path: Path) -> None:
    for options, status, message in (
        (["--train", data], 2, "give --train and --test"),
        (["--train", data, "--test", str(tmp_path / "no")], 1, "has no manifest.parquet: run difffake prepare"),
        (["--train", data, "--test", data, "--fast"], 2, "--fast is not an option"),
        (["--train", data, "--test", data, "--dry-run", "--steps", "sleep"], 2, "there is no step sleep"),
        (["--train", data, "--test", data, "--out", str(tmp_path)], 1, "exists: choose another --out"),
    ):
        done = called(*options)
        assert (done.returncode, message in done.stderr) == (status, True)
