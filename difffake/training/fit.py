"""A training run: its folder, checkpoints and logs, and how it is resumed."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.utilities import rank_zero_only
from lightning.pytorch.utilities.exceptions import MisconfigurationException

import difffake
from difffake import wandb_run
from difffake.data.manifest import manifest_file
from difffake.errors import Terminated, UsageError, UserError
from difffake.files import MARKER, remove_written, sha256
from difffake.metrics import percent
from difffake.progress import console
from difffake.training.csv_log import CSVLog
from difffake.training.datamodule import FaceData
from difffake.training.epoch_lines import EpochLines
from difffake.training.last_checkpoint import (
    BEST,
    BEST_FOLDER,
    LAST,
    RESUME_KEY,
    LastCheckpoint,
    WholeCheckpoints,
    checkpoint_to_resume,
    refuse_other_settings,
    run_settings,
)
from difffake.training.module import DetectorTraining
from difffake.training.nan_guard import NanGuard
from difffake.training.timing import Timing


def rank() -> int:
    """Rank of this process, from the launcher's environment; it is known before there is a process group."""
    return int(getattr(rank_zero_only, "rank", 0))


class BestCheckpoints(ModelCheckpoint):
    """The checkpoints with the highest `val/auc`, by epoch; Lightning tells its callbacks apart by their class."""


def add_callbacks(config: Any, out: Path, checkpoint_steps: int, keep: int = 1) -> None:
    """Add the callbacks and loggers that write checkpoints and logs to the arguments of the Trainer.

    Args:
        config: arguments of the Trainer, changed in place. With `fast_dev_run`, nothing is saved. Unless `logger` is
            False, the run folder gets metrics.csv in addition to the given loggers.
        out: run folder.
        checkpoint_steps: number of steps from one last.ckpt to the next within an epoch.
        keep: number of the best checkpoints to keep; from 2, they are also in the folder `BEST_FOLDER` of the run.
    """
    if keep < 1:
        raise UsageError(f"--keep_checkpoints {keep} must be at least 1")
    config.default_root_dir = str(out)
    config.callbacks = [*_listed(config.callbacks), NanGuard()]
    if not console.is_terminal:
        # In a log file, a progress bar gives thousands of lines, or none until the end.
        config.callbacks.append(EpochLines())
        config.enable_progress_bar = bool(config.enable_progress_bar)
    if config.fast_dev_run:
        return
    # The best checkpoint is chosen on the validation split of the training data set, never on test data.
    best = ModelCheckpoint(
        dirpath=out, filename=Path(BEST).stem, monitor="val/auc", mode="max", enable_version_counter=False
    )
    if keep > 1:
        name = "epoch{epoch:03d}-auc{val/auc:.4f}"
        config.callbacks.append(BestCheckpoints(
            dirpath=out / BEST_FOLDER, filename=name, auto_insert_metric_name=False, monitor="val/auc", mode="max",
            save_top_k=keep,
        ))  # fmt: skip
    config.callbacks += [best, LastCheckpoint(out, checkpoint_steps)]
    config.plugins = [*_listed(config.plugins), WholeCheckpoints()]
    if config.logger is not False:
        own = [] if config.logger is True else _listed(config.logger)
        config.logger = [CSVLog(out / "metrics.csv"), *own]
        config.callbacks.append(Timing(out))


def _listed(value: Any) -> list[Any]:
    """What the Trainer takes as nothing, one object or several, as a list."""
    return [] if value is None else list(value) if isinstance(value, list | tuple) else [value]


def train(
    trainer: lightning.Trainer,
    model: DetectorTraining,
    data: FaceData,
    config: dict[str, Any],
    save_config: Callable[[Path], None],
) -> None:
    """Train, and write best.ckpt and the other files into the run folder of the Trainer's callbacks.

    Args:
        trainer: Trainer with the callbacks of `add_callbacks`.
        model: module to train.
        data: data to train on.
        config: the whole config of the run; its entry `resume` says whether to continue from last.ckpt.
        save_config: function that writes the config to a file.

    Raises:
        UserError: the data are not complete, the run cannot be resumed with these settings, or it failed.
    """
    # Check the data first: an error here leaves no run folder behind.
    data.training_set()
    data.validation_set()
    data.manifest.check_files(splits=("train", "val"))
    if trainer.fast_dev_run:  # type: ignore[attr-defined]
        trainer.fit(model, data)
        console.print("fast_dev_run: one training batch and one validation batch worked; nothing was saved")
        return
    out = Path(config["out"])
    resumed = checkpoint_to_resume(out) if config["resume"] else None
    if resumed:
        # A run that cannot be resumed with these settings is refused here, before anything is computed or changed.
        model.on_load_checkpoint(resumed[1])
        kept = resumed[1][RESUME_KEY]
        refuse_other_settings(kept, run_settings(trainer, model, data))
        if kept["ended"]:
            console.print(f"{out} was ended by a callback such as EarlyStopping: there is nothing left to do")
            return
        if _finished(trainer, resumed[1]):
            console.print(
                f"{out} is finished after {kept['position'][0]} epochs: raise --trainer.max_epochs to train for longer"
            )
            return
        data.resume(*kept["position"])
    elif config["resume"] and rank() == 0:
        console.print(f"{out} has no checkpoint yet: the run starts from the beginning")
    wandb = next((logger for logger in trainer.loggers if isinstance(logger, WandbLogger)), None)
    identity = wandb_run.run_id(out if resumed else None) if wandb else ""
    if rank() == 0:
        _make_run_folder(out, resumed is not None)
        save_config(out / "config.yaml")
        for half in out.glob(".partial-*.ckpt"):  # left by a run that was killed while it saved
            half.unlink()
        if resumed and resumed[0].name != LAST:
            (out / LAST).unlink(missing_ok=True)  # broken: it must not replace the checkpoint before it
    try:
        if wandb and rank() == 0:
            wandb_run.prepare(identity)
            _begin_wandb(model, data, config, wandb, identity)
        trainer.fit(model, data, ckpt_path=resumed and resumed[0], weights_only=True)
    except Terminated:
        if rank() > 0:
            sys.exit(0)  # rank 0 prints the message
        raise
    except SystemExit:  # Lightning's answer to Ctrl-C
        raise KeyboardInterrupt from None
    except RuntimeError as error:
        if "Early stopping conditioned on metric" not in str(error):
            raise
        raise UserError(" ".join(str(error).replace("`", "").split())) from error
    except (UserError, MisconfigurationException, OSError) as error:
        if rank() == 0 and not resumed and not (out / LAST).exists():
            remove_written(out)
        if not isinstance(error, MisconfigurationException):
            raise
        raise UserError(str(error)) from error
    if trainer.is_global_zero:
        _print_best(trainer, out)


def _make_run_folder(out: Path, resumed: bool) -> None:
    """Make the run folder, or keep it if the run is resumed."""
    if not resumed:
        if out.exists():
            remove_written(out)
        out.mkdir(parents=True)
        (out / MARKER).touch()


def _finished(trainer: lightning.Trainer, checkpoint: dict[str, Any]) -> bool:
    """Whether a checkpoint was saved at the end of a run with as many epochs as this one."""
    epochs, steps = trainer.max_epochs, trainer.max_steps
    epoch, _ = checkpoint[RESUME_KEY]["position"]
    return (epochs not in (None, -1) and epoch >= epochs) or (steps != -1 and checkpoint["global_step"] >= steps)


def _print_best(trainer: lightning.Trainer, out: Path) -> None:
    saved = [callback for callback in trainer.checkpoint_callbacks if isinstance(callback, ModelCheckpoint)]
    best = next(callback for callback in saved if callback.dirpath == str(out.resolve()))
    if best.best_model_score is None:
        raise UserError("the run ended before its first validation, so there is no best.ckpt: train for longer")
    if not (out / BEST).is_file():
        raise UserError(f"{out}/{BEST} was deleted, and no later checkpoint was better: start again with --overwrite")
    console.print(f"best val/auc {percent(float(best.best_model_score))} %: {out}/{BEST}")


def _begin_wandb(
    model: DetectorTraining, data: FaceData, config: dict[str, Any], logger: WandbLogger, identity: str
) -> None:
    """Start or continue the W&B run, and send it the settings that the run folder records."""
    facts = {
        "difffake": difffake.__version__,
        "manifests": {path: sha256(manifest_file(Path(path))) for path in data.paths},
        "diffusion": model.teacher.fingerprint if model.teacher.loaded else None,
    }
    with wandb_run.reached():
        logger.log_hyperparams({**config, "fingerprints": facts})
        run = logger.experiment
    wandb_run.note_run(Path(config["out"]), identity, run.project, run.entity or None)
