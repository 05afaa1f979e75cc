"""The command `difffake`: one subcommand for each stage.

A subcommand is a file of this folder: its function's signature and docstring make the options (see `parse`), EXAMPLES
ends its help, RANKS says that several processes, as torchrun starts them, share its work and talk to each other, and
SHARES that they share it by files alone. Only the chosen one is imported, because the libraries below take seconds to
load.
"""

import difflib
import os
import sys
from importlib import import_module
from typing import Any

from difffake import __version__
from difffake.errors import Terminated, UsageError, UserError

COMMANDS = {
    "demo": "run every stage on drawn faces, without data or downloads",
    "prepare": "turn videos or images into face crops and a manifest",
    "forge": "forge real faces: a testbed with source and target known",
    "preview": "draw a sheet of forgeries or pseudo-deepfakes",
    "pretrain-guide": "train a small latent diffusion model of real faces",
    "fit": "train a detector from a config",
    "fit-anomaly": "fit the anomaly model to real faces",
    "evaluate": "measure AUC, EER, AP and ACC on test data, with intervals",
    "figures": "draw what regularizers taught a detector",
    "predict": "score images, videos and folders",
    "sweep": "run a W&B sweep file, without a server",
    "report": "write one HTML page from result folders",
}
"""Commands in the order of their use, and what each is for."""
_GOES_ON = dict.fromkeys(("demo", "forge", "pretrain-guide", "sweep"), "; the same command goes on")
_GOES_ON["fit"] = "; the same command with --resume goes on"


def main(arguments: list[str] | None = None) -> int:
    """Run one subcommand; the exit status is 0 only when all worked, and 2 if the options were wrong."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_overview())
        return 0 if arguments else 2
    if arguments[0] == "--version":
        print(f"difffake {__version__}")
        return 0
    name, rest = arguments[0], arguments[1:]
    if name not in COMMANDS:
        close = difflib.get_close_matches(name.replace("_", "-"), COMMANDS, 1)
        advice = f"did you mean {close[0]}?" if close else f"choose one of {', '.join(COMMANDS)}"
        print(f"difffake: {name} is not a command: {advice}", file=sys.stderr)
        return 2
    try:
        return _run(name, rest) or 0
    except UsageError as error:
        print(f"difffake {name}: {error}", file=sys.stderr)
        return 2
    except UserError as error:
        # One that comes from a loader's worker carries the worker's traceback; its last line is the message.
        message = str(error).strip().splitlines()[-1].removeprefix(f"{UserError.__module__}.{UserError.__name__}: ")
        print(f"difffake {name}: {message}", file=sys.stderr)
        return 1
    except RuntimeError as error:
        if not str(error).startswith("DataLoader worker (pid"):
            raise
        print(f"difffake {name}: a loader process was killed, most often for want of memory: lower --workers "
              "(--data.workers of fit) or the batch size", file=sys.stderr)  # fmt: skip
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
        print(f"difffake {name}: stopped{_GOES_ON.get(name, '')}", file=sys.stderr)
        return 130


def _overview() -> str:
    width = max(map(len, COMMANDS))
    lines = "\n".join(f"  {name:<{width}}  {summary}" for name, summary in COMMANDS.items())
    return (
        f"difffake {__version__}: deepfake detection that generalizes to unseen forgeries\n\n"
        f"usage: difffake COMMAND [options]\n\n{lines}\n\n"
        "difffake COMMAND --help shows a command's options and examples.\n"
        "difffake demo needs no data: a good start."
    )


def _run(name: str, arguments: list[str]) -> int | None:
    from difffake.commands.parse import parse
    from difffake.distributed import launched, process_group

    module: Any = import_module(f"difffake.commands.{name.replace('-', '_')}")
    function = getattr(module, name.replace("-", "_"))
    if name == "fit":
        return function(arguments)  # Lightning's own command line reads them
    found = parse(f"difffake {name}", function, module.EXAMPLES, arguments)
    if getattr(module, "RANKS", False):
        with process_group():
            return function(*found.args, **found.kwargs)
    if not getattr(module, "SHARES", False) and (ranks := launched()) and ranks["RANK"] != "0":
        raise UserError("this command is for one process, not for torchrun or srun with several tasks")
    return function(*found.args, **found.kwargs)
