"""Speed and memory use of a run, in timing.csv and other loggers."""

import time
from pathlib import Path

import lightning
import torch
from lightning.pytorch.callbacks import Callback

from difffake.training.csv_log import CSVLog


class Timing(Callback):
    """Logs images per second over all ranks and the peak memory of a GPU in GiB, once per epoch.

    They are not in metrics.csv, which is the same whenever a run is repeated.
    """

    def __init__(self, folder: Path) -> None:
        self._table = CSVLog(folder / "timing.csv")
        self._since: float | None = None
        self._seconds, self._batches = 0.0, 0

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Keep the rows of a run that is resumed."""
        self._table.reread()

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Start counting."""
        self._begin()

    def on_train_batch_end(self, trainer: lightning.Trainer, *_: object) -> None:
        """Count a batch. A run that is resumed within an epoch starts counting here."""
        if self._since is None:
            self._begin()
        else:
            self._batches += 1

    def on_validation_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Stop the clock, because validation does not count."""
        if self._since is not None:
            self._seconds += time.perf_counter() - self._since

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Start the clock again."""
        if self._since is not None:
            self._since = time.perf_counter()

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Log the values of the epoch."""
        if not self._batches or self._since is None:
            return
        data = trainer.datamodule  # type: ignore[attr-defined]  # set when fitting with a data module
        images = self._batches * data.batch_size * trainer.world_size
        values = {"time/images_per_second": images / (self._seconds + time.perf_counter() - self._since)}
        if torch.cuda.is_available():
            values["time/gpu_memory_gib"] = torch.cuda.max_memory_allocated() / 2**30
        for logger in (self._table, *(logger for logger in trainer.loggers if not isinstance(logger, CSVLog))):
            logger.log_metrics(values | {"epoch": trainer.current_epoch}, step=trainer.global_step)

    def _begin(self) -> None:
        self._since, self._seconds, self._batches = time.perf_counter(), 0.0, 0
        if torch.cuda.is_available():
            torch.cuda.reset_peak_memory_stats()
