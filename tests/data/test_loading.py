"""Commands end at once, with one line, when a loader's worker fails; in processes of their own, as users start them."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from processes import difffake
from tiny import TinyRun


@pytest.fixture
def damaged(tiny_run: TinyRun, tmp_path: Path) -> Path:
    """The seen data set with one real crop of each split that is no image."""
    folder = tmp_path / "damaged"
    shutil.copytree(tiny_run.seen, folder)
    for crop in (folder / "crops" / "c23" / "real").glob("*/000002.png"):
        crop.write_bytes(b"no image")
    return folder


@pytest.mark.parametrize("command", ["evaluate", "fit-anomaly"])
def test_a_broken_crop_ends_a_command_at_once(command: str, damaged: Path, tiny_run: TinyRun, tmp_path: Path) -> None:
    arguments = [command, "--ckpt", tiny_run.ckpt, "--manifest", damaged, "--out", tmp_path / "out", "--workers", "2"]
    run = subprocess.run(
        [sys.executable, "-m", "difffake", *map(str, arguments)],
        capture_output=True, text=True, timeout=240, env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert run.returncode == 1
    last = run.stderr.splitlines()[-1]
    assert last.startswith(f"difffake {command}: ")
    assert "000002.png" in last
    assert "Traceback" not in run.stderr, run.stderr


def _workers_are_killed() -> None:
    """As the kernel does when memory is short."""
    from difffake.data import datasets

    main_process, read = os.getpid(), datasets.read_crop

    def killed(path: Path) -> object:
        if os.getpid() != main_process:
            os.kill(os.getpid(), signal.SIGKILL)
        return read(path)

    datasets.read_crop = killed  # type: ignore[assignment]


def test_a_killed_worker_is_said_in_one_line(tiny_run: TinyRun, tmp_path: Path) -> None:
    command = ["evaluate", "--ckpt", tiny_run.ckpt, "--manifest", tiny_run.unseen, "--out", tmp_path / "out"]
    statuses, output = difffake(list(map(str, command)), before=_workers_are_killed)
    assert statuses == [1]
    assert "a loader process was killed" in output
    assert "--workers" in output
    assert "Traceback" not in output
