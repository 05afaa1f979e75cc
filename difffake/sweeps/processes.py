"""The processes of a sweep: several at a time, each run once; signals are passed on to them."""

import fcntl
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import IO

import torch

from difffake.errors import Terminated
from difffake.files import MARKER, staged_file
from difffake.progress import console
from difffake.sweeps.sweep_file import Sweep, command_of
from difffake.swept import DONE, Values, text_of, varied_names

LOG = "log.txt"
"""File with a run's output."""
# Locks: a sweep holds the first from before a run until it is marked as done; the processes of the run hold the second
# as long as one of them lives, even if the sweep is killed. So no run is done twice.
_LOCK, _HELD = "lock", "running"


def run_all(plan: Sweep, wanted: dict[str, Values], folder: Path, jobs: int) -> list[str]:
    """Do the runs that are not done yet, `jobs` at a time, and return the names of those that failed.

    Raises `Terminated` after SIGINT or SIGTERM, when all runs have ended.
    """
    running: dict[str, subprocess.Popen[bytes]] = {}
    stopping = threading.Event()
    slots = list(range(jobs))

    def work(name: str, wait: bool) -> int | None:
        slot = slots.pop()
        try:
            place = _environment(slot, jobs)
            return _run(plan, name, wanted[name], folder / name, place, running, stopping, wait=wait)
        finally:
            slots.append(slot)

    open_runs = [name for name in wanted if not (folder / name / DONE).is_file()]
    if len(open_runs) < len(wanted):
        console.print(f"{len(wanted) - len(open_runs)} of {len(wanted)} runs are done already")
    failed: list[str] = []
    varied = varied_names(list(wanted.values()))
    with _handing_on(running, stopping), ThreadPoolExecutor(jobs) as pool:
        # First take the runs that no other process is doing, then wait for the others.
        for wait in (False, True):
            futures = {pool.submit(work, name, wait): name for name in open_runs}
            open_runs = []
            for future in as_completed(futures):
                name, status = futures[future], future.result()
                if stopping.is_set():
                    continue
                if status is None:
                    open_runs.append(name)
                    continue
                if status:
                    failed.append(name)
                settings = " ".join(f"{key}={text_of(key, wanted[name].get(key))}" for key in varied)
                console.print(f"{'failed' if status else 'done'}: {name} {settings}")
    if stopping.is_set():
        raise Terminated("stopped; run the same command again to continue")
    return failed


def _run(
    plan: Sweep,
    name: str,
    values: Values,
    folder: Path,
    environment: dict[str, str],
    running: dict[str, subprocess.Popen[bytes]],
    stopping: threading.Event,
    *,
    wait: bool,
) -> int | None:
    """Do one run. Returns its exit status; 0 if it is done already; None if another process does it and not `wait`."""
    folder.mkdir(exist_ok=True)
    (folder / MARKER).touch()
    # Two sweeps may have runs with the same parameters; W&B must not take them for the same run.
    identity = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:8]
    environment = {**os.environ, **environment, "WANDB_RUN_ID": identity, "RUN_FOLDER": str(folder.resolve())}
    with (folder / _LOCK).open("w") as lock:
        while not (_taken(lock) and not _goes_on(folder)):
            if not wait or stopping.wait(1):
                return None
        if stopping.is_set() or (folder / DONE).is_file():
            return 0
        command = command_of(plan, values, environment)
        with (folder / _HELD).open("w") as held, (folder / LOG).open("ab") as log:
            _taken(held)
            try:
                process = subprocess.Popen(
                    command, env=environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                    start_new_session=True, pass_fds=(held.fileno(),),
                )  # fmt: skip
            except OSError as error:
                log.write(f"{command[0]}: {error.strerror}\n".encode())
                return 127
        running[name] = process
        if stopping.is_set():
            _terminate(process)
        status = process.wait()
        # A script may have ended at the signal while the training that it started is still saving.
        while _goes_on(folder):
            time.sleep(0.2)
        running.pop(name, None)
        if status == 0:
            with staged_file(folder / DONE) as partial:
                partial.write_text(json.dumps({"command": command, "parameters": values}, indent=1) + "\n")
        return status


@contextmanager
def _handing_on(running: dict[str, subprocess.Popen[bytes]], stopping: threading.Event) -> Iterator[None]:
    """Pass SIGINT and SIGTERM on to the runs as SIGTERM, at which `difffake fit` saves; then wait for them."""

    def stop(number: int, frame: FrameType | None) -> None:
        stopping.set()
        for process in list(running.values()):
            _terminate(process)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _goes_on(folder: Path) -> bool:
    """Whether a process of the run still lives, be it that the sweep that started it was killed."""
    if not (folder / _HELD).exists():
        return False
    with (folder / _HELD).open("a") as held:
        return not _taken(held)


def _taken(lock: IO[str]) -> bool:
    """Try to take the lock; True if this process has it now."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _terminate(process: "subprocess.Popen[bytes]") -> None:
    with suppress(ProcessLookupError):  # it may have ended already
        os.killpg(process.pid, signal.SIGTERM)


def _environment(slot: int, jobs: int) -> dict[str, str]:
    """Environment with a slot's share of the GPUs and cores; variables that the user has set are kept."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    gpus = visible.split(",") if visible else [str(number) for number in range(torch.cuda.device_count())]
    # A command finds the same `difffake` that runs the sweep.
    found = {"PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])}
    if gpus and jobs > 1:
        # Fewer GPUs than jobs: several runs share one.
        found["CUDA_VISIBLE_DEVICES"] = ",".join(gpus[slot % len(gpus) :: jobs])
    if jobs > 1 and "OMP_NUM_THREADS" not in os.environ:
        found["OMP_NUM_THREADS"] = str(max(1, (os.cpu_count() or 1) // jobs))
    return found
