"""Several processes (ranks) that do one job together, started by torchrun or SLURM's srun.

All functions also work in a single process, where nothing is exchanged.
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

from difffake.launched import launched
from difffake.progress import console

T = TypeVar("T")


def share() -> tuple[int, int]:
    """Number of this process and count of all that share out a job without talking to each other.

    They are those of torchrun or srun, or the jobs of a SLURM array (`sbatch` with an array); else (0, 1).
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
    """Join the other processes of the job, if there are any. Then only rank 0 prints."""
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
        dist.barrier()  # no rank may end while others still need it
    finally:
        console.quiet = False
        dist.destroy_process_group()


def rank() -> int:
    """Number of this process; 0 for the first or only process."""
    return dist.get_rank() if dist.is_available() and dist.is_initialized() else 0


def ranks() -> int:
    """Number of processes."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def total(values: Tensor) -> Tensor:
    """Sum of `values` over all ranks, bit for bit the same on all of them; the shape must be the same on all ranks."""
    if ranks() > 1:
        values = values.contiguous()
        dist.all_reduce(values)
    return values


def count(number: int) -> int:
    """Sum of an integer over all ranks."""
    return int(total(torch.tensor(number)))


def everyone(value: T) -> list[T]:
    """The values of all ranks, in the order of ranks; the same list on every rank."""
    if ranks() == 1:
        return [value]
    found: list[Any] = [None] * ranks()
    dist.all_gather_object(found, value)
    return found


def own_rows(groups: ArrayLike) -> np.ndarray:
    """Share rows between ranks: all rows of a group are on one rank, and all ranks have about equally many rows.

    The largest groups are given out first, each to the rank with the fewest rows.

    Args:
        groups: group (N,) of each row.

    Returns:
        Numbers (n,) of this rank's rows, in ascending order.
    """
    names, inverse, sizes = np.unique(np.asarray(groups, dtype=str), return_inverse=True, return_counts=True)
    loads, owner = np.zeros(ranks(), dtype=np.int64), np.zeros(len(names), dtype=np.int64)
    for group in np.argsort(-sizes, kind="stable"):
        owner[group] = loads.argmin()
        loads[owner[group]] += sizes[group]
    return np.flatnonzero(owner[inverse] == rank())
