"""The command `fit`: Lightning's own command line over the training module and the data module."""

import logging
import sys
import warnings
from pathlib import Path
from typing import Any

import lightning
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.utilities import rank_zero_only
from lightning.pytorch.utilities.exceptions import MisconfigurationException

import difffake
from difffake import wandb_run
from difffake.data.manifest import manifest_file
from difffake.diffusion.load import DiffusionConfig
from difffake.errors import Terminated, UserError
from difffake.files import MARKER, refuse_existing, remove_written, sha256
from difffake.progress import console
from difffake.training.csv_log import CSVLog
from difffake.training.datamodule import FaceData
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
from difffake.training.timing import Timing


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


def rank() -> int:
    """This process's rank, known from the launcher's environment before there is a process group."""
    return int(getattr(rank_zero_only, "rank", 0))


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
    # Sound data first: what fails here leaves no run folder behind.
    cli.datamodule.training_set()
    cli.datamodule.validation_set()
    out = Path(cli.config.out)
    resumed = checkpoint_to_resume(out) if cli.config.resume else None
    if resumed:
        # A run that cannot go on so is left as it is, and nothing is computed for it.
        cli.model.on_load_checkpoint(resumed[1])
        kept = resumed[1][RESUME_KEY]
        refuse_other_settings(kept, run_settings(cli.trainer, cli.model, cli.datamodule))
        if kept["ended"]:
            console.print(f"{out} was ended by a callback, such as EarlyStopping: nothing is left to do")
            return
        cli.datamodule.resume(*kept["position"])
    elif cli.config.resume and rank() == 0:
        console.print(f"{out} has no checkpoint yet: the run starts from the beginning")
    wandb = next((logger for logger in cli.trainer.loggers if isinstance(logger, WandbLogger)), None)
    identity = wandb_run.run_id(out if resumed else None) if wandb else ""
    if rank() == 0:
        cli.make_run_folder(resumed is not None)
        for half in out.glob(".partial-*.ckpt"):  # of a run that was killed while it saved
            half.unlink()
        if resumed and resumed[0].name != LAST:
            (out / LAST).unlink(missing_ok=True)  # broken: it must not take the place of the one before
    try:
        if wandb and rank() == 0:
            wandb_run.prepare(identity)
            _begin_wandb(cli, wandb, identity)
        cli.trainer.fit(cli.model, cli.datamodule, ckpt_path=resumed and resumed[0], weights_only=True)
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
    if cli.trainer.is_global_zero:
        if cli.best.best_model_score is None:
            raise UserError("the run ended before its first validation, so there is no best.ckpt: train for longer")
        if not (out / BEST).is_file():
            raise UserError(f"{out}/{BEST} has been deleted, and nothing better came after it: start anew")
        console.print(f"best val/auc {float(cli.best.best_model_score):.4f}: {out}/{BEST}")


def _begin_wandb(cli: FitCLI, logger: WandbLogger, identity: str) -> None:
    """Begin the W&B run, or go on with it, and let it know what the run folder knows."""
    facts = {
        "difffake": difffake.__version__,
        "manifests": {path: sha256(manifest_file(Path(path))) for path in cli.datamodule.paths},
        "diffusion": cli.model.diffusion.fingerprint() if cli.model.diffusion else None,
    }
    with wandb_run.reached():
        logger.log_hyperparams({**cli.config.as_dict(), "fingerprints": facts})
        run = logger.experiment
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
