"""How fast a run is and what it takes: timing.csv, and the same for other loggers."""

import time
from pathlib import Path

import lightning
import torch
from lightning.pytorch.callbacks import Callback

from difffake.training.csv_log import CSVLog


class Timing(Callback):
    """Logs images a second over all ranks and the peak of a GPU's memory in GiB, once an epoch.

    Not in metrics.csv, which is the same in every repetition of a run.
    """

    def __init__(self, folder: Path) -> None:
        self._table = CSVLog(folder / "timing.csv")
        self._since: float | None = None
        self._seconds, self._batches = 0.0, 0

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Go on after the rows of a run that is resumed; a new one has no such file."""
        self._table.reread()

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Begin to count."""
        self._begin()

    def on_train_batch_end(self, trainer: lightning.Trainer, *_: object) -> None:
        """Count; a run that goes on within an epoch begins here."""
        if self._since is None:
            self._begin()
        else:
            self._batches += 1

    def on_validation_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Validation does not count."""
        if self._since is not None:
            self._seconds += time.perf_counter() - self._since

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Training goes on."""
        if self._since is not None:
            self._since = time.perf_counter()

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Log."""
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
