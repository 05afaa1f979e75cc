"""The command `difffake`: one subcommand per stage.

Each subcommand is a file of this folder. The signature and docstring of its function define the options (see `parse`).
EXAMPLES is the last section of its help. `RANKS = True` says that several processes, started by torchrun, may share
its work and exchange data; `SHARES = True` that they may share it through files only. Only the chosen subcommand is
imported, because the libraries that it needs take seconds to load.
"""

import difflib
import os
import sys
from importlib import import_module
from typing import Any

from difffake import __version__
from difffake.errors import Terminated, UsageError, UserError

COMMANDS = {
    "demo": "run every stage on photographs that come along",
    "prepare": "turn videos or images into face crops and a manifest",
    "check": "look for leaks, duplicates, broken files and shortcuts",
    "pack": "copy crops into one file that is read faster",
    "forge": "forge real faces: a testbed with known source and target",
    "preview": "draw a sheet of forgeries or pseudo-deepfakes",
    "pretrain-guide": "train a small latent diffusion model of real faces",
    "fit": "train a detector from a config",
    "fit-anomaly": "fit the anomaly model to real faces",
    "calibrate": "fit probabilities, fusion and promised false-alarm rates",
    "evaluate": "measure AUC, EER, AP and ACC on test data, with intervals",
    "robustness": "measure the AUC after JPEG, H.264, blur, noise and more",
    "compare": "test whether runs or scores differ by more than chance",
    "figures": "draw what a detector learned from its regularizers",
    "predict": "score images, videos and folders",
    "serve": "show a web page that checks pictures and clips",
    "publish": "write a model folder with a card, and upload it to the Hub",
    "export": "write a detector as an ONNX file or torch.export program",
    "sweep": "run a W&B sweep file, without a server",
    "protocol": "print or run a paper's protocol, beside its published numbers",
    "report": "write one HTML page from result folders",
}
"""Commands in the order of their use, with a summary of each."""
_CONTINUE = dict.fromkeys(
    ("demo", "forge", "pretrain-guide", "protocol", "sweep"), "; run the same command again to continue"
)
_CONTINUE["fit"] = "; run the same command with --resume to continue"


def main(arguments: list[str] | None = None) -> int:
    """Run one subcommand.

    Args:
        arguments: words of the command line after `difffake`; by default those of this process.

    Returns:
        Exit status: 0 if everything worked, 2 if the options were wrong, 130 after Ctrl-C, 143 after SIGTERM, else 1.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_overview())
        return 0 if arguments else 2
    if arguments[0] == "--version":
        print(f"difffake {__version__}")
        return 0
    name, rest = arguments[0], arguments[1:]
    if wrong := [word for word in rest if any("\ud800" <= letter <= "\udfff" for letter in word)]:
        print(
            f"difffake {name}: {wrong[0]!r} is not UTF-8: rename the file, or name the folder that holds it",
            file=sys.stderr,
        )
        return 2
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
        # An error from a loader process contains that process's traceback; the last line is the message.
        message = str(error).strip().splitlines()[-1].removeprefix(f"{UserError.__module__}.{UserError.__name__}: ")
        print(f"difffake {name}: {message}", file=sys.stderr)
        return 1
    except RuntimeError as error:
        if not str(error).startswith("DataLoader worker (pid"):
            raise
        print(f"difffake {name}: a loader process was killed, usually because memory ran out: lower --workers "
              "(--data.workers of fit) or the batch size", file=sys.stderr)  # fmt: skip
        return 1
    except Terminated as error:
        print(f"difffake {name}: {error}", file=sys.stderr)
        return 143  # the exit status that a shell gives to a process ended by SIGTERM
    except BrokenPipeError:
        # The reader of a pipe, such as head, has ended; nothing more can be printed.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        print(f"difffake {name}: {error.filename or 'file'}: {error.strerror or error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"difffake {name}: stopped{_CONTINUE.get(name, '')}", file=sys.stderr)
        return 130


def _overview() -> str:
    width = max(map(len, COMMANDS))
    lines = "\n".join(f"  {name:<{width}}  {summary}" for name, summary in COMMANDS.items())
    return (
        f"difffake {__version__}: deepfake detection that generalizes to unseen forgeries\n\n"
        f"usage: difffake COMMAND [options]\n\n{lines}\n\n"
        "difffake COMMAND --help shows a command's options and examples.\n"
        "Start with difffake demo, which needs no data."
    )


def _run(name: str, arguments: list[str]) -> int | None:
    from difffake.commands.parse import parse
    from difffake.launched import launched
    from difffake.memory import keep_freed_memory

    keep_freed_memory()
    module: Any = import_module(f"difffake.commands.{name.replace('-', '_')}")
    function = getattr(module, name.replace("-", "_"))
    if name == "fit":
        return function(arguments)  # Lightning's own command line reads them
    found = parse(f"difffake {name}", function, module.EXAMPLES, arguments)
    if getattr(module, "RANKS", False):
        from difffake.distributed import process_group

        with process_group():
            return function(*found.args, **found.kwargs)
    if not getattr(module, "SHARES", False) and (ranks := launched()) and ranks["RANK"] != "0":
        raise UserError("this command runs in one process: start it without torchrun, or with one task of srun")
    return function(*found.args, **found.kwargs)
