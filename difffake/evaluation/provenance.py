"""The origin of a result: versions, command, seed and hashes of the input files."""

import platform
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

import difffake
from difffake.files import sha256, shortened


def provenance(
    files: Sequence[Path] = (),
    seed: int | None = None,
    testbed: bool = False,
    command: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Make the entry "provenance" of results.json.

    It is meant to be published with the numbers. So it contains neither host nor user, and absolute paths are
    shortened.

    Args:
        files: checkpoints, manifests and other files that the result depends on.
        seed: random seed of the result.
        testbed: whether the data are forged or drawn by this project, so not a public benchmark.
        command: words of the command, the program first; by default those of this process.
    """
    arguments = list(sys.argv if command is None else command)
    program = [Path(argument).name for argument in arguments[:1]]
    return {
        "difffake": difffake.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "platform": f"{platform.system()} {platform.machine()}",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": program + [shortened(argument) for argument in arguments[1:]],
        "seed": seed,
        "testbed": testbed,
        "files": [{"file": shortened(str(path)), "sha256": sha256(path)} for path in files],
    }
