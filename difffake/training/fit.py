"""A training run: its folder, its checkpoints and logs, and going on with one that was stopped."""

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
from difffake.errors import Terminated, UserError
from difffake.files import MARKER, remove_written, sha256
from difffake.progress import console
from difffake.training.csv_log import CSVLog
from difffake.training.datamodule import FaceData
from difffake.training.epoch_lines import EpochLines
from difffake.training.last_checkpoint import (
    BEST,
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


<<<<<<< HEAD
class FitCLI(LightningCLI):
    """Adds the run folder, resuming, and the settings that model and data share."""

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Options beside model, data and trainer."""
        parser.add_argument("--out", type=Path, required=True, help="run folder: checkpoints, config, metrics")
        parser.add_argument("--overwrite", action="store_true", help="replace an existing run folder")
        parser.add_argument(
            "--resume",
            action="store_true",
            help="go on from last.ckpt in the run folder, or start if there is none yet",
        )
        parser.add_argument(
            "--checkpoint_steps", type=int, default=1000,
            help="steps from one last.ckpt to the next within an epoch; 0: only between epochs, and at SIGTERM",
        )  # fmt: skip
        parser.link_arguments("model.image_size", "data.image_size")
        parser.link_arguments("seed_everything", "model.seed")
        parser.link_arguments("seed_everything", "data.seed")

    def before_instantiate_classes(self) -> None:
        """Refuse at once what would be refused after the data have been read."""
        out = Path(self.config.out)
        begun = self.config.resume and (out / MARKER).is_file()
        if not begun and rank() == 0:
            refuse_existing(out, self.config.overwrite, _inputs(self.config))

    def make_run_folder(self, resumed: bool) -> None:
        """Make the run folder, or keep it to resume, with the whole config in it."""
        out = Path(self.config.out)
        if not resumed:
            if out.exists():
                remove_written(out)
            out.mkdir(parents=True)
            (out / MARKER).touch()
        # Not what was asked for but what was taken: the tag of timm's weights and their normalization.
        taken = self.model.detector.config
        for name, value in (("encoder", taken.encoder), ("mean", list(taken.mean)), ("std", list(taken.std))):
            self.config.model[name] = value
        self.parser.save(self.config, out / "config.yaml", skip_none=False, overwrite=True)

    def instantiate_trainer(self, **kwargs: Any) -> lightning.Trainer:
        """The Trainer with checkpoints and, unless the config names a logger, a CSV log in the run folder."""
        out = Path(self.config.out)
        config = self.config_init.trainer
        # Selection is on the training data set's own validation split, never on test data.
        best = ModelCheckpoint(
            dirpath=out, filename=Path(BEST).stem, monitor="val/auc", mode="max", enable_version_counter=False
        )
        self.best = best
        last = LastCheckpoint(out, self.config_init.checkpoint_steps)
        config.callbacks = [*(config.callbacks or []), best, last]
        config.plugins = [*(config.plugins or []), WholeCheckpoints()]
        if config.logger is not False:
            own = [] if config.logger in (None, True) else config.logger
            config.logger = [CSVLog(out / "metrics.csv"), *(own if isinstance(own, list) else [own])]
            config.callbacks.append(Timing(out))
        config.default_root_dir = str(out)
        return super().instantiate_trainer(**kwargs)


def _inputs(config: Any) -> list[str]:
    """Files and folders that a run reads, as they are named in its config."""
    manifest = config.data.manifest
    return [*([manifest] if isinstance(manifest, str) else manifest), config.model.weights, config.model.diffusion.name]


=======
>>>>>>> 4c5163d (fit: short help, lists as in every command, one-line mistakes, a line per epoch in log files)
def rank() -> int:
    """This process's rank, known from the launcher's environment before there is a process group."""
    return int(getattr(rank_zero_only, "rank", 0))


<<<<<<< HEAD
def fit(arguments: list[str]) -> None:
    """Train a detector; `arguments` are those of `difffake fit`."""
    for message in _NOISE:
        warnings.filterwarnings("ignore", message)
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    try:
        cli = FitCLI(
            DetectorTraining,
            FaceData,
            args=arguments,
            run=False,
            seed_everything_default=0,
            save_config_callback=None,  # the run folder gets it whatever the logger
            # Samplers of the data module give each rank its share; Lightning's would pad validation with duplicates.
            trainer_defaults={"use_distributed_sampler": False},
            parser_kwargs={
                "prog": "difffake fit",
                "description": "Train a detector. `--print_config` shows every option with its value.",
                "epilog": "example: difffake fit --config configs/difffake.yaml --data.manifest data/lfw --out runs/a",
            },
            auto_configure_optimizers=False,
        )
    except ValueError as error:
        # jsonargparse's, which lists what each type that an option may have said of its value.
        reasons = [line.strip(" -") for line in str(error).splitlines() if line.lstrip().startswith("- ")]
        raise UserError(reasons[0] if reasons else str(error).splitlines()[0]) from error
    if rank() == 0:
        console.print(cli.model.detector.encoder.described)
    if rank() == 0 and not cli.model.diffusion and cli.model.diffusion_config != DiffusionConfig():
        console.print(
            "the detector is trained alone: --model.diffusion teaches only with --model.guide or --model.noise_learning"
        )
=======
def add_callbacks(config: Any, out: Path, checkpoint_steps: int) -> None:
    """Add a run's checkpoints and logs to the arguments of its Trainer.

    Args:
        config: arguments of the Trainer, changed in place. With `fast_dev_run` nothing is saved; unless `logger` is
            False, the run folder gets a CSV log beside the loggers that are named.
        out: run folder.
        checkpoint_steps: steps from one last.ckpt to the next within an epoch.
    """
    config.default_root_dir = str(out)
    config.callbacks = [*(config.callbacks or []), NanGuard()]
    if not console.is_terminal:
        # A progress bar would fill a log file with thousands of lines, or with none until the end.
        config.callbacks.append(EpochLines())
        config.enable_progress_bar = bool(config.enable_progress_bar)
    if config.fast_dev_run:
        return
    # Selection is on the training data set's own validation split, never on test data.
    best = ModelCheckpoint(
        dirpath=out, filename=Path(BEST).stem, monitor="val/auc", mode="max", enable_version_counter=False
    )
    config.callbacks += [best, LastCheckpoint(out, checkpoint_steps)]
    config.plugins = [*(config.plugins or []), WholeCheckpoints()]
    if config.logger is not False:
        own = [] if config.logger in (None, True) else config.logger
        config.logger = [CSVLog(out / "metrics.csv"), *(own if isinstance(own, list) else [own])]
        config.callbacks.append(Timing(out))


def train(
    trainer: lightning.Trainer,
    model: DetectorTraining,
    data: FaceData,
    config: dict[str, Any],
    save_config: Callable[[Path], None],
) -> None:
    """Train, in the run folder of the Trainer's callbacks; the best checkpoint is best.ckpt in it.

    Args:
        trainer: with the callbacks of `add_callbacks`.
        model: what is trained.
        data: what it is trained on.
        config: the whole config of the run; `resume` in it says whether to go on from last.ckpt.
        save_config: writes the config to a file.

    Raises:
        UserError: the data are not complete, the run cannot go on as it was begun, or it failed.
    """
>>>>>>> 4c5163d (fit: short help, lists as in every command, one-line mistakes, a line per epoch in log files)
    # Sound data first: what fails here leaves no run folder behind.
    data.training_set()
    data.validation_set()
    data.manifest.check_files(splits=("train", "val"))
    if trainer.fast_dev_run:  # type: ignore[attr-defined]
        trainer.fit(model, data)
        console.print("fast_dev_run: a batch of training and one of validation worked; nothing was saved")
        return
    out = Path(config["out"])
    resumed = checkpoint_to_resume(out) if config["resume"] else None
    if resumed:
        # A run that cannot go on so is left as it is, and nothing is computed for it.
        model.on_load_checkpoint(resumed[1])
        kept = resumed[1][RESUME_KEY]
        refuse_other_settings(kept, run_settings(trainer, model, data))
        if kept["ended"]:
            console.print(f"{out} was ended by a callback, such as EarlyStopping: nothing is left to do")
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
        for half in out.glob(".partial-*.ckpt"):  # of a run that was killed while it saved
            half.unlink()
        if resumed and resumed[0].name != LAST:
            (out / LAST).unlink(missing_ok=True)  # broken: it must not take the place of the one before
    try:
        if wandb and rank() == 0:
            wandb_run.prepare(identity)
            _begin_wandb(model, data, config, wandb, identity)
        trainer.fit(model, data, ckpt_path=resumed and resumed[0], weights_only=True)
    except Terminated:
        if rank() > 0:
            sys.exit(0)  # rank 0 says it
        raise
    except SystemExit:  # Lightning's answer to Ctrl-C
        raise KeyboardInterrupt from None
    except (UserError, MisconfigurationException, OSError) as error:
        if rank() == 0 and not resumed and not (out / LAST).exists():
            remove_written(out)
        if isinstance(error, OSError):
            raise
        raise UserError(str(error)) from error
    if trainer.is_global_zero:
        _print_best(trainer, out)


def _make_run_folder(out: Path, resumed: bool) -> None:
    """Make the run folder, or keep it to resume."""
    if not resumed:
        if out.exists():
            remove_written(out)
        out.mkdir(parents=True)
        (out / MARKER).touch()


def _finished(trainer: lightning.Trainer, checkpoint: dict[str, Any]) -> bool:
    """Whether a checkpoint is of the end of a run as long as this one."""
    epochs, steps = trainer.max_epochs, trainer.max_steps
    epoch, _ = checkpoint[RESUME_KEY]["position"]
    return (epochs not in (None, -1) and epoch >= epochs) or (steps != -1 and checkpoint["global_step"] >= steps)


def _print_best(trainer: lightning.Trainer, out: Path) -> None:
    saved = [callback for callback in trainer.checkpoint_callbacks if isinstance(callback, ModelCheckpoint)]
    best = next(callback for callback in saved if callback.dirpath == str(out.resolve()))
    if best.best_model_score is None:
        raise UserError("the run ended before its first validation, so there is no best.ckpt: train for longer")
    if not (out / BEST).is_file():
        raise UserError(f"{out}/{BEST} has been deleted, and nothing better came after it: start anew")
    console.print(f"best val/auc {float(best.best_model_score):.4f}: {out}/{BEST}")


def _begin_wandb(
    model: DetectorTraining, data: FaceData, config: dict[str, Any], logger: WandbLogger, identity: str
) -> None:
    """Begin the W&B run, or go on with it, and let it know what the run folder knows."""
    facts = {
        "difffake": difffake.__version__,
        "manifests": {path: sha256(manifest_file(Path(path))) for path in data.paths},
        "diffusion": model.diffusion.fingerprint() if model.diffusion else None,
    }
    with wandb_run.reached():
        logger.log_hyperparams({**config, "fingerprints": facts})
        run = logger.experiment
<<<<<<< HEAD
    wandb_run.note_run(Path(cli.config.out), identity, run.project, run.entity or None)


# Lightning's notes on what is meant to be so here.
_NOISE = (
    ".*args parameter is intended to run from within Python.*",
    ".*does not have many workers.*",
    ".*in eval mode at the start of training.*",  # what is frozen
    ".*is smaller than the logging interval.*",
    ".*exists and is not empty.*",
    ".*It is recommended to use .self.log.*sync_dist=True.*",  # all samples of all ranks are in val/auc already
    ".*your dataloader is not resumable.*",  # FaceData is
    ".*isinstance\\(treespec, LeafSpec\\).*",
)
=======
    wandb_run.note_run(Path(config["out"]), identity, run.project, run.entity or None)
>>>>>>> 4c5163d (fit: short help, lists as in every command, one-line mistakes, a line per epoch in log files)
