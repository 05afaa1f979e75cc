"""The command `fit`: train a detector from a config, with Lightning's command line over model, data and Trainer."""

import argparse
import logging
import re
import warnings
from pathlib import Path
from typing import Any

import lightning
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from lightning.pytorch.utilities.exceptions import MisconfigurationException

from difffake.commands.help_text import HelpFormatter, shown
from difffake.commands.mistakes import first_reason
from difffake.commands.parse import Parser
from difffake.data.manifest import existing_manifest
from difffake.diffusion.load import DiffusionConfig
from difffake.errors import UsageError, UserError
from difffake.files import MARKER, refuse_existing
from difffake.progress import console
from difffake.regularizers import import_own
from difffake.training.datamodule import FaceData
from difffake.training.fit import add_callbacks, rank, train
from difffake.training.module import DetectorTraining

EXAMPLES = (
    "difffake fit --config configs/difffake.yaml --data.manifest data/lfw --out runs/lfw",
    "difffake fit --config configs/difffake.yaml --data.manifest data/lfw data/clips --model.encoder resnet34 "
    "--trainer.max_epochs 5 --out runs/small",
    "difffake fit --config configs/difffake.yaml --data.manifest data/lfw --out runs/lfw --resume",
    "difffake fit --config configs/difffake.yaml --print_config",
)
SHORT_HELP = {
    "run": {
        "--config": "YAML file with options, such as those in configs/; options after it override the file",
        "--out": "run folder to write: checkpoints, config.yaml, metrics.csv",
        "--resume": "continue from the last checkpoint in the run folder; start a new run if there is none",
        "--overwrite": "replace an existing run folder",
        "--seed_everything": "random seed of the run",
    },
    "data": {
        "--data.manifest": "",
        "--data.fakes": "",
        "--data.methods": "",
        "--data.compressions": "",
        "--data.batch_size": "",
        "--data.workers": "",
    },
    "model": {
        "--model.encoder": "",
        "--model.weights": "",
        "--model.image_size": "",
        "--model.optimizer.name": "",
        "--model.optimizer.lr": "",
        "--model.regularizers": "losses besides the classification loss: --model.regularizers.guide Guide adds one, "
        "--model.regularizers.guide null removes it",
        "--model.diffusion.name": "",
    },
    "trainer": {
        "--trainer.max_epochs": "number of passes over the training data",
        "--trainer.devices": "number of GPUs or processes, or auto for all GPUs",
        "--trainer.accelerator": "cpu, gpu or auto",
        "--trainer.precision": "bf16-mixed is fastest on recent GPUs; by default 32-true",
        "--trainer.gradient_clip_val": "clip the gradient to this norm; by default it is not clipped",
        "--trainer.limit_train_batches": "number of batches per epoch, or a share of all batches; by default all",
        "--trainer.logger": "log to WandbLogger, or TensorBoardLogger --trainer.logger.save_dir PATH; metrics.csv is "
        "always written",
    },
}
"""Options of the short help, by group. Where the text is empty, the help shows the option's own description."""


class FitParser(Parser, LightningArgumentParser):
    """Lightning's parser with a short help; `--help-all` shows every option."""

    whole = False

    def dump(self, cfg: Any, *rest: Any, **options: Any) -> str:
        """The config as YAML, without the regularizers that null leaves out: jsonargparse would write a text there."""
        cfg = cfg.clone()
        if parts := cfg.get("model.regularizers"):
            cfg["model.regularizers"] = {name: part for name, part in parts.items() if part is not None}
        return super().dump(cfg, *rest, **options)

    def format_help(self, *rest: Any) -> str:
        """The help with the options of `SHORT_HELP`, or with all options after `--help-all`."""
        if self.whole:
            return super().format_help(*rest)
        groups, self._action_groups = self._action_groups, [*map(self._short_group, SHORT_HELP)]
        try:
            return super().format_help(*rest)
        finally:
            self._action_groups = groups

    def _short_group(self, title: str) -> Any:
        group = argparse._ArgumentGroup(argparse.ArgumentParser(add_help=False), title)
        for name, text in SHORT_HELP[title].items():
            action = self._option_string_actions[name]
            action.help = text or action.help
            group._group_actions.append(action)
        return group


class _HelpAll(argparse.Action):
    def __init__(self, option_strings: list[str], dest: str, **_: Any) -> None:
        super().__init__(option_strings, argparse.SUPPRESS, nargs=0, default=argparse.SUPPRESS, help="show all options")

    def __call__(self, parser: Any, *_: Any) -> None:
        parser.whole = True
        parser.print_help()
        parser.exit()


class FitCLI(LightningCLI):
    """Lightning's command line with a run folder, resuming, and settings that model and data share."""

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add the options that belong to neither model, data nor trainer."""
        parser.add_argument("--help-all", action=_HelpAll)
        parser.add_argument("--out", type=Path, required=True, help="run folder to write")
        parser.add_argument("--overwrite", type=bool, default=False, help="replace an existing run folder")
        parser.add_argument(
            "--resume",
            type=bool,
            default=False,
            help="continue from last.ckpt in the run folder; start a new run if there is none",
        )
        parser.add_argument(
            "--checkpoint_steps", type=int, default=1000,
            help="write last.ckpt every so many steps within an epoch; 0: only after each epoch and at SIGTERM",
        )  # fmt: skip
        parser.add_argument(
            "--keep_checkpoints", type=int, default=1,
            help="keep so many of the checkpoints with the highest val/auc: best.ckpt, and from 2 also those in best/",
        )  # fmt: skip
        parser.link_arguments("model.image_size", "data.image_size")
        parser.link_arguments("seed_everything", "model.seed")
        parser.link_arguments("seed_everything", "data.seed")

    def before_instantiate_classes(self) -> None:
        """Check options that Lightning does not check, and paths, before the data are read."""
        if (self.config.trainer.gradient_clip_val or 0) < 0:
            raise UsageError(f"--trainer.gradient_clip_val {self.config.trainer.gradient_clip_val} must be at least 0")
        out = Path(self.config.out)
        begun = (out / MARKER).is_file()
        kept = self.config.trainer.fast_dev_run or (begun and self.config.resume)
        try:
            if rank() == 0 and not kept:
                refuse_existing(out, self.config.overwrite, _inputs(self.config))
        except UserError as error:
            advice = ", or --resume to continue it" if begun and "--overwrite" in str(error) else ""
            raise UserError(f"{error}{advice}") from error
        paths = self.config.data.manifest
        for path in [paths] if isinstance(paths, str) else paths:
            existing_manifest(Path(path))

    def instantiate_trainer(self, **kwargs: Any) -> lightning.Trainer:
        """Make the Trainer, with callbacks that write checkpoints and logs into the run folder."""
        config = self.config_init
        add_callbacks(config.trainer, Path(config.out), config.checkpoint_steps, config.keep_checkpoints)
        try:
            return super().instantiate_trainer(**kwargs)
        except (MisconfigurationException, TypeError, ValueError) as error:
            reason = " ".join(str(error).replace("`", "").split())
            raise UsageError(f"the options --trainer.* do not work together or here: {reason}") from error


def fit(arguments: list[str]) -> None:
    """Train a detector.

    Args:
        arguments: words of the command line after `difffake fit`.
    """
    for message in _NOISE:
        warnings.filterwarnings("ignore", message)
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    import_own()
    try:
        cli = FitCLI(
            DetectorTraining,
            FaceData,
            args=arguments,
            run=False,
            seed_everything_default=0,
            save_config_callback=None,  # `train` writes the config to the run folder, with any logger
            # The data module's samplers give each rank its share. Lightning's would pad validation with duplicates.
            trainer_defaults={"use_distributed_sampler": False},
            parser_class=FitParser,
            parser_kwargs={
                "prog": "difffake fit",
                "usage": "difffake fit --config FILE --data.manifest PATH ... --out PATH [options]",
                "description": "Train a detector. --help shows the most used options, --help-all shows all options, "
                "and --print_config prints all options with their values as YAML.",
                "epilog": shown(EXAMPLES),
                "formatter_class": HelpFormatter,
                "allow_abbrev": False,
            },
            auto_configure_optimizers=False,
        )
    except (ValueError, ModuleNotFoundError) as error:
        raise _not_made(error) from error
    # Save the values that are used, not those that were given: the full tag of timm's weights, their normalization.
    taken = cli.model.detector.config
    for name, value in (("encoder", taken.encoder), ("mean", list(taken.mean)), ("std", list(taken.std))):
        cli.config.model[name] = value
    if rank() == 0:
        console.print(cli.model.detector.encoder.described)
    if rank() == 0 and not cli.model.teacher.loaded and cli.model.teacher.config != DiffusionConfig():
        console.print("--model.diffusion is not used: no regularizer asks for a frozen model")

    def save_config(path: Path) -> None:
        cli.parser.save(cli.config, path, skip_none=False, overwrite=True)

    try:
        train(cli.trainer, cli.model, cli.datamodule, cli.config.as_dict(), save_config)
    except ModuleNotFoundError as error:
        raise _not_made(error) from error


def _inputs(config: Any) -> list[str]:
    """Files and folders that a run reads, as they are named in its config."""
    manifest = config.data.manifest
    return [*([manifest] if isinstance(manifest, str) else manifest), config.model.weights, config.model.diffusion.name]


def _not_made(error: Exception) -> UserError:
    """The error in one line: a missing package, or the reason of jsonargparse."""
    cause: BaseException | None = error
    while cause and not isinstance(cause, ModuleNotFoundError):
        cause = cause.__cause__ or cause.__context__
    if isinstance(cause, ModuleNotFoundError):
        extra = next(iter(re.findall("wandb|tensorboard", f"{cause.name} {cause}")), None)
        if extra:
            return UserError(f"{extra} is not installed: pip install 'difffake[{extra}]'")
        return UserError(f"a package is not installed: {' '.join(str(cause).split())}")
    if "numpy accepts from" in str(error):
        return UsageError(f"--seed_everything {error}")
    return UserError(first_reason(str(error)))


# Warnings of Lightning that do not apply here.
_NOISE = (
    ".*args parameter is intended to run from within Python.*",
    ".*does not have many workers.*",
    ".*in eval mode at the start of training.*",  # frozen networks
    ".*is smaller than the logging interval.*",
    ".*exists and is not empty.*",
    ".*`tensorboardX` has been removed as a dependency.*",
    ".*It is recommended to use .self.log.*sync_dist=True.*",  # val/auc already includes all samples of all ranks
    ".*your dataloader is not resumable.*",  # FaceData is resumable
    ".*isinstance\\(treespec, LeafSpec\\).*",
)
