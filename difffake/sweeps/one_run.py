"""One run of a sweep: train, fit the anomaly model, evaluate. A sweep file gives it as `program`:

    program: difffake.sweeps.one_run
    command: ["${env}", "${interpreter}", -m, "${program}", "${args}"]

Parameters of the sweep file, or options of `python -m difffake.sweeps.one_run`:

- config: config files of `difffake fit`, separated by spaces. Later files override earlier ones; options override
  files.
- train: manifests for training and for the anomaly model, separated by spaces.
- test: manifests for the evaluation, separated by spaces.
- teacher: the frozen diffusion model, for `--model.diffusion.name`.
- ckpt: a trained detector. If it is given, nothing is trained.
- setting: "NAME: OPTIONS", several options that together are one setting of a study, such as
  "no guide: --model.regularizers.guide null". Tables show the name. These options override all others.
- anomaly.OPTION is given to `difffake fit-anomaly`, which runs only if there is such an option. evaluate.OPTION is
  given to `difffake evaluate`. Every other option is given to `difffake fit`.

The environment variables TRAIN, TEST, TEACHER and CKPT replace the parameters of these names. The run's files go to
the folder in the environment variable RUN_FOLDER; with W&B's agent, to sweeps/SWEEP/RUN. If a run is started again,
stages that are done already are not repeated.
"""

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from difffake.errors import UserError

PROGRAM = "difffake.sweeps.one_run"
PATHS = ("config", "train", "test", "teacher", "ckpt")
"""Parameters that name files and folders."""
VARIABLES = ("TRAIN", "TEST", "TEACHER", "CKPT")
"""Environment variables that replace the parameters of these names."""
COMMAND = (sys.executable, "-m", "difffake")


@dataclass
class Run:
    """Files and folders that one run reads, by parameter (see `PATHS`), and the options of its three commands."""

    paths: dict[str, list[str]] = field(default_factory=dict)
    fit: list[str] = field(default_factory=list)
    anomaly: list[str] = field(default_factory=list)
    evaluate: list[str] = field(default_factory=list)


def read_run(arguments: Sequence[str], environment: Mapping[str, str] = os.environ) -> Run:
    """Read a run from the words of a command line, without the program's name.

    Raises `UserError` if a word belongs to no option, or if training data, test data or config are missing.
    """
    run = Run()
    options = _options(arguments)
    chosen = [shlex.split(text.partition(": ")[2]) for name, values in options if name == "setting" for text in values]
    for name, values in [*options, *(option for words in chosen for option in _options(words))]:
        if name != "setting":
            _add(run, name, values)
    run.paths |= {name.lower(): shlex.split(environment[name]) for name in VARIABLES if environment.get(name)}
    trains = not run.paths.get("ckpt")
    for name in ["test", *(["train"] if trains or run.anomaly else []), *(["config"] if trains else [])]:
        if not run.paths.get(name):
            variable = f", or set the environment variable {name.upper()}" if name.upper() in VARIABLES else ""
            raise UserError(f"no {name} is given: add the parameter `{name}` to the sweep file{variable}")
    return run


def stages(run: Run, out: Path, environment: Mapping[str, str] = os.environ) -> list[tuple[Path, list[str]]]:
    """Commands of a run in their order, each with the file or folder that exists when the command is done."""
    found: list[tuple[Path, list[str]]] = []
    train, tests, ckpts = (run.paths.get(name, []) for name in ("train", "test", "ckpt"))
    if not ckpts:
        ckpts = [str(out / "fit" / "best.ckpt")]
        options = [part for path in run.paths["config"] for part in ("--config", path)]
        options += [f"--data.manifest={train[0] if len(train) == 1 else json.dumps(train)}"]
        options += [f"--model.diffusion.name={name}" for name in run.paths.get("teacher", [])]
        if "WANDB_SWEEP_ID" in environment:  # W&B's agent ranks runs by their logged metrics
            options += ["--trainer.logger=lightning.pytorch.loggers.WandbLogger"]
        found.append((out / "trained", ["fit", *options, *run.fit, "--out", str(out / "fit"), "--resume"]))
    mixture: list[str] = []
    if run.anomaly:
        file = str(out / "anomaly.safetensors")
        found.append((Path(file), ["fit-anomaly", "--ckpt", *ckpts, "--manifest", *train, "--out", file, *run.anomaly]))
        mixture = ["--anomaly", file]
    folder = str(out / "evaluation")
    command = ["evaluate", "--ckpt", *ckpts, "--manifest", *tests, *mixture, "--out", folder, *run.evaluate]
    return [*found, (Path(folder), command)]


def missing(runs: Sequence[Run]) -> list[str]:
    """Files and folders that runs read but that do not exist: "PARAMETER PATH", each once.

    A teacher that is not a folder is searched for on the Hugging Face Hub, or in its cache.
    """
    from difffake.data.manifest import manifest_file

    read = dict.fromkeys((name, path) for run in runs for name in PATHS for path in run.paths.get(name, []))
    found = []
    for name, path in read:
        if name == "teacher":
            there = _has_teacher(path)
        else:
            there = (manifest_file(Path(path)) if name in ("train", "test") else Path(path)).exists()
        if not there:
            found.append(f"{name} {path}")
    return found


def main(arguments: Sequence[str]) -> int:
    """Run the commands of a run that are not done yet. Returns the exit status of the first that fails, or 0."""
    folder = os.environ.get("RUN_FOLDER")
    try:
        if not folder:
            folder = f"sweeps/{os.environ['WANDB_SWEEP_ID']}/{os.environ['WANDB_RUN_ID']}"
        run = read_run(arguments)
    except KeyError:
        print("RUN_FOLDER is not set: set it to the folder of the run", file=sys.stderr)
        return 2
    except UserError as error:
        print(error, file=sys.stderr)
        return 1
    out = Path(folder)
    out.mkdir(parents=True, exist_ok=True)
    for done, command in stages(run, out):
        if done.exists():
            continue
        if status := _call(command):
            return status
        done.touch()
    return 0


def _options(arguments: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Names and values of `--name=value` and `--name value value`."""
    found: list[tuple[str, list[str]]] = []
    for word in arguments:
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            found.append((name, [value] if equals else []))
        elif found:
            found[-1][1].append(word)
        else:
            raise UserError(f"{word} belongs to no option: write --OPTION {word}")
    return found


def _add(run: Run, name: str, values: list[str]) -> None:
    """Add one option to the command or parameter that it belongs to."""
    if name in PATHS:
        paths = shlex.split(values[0]) if len(values) == 1 else values
        run.paths[name] = run.paths.get(name, []) + paths if name == "config" else paths
        return
    stage, _, option = name.partition(".")
    options = {"anomaly": run.anomaly, "evaluate": run.evaluate}.get(stage)
    flag = "--" + (name if options is None else option.replace("_", "-"))
    (run.fit if options is None else options).extend([f"{flag}={values[0]}"] if len(values) == 1 else [flag, *values])


def _has_teacher(name: str) -> bool:
    from difffake.diffusion.tiny import DRAWN_FACES

    if name == DRAWN_FACES or Path(name).is_dir():
        return True
    from huggingface_hub import HfApi, try_to_load_from_cache

    try:
        return bool(try_to_load_from_cache(name, "vae/config.json") or HfApi().model_info(name, timeout=10))
    except Exception:  # no such name, or no network: two libraries raise different exceptions
        return False


def _call(arguments: list[str]) -> int:
    """Run a `difffake` command and return its exit status. SIGTERM is passed on to it."""
    # close_fds=False: the command holds the sweep's lock on the run until it ends.
    process = subprocess.Popen([*COMMAND, *arguments], close_fds=False)

    def stop(number: int, frame: FrameType | None) -> None:
        process.terminate()

    before = signal.signal(signal.SIGTERM, stop)
    try:
        return process.wait()
    finally:
        signal.signal(signal.SIGTERM, before)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
