"""Several processes (ranks) that do one job together, as torchrun or SLURM's srun starts them.

All functions are for one process as well, where there is nothing to exchange.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import ArrayLike
from torch import Tensor

from difffake.progress import console

T = TypeVar("T")


def launched() -> dict[str, str] | None:
    """Rank, number of ranks and meeting point of this process, as torch reads them; None if it was started alone.

    In a SLURM batch script only srun starts several: its variable says so, and SLURM_NTASKS does not.
    """
    if "TORCHELASTIC_RUN_ID" in os.environ:
        found = {name: os.environ[name] for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")}
    elif "SLURM_STEP_NUM_TASKS" in os.environ and "SLURM_PROCID" in os.environ:
        from lightning.fabric.plugins.environments import SLURMEnvironment

        nodes = os.environ.get("SLURM_STEP_NODELIST", os.environ.get("SLURM_NODELIST", "127.0.0.1"))
        found = {
            "RANK": os.environ["SLURM_PROCID"],
            "WORLD_SIZE": os.environ["SLURM_STEP_NUM_TASKS"],
            "LOCAL_RANK": os.environ["SLURM_LOCALID"],
            "MASTER_ADDR": SLURMEnvironment.resolve_root_node_address(nodes),
            # Jobs that share a node have different numbers.
            "MASTER_PORT": str(15000 + int(os.environ["SLURM_JOB_ID"]) % 10000),
        }
    else:
        return None
    return found if int(found["WORLD_SIZE"]) > 1 else None


def share() -> tuple[int, int]:
    """Number of this process and count of all that share out a job without talking to each other.

    They are those of torchrun or srun, or the jobs of a SLURM array (`sbatch --array=0-7`); else (0, 1).
    """
    if found := launched():
        return int(found["RANK"]), int(found["WORLD_SIZE"])
    if "SLURM_ARRAY_TASK_COUNT" in os.environ:
        first = int(os.environ["SLURM_ARRAY_TASK_MIN"])
        step = int(os.environ.get("SLURM_ARRAY_TASK_STEP", "1"))
        number = (int(os.environ["SLURM_ARRAY_TASK_ID"]) - first) // step
        return number, int(os.environ["SLURM_ARRAY_TASK_COUNT"])
    return 0, 1


@contextmanager
def process_group() -> Iterator[None]:
    """Join the other processes of the job, if there are any; only the first one then prints what all would."""
    found = launched()
    if not found:
        yield
        return
    os.environ.update(found)
    if torch.cuda.is_available():
        torch.cuda.set_device(int(found["LOCAL_RANK"]) % torch.cuda.device_count())
    dist.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo")
    console.quiet = rank() > 0
    try:
        yield
        dist.barrier()  # the first to end must not take away what others are reading
    finally:
        console.quiet = False
        dist.destroy_process_group()


def rank() -> int:
    """Number of this process, 0 for the first or only one."""
    return dist.get_rank() if dist.is_available() and dist.is_initialized() else 0


def ranks() -> int:
    """Count of processes."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def total(values: Tensor) -> Tensor:
    """Sum of `values`, of the same shape on every rank, over all ranks; the same bits everywhere."""
    if ranks() > 1:
        values = values.contiguous()
        dist.all_reduce(values)
    return values


def count(number: int) -> int:
    """Sum of a whole number over all ranks."""
    return int(total(torch.tensor(number)))


def everyone(value: T) -> list[T]:
    """What each rank has, in the order of ranks, on every rank."""
    if ranks() == 1:
        return [value]
    found: list[Any] = [None] * ranks()
    dist.all_gather_object(found, value)
    return found


def own_rows(groups: ArrayLike) -> np.ndarray:
    """Rows (n,) of this rank, in their order: all rows of a group (N,) are on one rank, and ranks have about as many.

    The largest groups are dealt first, each to the rank that has least.
    """
    names, inverse, sizes = np.unique(np.asarray(groups, dtype=str), return_inverse=True, return_counts=True)
    loads, owner = np.zeros(ranks(), dtype=np.int64), np.zeros(len(names), dtype=np.int64)
    for group in np.argsort(-sizes, kind="stable"):
        owner[group] = loads.argmin()
        loads[owner[group]] += sizes[group]
    return np.flatnonzero(owner[inverse] == rank())
