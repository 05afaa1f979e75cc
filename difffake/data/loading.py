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
    """Make a loader of collated batches.

    Args:
        dataset: the data set.
        batch_size: samples per batch; a pair is one sample.
        workers: number of processes that load data; 0 loads in this process.
        sampler: keys (epoch, index) of the samples in their order.
        drop_last: leave out a last batch that is smaller.
    """
    # Workers are forked, and a fork does not have OpenCV's threads: a worker that waits for one never ends. With
    # several workers, one thread each is best anyway. The setting is inherited by the workers.
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
    """Ignore SIGTERM in workers. SLURM sends it to all processes, but the run needs its loaders until it is saved."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _end_workers() -> None:
    """Kill workers that still run when this process exits, such as after an error.

    Python would send them SIGTERM, which they ignore, and then wait for them without end.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # torch's handler would raise an error for each worker
    for process in multiprocessing.active_children():
        if process.daemon:  # only daemons: Python waits for others in any case
            process.kill()


Finalize(None, _end_workers, exitpriority=0)  # before Python's own handling of daemons
