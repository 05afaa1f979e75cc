"""Programs of detectors, kept in the user's cache, so that the next `predict` starts without torch.

A program is an ONNX file of `difffake.predict.compiled`. Its name has the hash of the checkpoint, and one of all that
decides what the program computes. So it is never out of date.
"""

import hashlib
import os
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from difffake import __version__
from difffake.errors import UserError
from difffake.faces.model_file import cache_folder
from difffake.files import staged_file

FOLDER = "programs"
"""Folder in `cache_folder`."""
MOST = 1 << 30
"""Bytes of all programs above which those go that were not used for the longest time."""
_PACKAGES = ("torch", "timm", "onnx")
_ROOMS = ("models", "predict")
"""Folders of this package whose code makes programs."""


def program_file(checkpoint: str) -> Path:
    """Where the program of a checkpoint with this SHA-256 is or would be."""
    return cache_folder() / FOLDER / f"{checkpoint[:32]}-{_maker()[:16]}.onnx"


def keep_program(path: Path, program: bytes) -> None:
    """Write a program. Nothing happens where the cache cannot be written."""
    with suppress(OSError, UserError):
        with staged_file(path) as partial:
            partial.write_bytes(program)
        _make_room(path)


def mark_used(path: Path) -> None:
    """Note that a program was used, so that others go first."""
    with suppress(OSError):
        os.utime(path)


def _make_room(newest: Path) -> None:
    others = sorted((file.stat().st_mtime, file) for file in newest.parent.glob("*.onnx") if file != newest)
    total = newest.stat().st_size
    for _, file in reversed(others):
        total += file.stat().st_size
        if total > MOST:
            file.unlink(missing_ok=True)


@cache
def _maker() -> str:
    """Hash of what makes programs: this package's version and code, and the versions of other packages."""
    found = hashlib.sha256(__version__.encode())
    for name in _PACKAGES:
        with suppress(PackageNotFoundError):
            found.update(f"{name} {version(name)}".encode())
    for room in _ROOMS:
        for file in sorted((Path(__file__).parents[1] / room).glob("*.py")):
            found.update(file.read_bytes())
    return found.hexdigest()
