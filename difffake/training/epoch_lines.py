"""Progress of a run without a terminal: one line per epoch."""

import time
from typing import Any

import lightning
from lightning.pytorch.callbacks import Callback

from difffake.progress import console, duration

SECONDS = 300.0
"""Seconds between lines within a long epoch, so that a log file shows that the run is alive."""


class EpochLines(Callback):
    """Prints loss, val/auc and the remaining time once per epoch, on the first rank."""

    def __init__(self) -> None:
        self._begin = self._said = 0.0
        self._first_epoch = 0
        self._validated = False

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Start the clock. In a resumed run, earlier epochs do not count."""
        self._begin = self._said = time.monotonic()
        self._first_epoch = trainer.current_epoch

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Print the position within a long epoch."""
        now = time.monotonic()
        if now - self._said > SECONDS:
            self._said = now
            console.print(f"{_epoch(trainer)}: batch {batch_idx + 1} of {trainer.num_training_batches}")

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Note that val/auc is new."""
        self._validated = not trainer.sanity_checking

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Print the line. The loss is the mean over this rank's batches."""
        if not trainer.is_global_zero:
            return
        means: Any = pl_module.epoch_means
        parts = [f"loss {float(means.sums['train/loss_epoch']) / means.count:.4f}"] if means.count else []
        if self._validated:
            parts.append(f"val/auc {100 * float(trainer.callback_metrics['val/auc']):.1f} %")
            self._validated = False
        now = time.monotonic()
        done = trainer.current_epoch + 1
        if trainer.max_epochs not in (None, -1):
            each = (now - self._begin) / (done - self._first_epoch)
            parts.append(f"{duration(each * (trainer.max_epochs - done))} left")
        self._said = now
        console.print(f"{_epoch(trainer)}: {', '.join(parts)}")


def _epoch(trainer: lightning.Trainer) -> str:
    end = f" of {trainer.max_epochs}" if trainer.max_epochs not in (None, -1) else ""
    return f"epoch {trainer.current_epoch + 1}{end}"
