"""Work in several processes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from difffake.errors import UserError
from difffake.workers import in_processes


def test_every_unit_is_done_once() -> None:
    units = range(-20, 0)
    assert sorted(in_processes(abs, units, 2)) == list(range(1, 21))


def test_an_error_of_the_work_arrives() -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        list(in_processes(int, ["1", "x"], 1))


def test_a_killed_process_is_told_in_one_line() -> None:
    with pytest.raises(UserError, match=r"a worker process was killed.*lower --workers"):
        list(in_processes(os._exit, [9], 1))


class Meeting:
    """Is unpickled when two processes do so at the same time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Callable[[Path], bool], tuple[Path]]:
        return both_come, (self.folder,)


def both_come(folder: Path) -> bool:
    (folder / str(os.getpid())).touch()
    for _ in range(600):
        if len(list(folder.iterdir())) == 2:
            return True
        time.sleep(0.1)
    return False


def start(came: bool, _: bytes) -> None:
    assert came, "the other process did not start"


def test_processes_start_at_the_same_time(tmp_path: Path) -> None:
    more_than_a_pipe_holds = bytes(1_000_000)
    assert sorted(in_processes(abs, range(4), 2, start, (Meeting(tmp_path), more_than_a_pipe_holds))) == [0, 1, 2, 3]


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")
def test_processes_end_with_the_one_that_started_them() -> None:
    code = (
        "import time\nfrom difffake.workers import in_processes\n"
        "if __name__ == '__main__':\n    for n in in_processes(time.sleep, [0.01, 0.01] + [99] * 9, 2):\n"
        "        print(n, flush=True)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()  # its processes are at work
        workers = children(parent.pid)
        assert len(workers) >= 2
        parent.send_signal(signal.SIGKILL)
    for _ in range(100):
        if not any(map(running, workers)):
            return
        time.sleep(0.1)
    pytest.fail("workers outlived the process that started them")


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
