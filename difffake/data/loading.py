"""Loaders of batches."""

import multiprocessing
import signal
from collections.abc import Sequence
from multiprocessing.util import Finalize

import cv2
import torch
from torch.utils.data import DataLoader, Dataset

from difffake.data.batches import Batch, Key, collate
from difffake.data.samplers import EpochSampler


def loader(
    dataset: Dataset[Batch],
    batch_size: int,
    workers: int,
    sampler: EpochSampler | Sequence[Key],
    drop_last: bool = False,
) -> DataLoader[Batch]:
    """A loader of collated batches; `batch_size` counts samples, and a pair is one sample."""
    # Workers are forked: OpenCV's threads would not come along, and a worker that waits for one hangs for good.
    # They share the cores already, so one thread each is best anyway, here and (inherited) in them.
    cv2.setNumThreads(1)
    return DataLoader(
        dataset,
        batch_size=batch_size,
        sampler=sampler,
        num_workers=workers,
        collate_fn=collate,
        pin_memory=torch.cuda.is_available(),
        persistent_workers=workers > 0,
        drop_last=drop_last,
        worker_init_fn=_outlive_sigterm,
    )


def _outlive_sigterm(worker: int) -> None:
    """SLURM sends SIGTERM to all processes of a job: the run needs its loaders until it has been saved."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _end_workers() -> None:
    """Kill the workers that are left when this process exits, such as those of a command that an error ended.

    Python would send them SIGTERM, which they ignore, and then wait for them for ever.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # torch's handler would raise an error for each
    for process in multiprocessing.active_children():
        if process.daemon:  # Python ends these itself, and no others
            process.kill()


Finalize(None, _end_workers, exitpriority=0)  # before Python's own end of them
