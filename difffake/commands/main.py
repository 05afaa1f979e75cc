"""The command `difffake`: one subcommand a stage.

A subcommand is a plain function; its parameters and the `Args:` of its docstring become the options. Only the
chosen one is imported, because the libraries below take seconds to load.
"""

import argparse
import inspect
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, get_args

from difffake import __version__
from difffake.errors import Terminated, UserError


@dataclass(frozen=True)
class Command:
    """Where a subcommand's function is, and what its help says beyond the docstring."""

    function: str  # module:name
    summary: str
    examples: tuple[str, ...]
    lists: tuple[str, ...] = ()  # options that take several values
    positional: str = ""  # the parameter that takes all values without an option
    ranks: bool = False  # whether several processes, as torchrun starts them, share the work


LEAST = {
    "rows": 1, "seed": 0, "workers": 0, "batch_size": 1, "frames": 1, "resamples": 0,
    "faces": 1, "noises": 1, "steps": 1, "limit": 0, "jobs": 1,
}  # fmt: skip
"""Smallest values of options, whichever command has them."""

COMMANDS = {
    "demo": Command(
        "difffake.commands.demo:demo",
        "every stage on drawn faces, without data or downloads",
        ("difffake demo", "difffake demo --out demo --seed 1"),
    ),
    "prepare": Command(
        "difffake.data.prepare:prepare",
        "a data set, or a folder of videos or images, to face crops, landmarks and a manifest",
        (
            "difffake prepare --reader folder --root lfw --out data/lfw --split 0.9 0.1 0",
            "difffake prepare --reader videos --root clips --out data/clips",
            "difffake prepare --reader table --root dfdc --table labels.csv --out data/dfdc",
        ),
        lists=("split",),
    ),
    "forge": Command(
        "difffake.forge.run:forge",
        "a testbed of forgeries from any real faces, with source and target known",
        (
            "difffake forge --manifest data/lfw --methods faceswap,reenact --out data/forged --check",
            "difffake forge --manifest data/clips --methods alpha_swap,autoencoder --compression c23 c40 --out forged",
            "difffake forge --manifest data/lfw --methods diffusion_swap,synthesis --diffusion models/lfw-faces "
            "--out data/forged-diffusion",
            "difffake forge --manifest data/dfdc --check",
        ),
        lists=("compression",),
    ),
    "preview": Command(
        "difffake.evaluation.preview:preview",
        "a contact sheet of forgeries or pseudo-deepfakes: target, source, mask, result",
        (
            "difffake preview --out sheet.png",
            "difffake preview --manifest data/lfw --out sheet.png --seed 3",
            "difffake preview --manifest data/forged --rows 3 --out forgeries.png",
        ),
    ),
    "pretrain-guide": Command(
        "difffake.diffusion.pretrain:pretrain_guide",
        "a small latent diffusion model of real faces, for a guide without Stable Diffusion",
        (
            "difffake pretrain-guide --manifest data/lfw --out models/lfw-faces",
            "difffake fit --config configs/guide-small.yaml --data.manifest data/forged-lfw "
            "--model.diffusion.name models/lfw-faces --out runs/guided",
        ),
        lists=("manifest",),
    ),
    "fit": Command(
        "difffake.training.fit:fit",
        "train a detector from a config",
        (
            "difffake fit --config configs/difffake.yaml --data.manifest data/lfw --out runs/lfw",
            "difffake fit --config configs/difffake.yaml --data.manifest data/lfw --out runs/small "
            "--model.encoder resnet34 --trainer.max_epochs 5",
            "difffake fit --config configs/difffake.yaml --print_config",
        ),
    ),
    "fit-anomaly": Command(
        "difffake.anomaly.fit:fit_anomaly",
        "embed, pair and fit the anomaly model on real faces",
        (
            "difffake fit-anomaly --ckpt runs/lfw/best.ckpt --manifest data/lfw",
            "difffake fit-anomaly --ckpt runs/lfw/best.ckpt --manifest data/lfw --components 1 --combination abs",
        ),
        lists=("manifest",),
        ranks=True,
    ),
    "evaluate": Command(
        "difffake.evaluation.evaluate:evaluate",
        "frame and video AUC, EER, AP and ACC with intervals, per data set and manipulation",
        (
            "difffake evaluate --ckpt runs/lfw/best.ckpt --manifest data/dfdc data/celebdf --out results",
            "torchrun --nproc-per-node 4 -m difffake evaluate --ckpt best.ckpt --manifest data/dfdc --out results",
        ),
        lists=("manifest",),
        ranks=True,
    ),
    "figures": Command(
        "difffake.evaluation.taught_report:figures",
        "what a diffusion model taught a detector: rebuilt sources and targets, noise, attention, as pictures",
        (
            "difffake figures --ckpt runs/guided/best.ckpt --manifest data/forged-lfw --out figures",
            "difffake figures --ckpt best.ckpt --manifest data/forged-lfw data/ffpp --diffusion models/lfw-faces "
            "--faces 6 --limit 0 --out figures",
        ),
        lists=("manifest",),
    ),
    "predict": Command(
        "difffake.commands.predict:predict",
        "scores for images, videos and folders",
        (
            "difffake predict --ckpt runs/lfw/best.ckpt clip.mp4 photos/",
            "difffake predict --ckpt best.ckpt --json a.mp4",
        ),
        positional="files",
    ),
    "sweep": Command(
        "difffake.sweeps.run:sweep",
        "the runs of a W&B sweep file, here and without a server",
        (
            "difffake sweep experiments/components.yaml --jobs 2",
            "difffake sweep experiments/lambdas.yaml --runs 20 --out sweeps/lambdas",
        ),
        positional="file",
    ),
    "report": Command(
        "difffake.evaluation.report:report",
        "one self-contained HTML page from result folders",
        ("difffake report results/ --out report.html",),
        positional="runs",
    ),
}


def main(arguments: list[str] | None = None) -> int:
    """Run one subcommand; the exit status is 0 only when all worked."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_overview())
        return 0 if arguments else 2
    if arguments[0] == "--version":
        print(f"difffake {__version__}")
        return 0
    name, rest = arguments[0], arguments[1:]
    if name not in COMMANDS:
        print(f"difffake: {name} is not a command: choose one of {', '.join(COMMANDS)}", file=sys.stderr)
        return 2
    try:
        return _run(name, rest) or 0
    except UserError as error:
        # One that comes from a loader's worker carries the worker's traceback; its last line is the message.
        message = str(error).strip().splitlines()[-1].removeprefix(f"{UserError.__module__}.{UserError.__name__}: ")
        print(f"difffake {name}: {message}", file=sys.stderr)
        return 1
    except Terminated as error:
        print(f"difffake {name}: {error}", file=sys.stderr)
        return 143  # as a shell says of a process that SIGTERM ended
    except BrokenPipeError:
        # The reader of a pipe, such as head, has left; nothing more can be said.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        print(f"difffake {name}: {error.filename or 'file'}: {error.strerror or error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        advice = "; the same command with --resume goes on" if name == "fit" else ""
        print(f"difffake {name}: stopped{advice}", file=sys.stderr)
        return 130


def _overview() -> str:
    width = max(map(len, COMMANDS))
    lines = "\n".join(f"  {name:<{width}}  {command.summary}" for name, command in COMMANDS.items())
    return (
        f"difffake {__version__}: deepfake detection that generalises to forgeries never seen in training\n\n"
        f"usage: difffake COMMAND [options]\n\n{lines}\n\n"
        "`difffake COMMAND --help` shows a command's options and examples; `difffake demo` needs no data."
    )


def _run(name: str, arguments: list[str]) -> int | None:
    from difffake.distributed import launched, process_group

    command = COMMANDS[name]
    module, function_name = command.function.split(":")
    function: Callable[..., int | None] = getattr(import_module(module), function_name)
    if name == "fit":
        return function(arguments)  # Lightning's own command line reads them
    values = _parse(name, command, function, arguments)
    if command.ranks:
        with process_group():
            return function(**values)
    if (ranks := launched()) and ranks["RANK"] != "0":
        raise UserError("this command is for one process, not for torchrun or srun with several tasks")
    return function(**values)


def _parse(name: str, command: Command, function: Callable[..., Any], arguments: list[str]) -> dict[str, Any]:
    """Arguments of `function` from the command line: options by its signature, help by its docstring."""
    from docstring_parser import parse
    from jsonargparse import ActionConfigFile, ArgumentParser, DefaultHelpFormatter

    class Formatter(DefaultHelpFormatter, argparse.RawDescriptionHelpFormatter):
        """Keeps the line breaks of the examples."""

    document = parse(inspect.getdoc(function) or "")
    help_of = {entry.arg_name: entry.description for entry in document.params}
    parser = ArgumentParser(
        prog=f"difffake {name}",
        description=document.short_description,
        epilog="examples:\n" + "\n".join(f"  {example}" for example in command.examples),
        formatter_class=Formatter,
    )
    parser.add_argument("--config", action=ActionConfigFile, help="YAML file with these options")
    for parameter in inspect.signature(function, eval_str=True).parameters.values():
        _add_option(parser, parameter, command, help_of[parameter.name] or "")
    values = vars(parser.parse_args(arguments))
    for key, least in LEAST.items():
        if values.get(key, least) < least:
            raise UserError(f"--{key.replace('_', '-')} {values[key]} must be at least {least}")
    return {key: value for key, value in values.items() if key != "config"}


def _add_option(parser: Any, parameter: inspect.Parameter, command: Command, help_text: str) -> None:
    options: dict[str, Any] = {"help": help_text}
    required = parameter.default is inspect.Parameter.empty
    if parameter.annotation is bool:
        options["action"] = "store_true"
    elif parameter.name in command.lists or (parameter.name == command.positional and get_args(parameter.annotation)):
        options |= {"type": get_args(parameter.annotation)[0], "nargs": "+"}
        if not required:
            parameter = parameter.replace(default=list(parameter.default))
    else:
        options["type"] = parameter.annotation
    if parameter.name == command.positional:
        parser.add_argument(parameter.name, **options)
        return
    if not required and parameter.annotation is not bool:
        options["default"] = parameter.default
    parser.add_argument("--" + parameter.name.replace("_", "-"), required=required, **options)
