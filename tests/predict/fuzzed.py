"""Scores every file of a folder in a process of its own, so that a crash of a library is seen. Not a test itself.

The name of each file goes to standard output before it is read, and what came of it after.
"""

import faulthandler
import resource
import sys
from pathlib import Path

from difffake import Predictor
from difffake.errors import UserError

faulthandler.enable()
GIGABYTES = 12
"""Address space, far above what the libraries take, and far below what a decompression bomb would."""


def main() -> None:
    """Arguments: checkpoint, folder."""
    ckpt, folder = sys.argv[1:]
    resource.setrlimit(resource.RLIMIT_AS, (GIGABYTES << 30, GIGABYTES << 30))
    with Predictor(ckpt, frames=4, device="cpu", cropped=True) as predictor:
        for path in sorted(Path(folder).iterdir()):
            print(path.name, end=" ", flush=True)
            try:
                predictor.predict(path)
                print("scored", flush=True)
            except UserError as error:
                print("several lines" if "\n" in str(error) else "refused", flush=True)
            except Exception as error:
                print(type(error).__name__, str(error)[:200].replace("\n", " "), flush=True)


if __name__ == "__main__":
    main()
