"""Programs of detectors, kept in the user's cache, so that the next `predict` starts without torch.

A program is an ONNX file of `difffake.predict.compiled`. Its name has three hashes: of the checkpoint, of all that
decides what its program computes, and of the program itself. So it is never out of date, nor damaged.
"""

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from difffake import __version__
from difffake.errors import UserError
from difffake.faces.model_file import cache_folder
from difffake.files import sha256, staged_file

FOLDER = "programs"
"""Folder in `cache_folder`."""
MOST = 1 << 30
"""Bytes of all programs above which those go that were not used for the longest time."""
_NAME = re.compile(r"[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{16}\.onnx")
_PACKAGES = ("torch", "timm", "onnx")
_ROOMS = ("models", "predict")
"""Folders of this package whose code makes programs."""


def find_program(checkpoint: str) -> Path | None:
    """The program of a checkpoint with this SHA-256; None if there is none. One that is damaged is removed."""
    with _without_trouble():
        for file in sorted((cache_folder() / FOLDER).glob(f"{_prefix(checkpoint)}*.onnx")):
            if file.is_file() and file.name == _prefix(checkpoint) + f"{sha256(file)[:16]}.onnx":
                with suppress(OSError):
                    os.utime(file)  # it was used, so others go first
                return file
            file.unlink()
    return None


def keep_program(checkpoint: str, program: bytes) -> Path | None:
    """Write the program of a checkpoint with this SHA-256. None where the cache cannot be written."""
    file = None
    with _without_trouble():
        path = cache_folder() / FOLDER / f"{_prefix(checkpoint)}{hashlib.sha256(program).hexdigest()[:16]}.onnx"
        with staged_file(path) as partial:
            partial.write_bytes(program)
        file = path
        _make_room(path)
    return file


def can_keep() -> bool:
    """Whether programs can be kept. The folder is made if there is none."""
    with _without_trouble():
        folder = cache_folder() / FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        return os.access(folder, os.W_OK | os.X_OK)
    return False


@contextmanager
def _without_trouble() -> Iterator[None]:
    """Leave the block where the cache cannot be used: nothing depends on it."""
    # RuntimeError: of `pathlib`, for a user without a home folder and for links in a circle.
    with suppress(OSError, RuntimeError, UserError):
        yield


def _make_room(newest: Path) -> None:
    others = [file for file in newest.parent.iterdir() if _NAME.fullmatch(file.name) and file != newest]
    total = newest.stat().st_size
    for file in sorted(others, key=lambda file: file.stat().st_mtime, reverse=True):
        total += file.stat().st_size
        if total > MOST:
            file.unlink(missing_ok=True)


def _prefix(checkpoint: str) -> str:
    return f"{checkpoint[:32]}-{_maker()[:16]}-"


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
