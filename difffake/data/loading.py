"""Loaders of batches."""

import signal
from collections.abc import Sequence

import cv2
import torch
from torch.utils.data import DataLoader, Dataset

from difffake.data.datasets import Batch, Key, collate
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
