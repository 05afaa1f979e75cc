"""last.ckpt: a run that was stopped or killed at any moment continues from it with the same results."""

import errno
import os
import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import lightning
import torch
from lightning.fabric.plugins.io.checkpoint_io import CheckpointIO
from lightning.pytorch.callbacks import Checkpoint

from difffake.data.manifest import manifest_file
from difffake.errors import Terminated, UsageError, UserError
from difffake.files import sha256, staged_file
from difffake.models.checkpoint import read_checkpoint
from difffake.progress import console
from difffake.recorded import plain
from difffake.training.csv_log import CSVLog
from difffake.training.datamodule import FaceData
from difffake.training.module import DetectorTraining

BEST, LAST, PREVIOUS = "best.ckpt", "last.ckpt", "previous.ckpt"
BEST_FOLDER = "best"
"""Folder in a run folder for several of the best checkpoints."""
RESUME_KEY = "difffake_resume"


class LastCheckpoint(Checkpoint):
    """Writes last.ckpt, and keeps the checkpoint before it as previous.ckpt.

    last.ckpt is saved before the first batch of an epoch, before every `every`-th step and at the end. At SIGTERM,
    which SLURM sends before it ends a job, it is saved after the current step. It is always saved between two optimizer
    steps. It contains the rows of the log and the sums of the epoch's losses on every rank, so that the log is
    continued too.

    Args:
        folder: run folder.
        every: number of steps from one checkpoint to the next within an epoch; 0 saves only between epochs.
    """

    def __init__(self, folder: Path, every: int) -> None:
        if every < 0:
            raise UsageError(f"--checkpoint_steps {every} must be at least 0")
        self.path = folder / LAST
        self.every = every
        self._asked = False
        self._saved = -1
        self._position: tuple[int, int] | None = None
        self._rows: list[dict[str, float]] = []

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Handle SIGTERM. Lightning's own handler would communicate with other ranks inside the signal handler."""
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self._ask)

    def on_train_batch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Save if it is time. Stop the run if any rank received SIGTERM."""
        if batch_idx % trainer.accumulate_grad_batches:
            return  # a checkpoint cannot contain accumulated gradients
        asked = trainer.strategy.reduce_boolean_decision(self._asked, all=False)
        step = trainer.global_step
        if asked or batch_idx == 0 or (self.every and step % self.every == 0):
            self._save(trainer, batch_idx)
        if asked:
            raise Terminated(f"stopped by SIGTERM after step {step}; run the same command with --resume to continue")

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Save the final state, and whether a callback such as EarlyStopping ended the run."""
        self._saved = -1 if trainer.should_stop else self._saved
        self._save(trainer, 0)

    def on_save_checkpoint(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Add the log so far, and the settings that a resumed run must not change."""
        assert isinstance(pl_module, DetectorTraining)
        own = {name: float(value) for name, value in pl_module.epoch_means.sums.items()}
        sums: list[Any] = [own]
        if trainer.world_size > 1:
            sums = [None] * trainer.world_size
            torch.distributed.all_gather_object(sums, own)
        checkpoint[RESUME_KEY] = {
            "rows": next((log.rows for log in _logs(trainer)), self._rows),
            "sums": sums,
            "count": pl_module.epoch_means.count,
            "position": self._position,
            "ended": trainer.should_stop,
            "settings": run_settings(trainer, pl_module, trainer.datamodule),  # type: ignore[attr-defined]
        }

    def on_load_checkpoint(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Restore the log of the checkpoint."""
        assert isinstance(pl_module, DetectorTraining)
        kept = checkpoint[RESUME_KEY]
        self._rows = kept["rows"]
        pl_module.epoch_means.restore(kept["sums"][trainer.global_rank], kept["count"], trainer.strategy.root_device)
        for log in _logs(trainer):
            log.restore(kept["rows"])
        self._saved = checkpoint["global_step"]

    def _save(self, trainer: lightning.Trainer, batches: int) -> None:
        if trainer.global_step == self._saved and self.path.is_file():
            return
        # The current batch has been fetched, but not trained on: it does not count as the last batch of the epoch.
        progress = trainer.fit_loop.epoch_loop.batch_progress
        ended = progress.is_last_batch
        progress.is_last_batch = progress.current.completed == progress.current.ready and ended
        self._position = (trainer.current_epoch, batches)
        trainer.save_checkpoint(self.path)
        self._position = None  # other checkpoints, such as best.ckpt, are saved during validation
        progress.is_last_batch = ended
        self._saved = trainer.global_step

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self._asked = True


class WholeCheckpoints(CheckpointIO):
    """Writes a checkpoint to another name and renames it, so that no checkpoint is half written, however a run ends.

    Lightning's own class writes to the system's temporary folder and copies the file from there. When last.ckpt is
    replaced, the old file is kept as previous.ckpt.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write `checkpoint`. Raises `OSError` if the disk is full; then the old file stays."""
        path = Path(path)
        with staged_file(path) as partial:
            try:
                with partial.open("wb") as file:
                    torch.save(checkpoint, file)
                    file.flush()
                    os.fsync(file.fileno())
            except RuntimeError as error:  # raised by torch if a write fails
                raise OSError(errno.EIO, f"cannot be written ({str(error).splitlines()[0]})", str(path)) from error
            except OSError as error:
                raise OSError(error.errno, error.strerror, str(path)) from error
            if path.name == LAST and path.is_file():
                path.replace(path.with_name(PREVIOUS))

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = None) -> dict[str, Any]:
        """Load a checkpoint to the CPU. Its paths of the best checkpoints are corrected if the run folder was moved."""
        found = torch.load(path, map_location="cpu", weights_only=True)
        folder = Path(path).resolve().parent
        for state in found.get("callbacks", {}).values():
            best = Path(state.get("best_model_path", ""))
            if best.name == BEST:
                _move(state, folder)
            elif best.parent.name == BEST_FOLDER:
                _move(state, folder / BEST_FOLDER)
        return found

    def remove_checkpoint(self, path: Any) -> None:
        """Delete a checkpoint."""
        Path(path).unlink(missing_ok=True)


def checkpoint_to_resume(folder: Path) -> tuple[Path, dict[str, Any]] | None:
    """Find the newest readable checkpoint of a run folder.

    Args:
        folder: run folder.

    Returns:
        Path and content of the checkpoint; None if the run was stopped before its first checkpoint.

    Raises:
        UserError: there are checkpoints, but all are broken, or a run cannot be resumed from any of them.
    """
    broken = None
    for path in (folder / LAST, folder / PREVIOUS):
        if not path.is_file():
            continue
        try:
            found = read_checkpoint(path)
            kept = found.get(RESUME_KEY)
            if not isinstance(kept, dict) or not kept.get("position"):
                raise UserError(
                    f"{path} was not written by this version of `difffake fit`: start again with --overwrite"
                )
        except UserError as error:
            broken = broken or error
            continue
        if broken:
            console.print(f"{broken}: continuing from {path.name}")
        return path, found
    if broken:
        raise UserError(f"{broken}, and there is no readable {PREVIOUS}: start again with --overwrite")
    if any(folder.glob("*.ckpt")):
        raise UserError(f"{folder} has checkpoints but no {LAST} to resume from: start again with --overwrite")
    return None


def refuse_other_settings(kept: dict[str, Any], now: dict[str, Any]) -> None:
    """Raise `UserError` if the run to resume had other settings.

    Args:
        kept: `run_settings` of the run to resume.
        now: `run_settings` of this run.
    """
    for name, value in now.items():
        before = kept["settings"].get(name)
        if before != value:
            while isinstance(before, dict) and isinstance(value, dict):  # for a group, name the setting that differs
                key = next(key for key in before | value if before.get(key) != value.get(key))
                name, before, value = f"{name}.{key}", before.get(key), value.get(key)
            raise UserError(f"the run to resume had {name} {before}, not {value}: give the same value")


def run_settings(trainer: lightning.Trainer, module: DetectorTraining, data: FaceData) -> dict[str, Any]:
    """Every setting of a run that changes its result, as plain values, except the settings of the model.

    The settings are the constructors' arguments. A new argument is compared too, unless it is listed in `_FREE`.
    """
    found: dict[str, Any] = {
        "devices": trainer.world_size,
        "manifest (SHA-256)": [sha256(manifest_file(Path(path))) for path in data.paths],
        "cached latents": data.latents != "none",  # cached latents are rounded to half precision
        "--seed_everything": module.seed,
        "--model.optimizer": module.settings["optimizer"],
    }
    found |= {f"--data.{name}": value for name, value in data.settings.items() if name not in _FREE}
    return found | {f"--trainer.{name}": plain(getattr(trainer, name)) for name in _TRAINER}


_FREE = {"manifest", "workers", "latents", "image_size", "seed"}
"""Arguments of `FaceData` that do not change the result, or are compared under another name."""
_TRAINER = (
    "accumulate_grad_batches", "gradient_clip_val", "gradient_clip_algorithm", "precision", "limit_train_batches",
    "limit_val_batches", "val_check_interval", "check_val_every_n_epoch", "log_every_n_steps",
    "reload_dataloaders_every_n_epochs", "overfit_batches",
)  # fmt: skip
"""Arguments of a Trainer that change the result. The length of a run may change; callbacks keep their own state."""


def _move(state: dict[str, Any], folder: Path) -> None:
    """Change the paths in a `ModelCheckpoint`'s state from its `dirpath` to `folder`."""
    before = state["dirpath"]

    def moved(path: str) -> str:
        return str(folder / Path(path).relative_to(before)) if path else path

    for name in ("best_model_path", "kth_best_model_path", "last_model_path"):
        state[name] = moved(state[name])
    state["best_k_models"] = {moved(path): score for path, score in state["best_k_models"].items()}
    state["dirpath"] = str(folder)


def _logs(trainer: lightning.Trainer) -> list[CSVLog]:
    return [logger for logger in trainer.loggers if isinstance(logger, CSVLog)]
