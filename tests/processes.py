"""Commands of this package in processes of their own, forked from one that has the libraries loaded already."""

import multiprocessing
import os
import random
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

CONTEXT = multiprocessing.get_context("forkserver")
# A start takes a tenth of a second; that of a new interpreter is seven seconds of imports.
CONTEXT.set_forkserver_preload(["difffake.training.fit", "difffake.commands.fit_anomaly", "difffake.commands.evaluate"])


def free_port() -> int:
    """One that nothing on the loopback interface uses, and below those that connections take for themselves."""
    while True:
        port = random.SystemRandom().randrange(20000, 30000)
        with socket.socket() as found:
            if found.connect_ex(("127.0.0.1", port)):
                return port


def started(work: Callable[..., None], ranks: int, *arguments: object) -> list[int | None]:
    """Exit statuses of `work(rank, ranks, *arguments)` in one process per rank; negative if a signal ended it."""
    processes = [CONTEXT.Process(target=work, args=(rank, ranks, *arguments)) for rank in range(ranks)]
    for process in processes:
        process.start()
    end = time.monotonic() + 120
    for process in processes:
        process.join(max(end - time.monotonic(), 0))
    statuses = [process.exitcode for process in processes]  # None: still waiting
    for process in processes:
        process.kill()
    return statuses


def difffake(
    command: list[str], ranks: int = 1, before: Callable[[], None] | None = None
) -> tuple[list[int | None], str]:
    """Exit statuses and output of a command in `ranks` processes, which meet as torchrun's do.

    Args:
        before: called in each process first, for instance to let it be interrupted later.
    """
    meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "WORLD_SIZE": str(ranks)}
    meeting |= {"LOCAL_WORLD_SIZE": str(ranks), "TORCHELASTIC_RUN_ID": "test", "GROUP_RANK": "0"}
    environment = dict(os.environ) | {"OMP_NUM_THREADS": "1"} | (meeting if ranks > 1 else {})
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "output"
        statuses = started(_command, ranks, command, environment, before, output)
        return statuses, output.read_text()


def _command(
    rank: int,
    ranks: int,
    command: list[str],
    environment: dict[str, str],
    before: Callable[[], None] | None,
    output: Path,
) -> None:
    import torch
    from lightning.pytorch.utilities import rank_zero_only

    from difffake.commands.main import main

    os.setsid()  # a signal to the group is one to this process and its loaders
    os.environ.clear()
    os.environ.update(environment | ({"RANK": str(rank), "LOCAL_RANK": str(rank)} if ranks > 1 else {}))
    rank_zero_only.rank = rank  # Lightning reads it when it is imported, which was before
    torch.set_num_threads(1)
    multiprocessing.set_start_method("fork", force=True)  # of the loaders, as in a process that was started by hand
    file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(file, stream)
    sys.stdout, sys.stderr = os.fdopen(1, "w", buffering=1), os.fdopen(2, "w", buffering=1)
    if before:
        before()
    sys.exit(main(command))
