"""Outputs that appear only when they are complete (write to another name, then rename), and hashes of inputs."""

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from difffake.errors import UserError


def sha256(path: Path) -> str:
    """SHA-256 of a file, as hexadecimal digits."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def text_hash(text: str) -> str:
    """SHA-256 of a text, as hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()


def shipped(name: str) -> Path:
    """A file or folder that comes with the package, such as configs/demo.yaml.

    In the wheel, configs/ is inside the package; in a clone, it is beside the package.
    """
    package = Path(__file__).parent
    return next((path for folder in (package, package.parent) if (path := folder / name).exists()), package / name)


# An absolute path in an argument, such as --out=/x/y or [/x/y,/x/z]; not the end of a relative path or of a URL.
_ABSOLUTE = re.compile(r"(?<![\w.~:/-])/[^,;'\"\[\]{}=]+")


def shortened(argument: str) -> str:
    """Shorten absolute paths in an argument: to the part below the working folder, or to the last part.

    >>> shortened("--manifest=/home/ann/sets/ffpp/manifest.parquet")
    '--manifest=…/manifest.parquet'
    """

    def shorten(match: re.Match[str]) -> str:
        path = Path(match.group())
        return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else f"…/{path.name}"

    return _ABSOLUTE.sub(shorten, argument)


def refuse_existing(path: Path, overwrite: bool, inputs: Iterable[str | Path] = (), option: str = "--out") -> None:
    """Raise `UserError` if an output would replace something that must be kept.

    Args:
        path: output file or folder.
        overwrite: allow a file, or a folder that is not empty, to be replaced. An input is never replaced.
        inputs: paths that the work reads. It is an error if `path` is one of them or contains one.
        option: name of the option that names the output, for messages.

    Raises:
        UserError: `path` exists and must not be replaced, or nothing can be written there.
    """
    _refuse_replacing(path, overwrite, inputs, option)
    here = path.resolve()
    above = next((folder for folder in here.parents if folder.exists()), here)
    # Only trying shows it: permissions say nothing of a full disk, a file system that is read-only, or a special one.
    try:
        with tempfile.TemporaryDirectory(prefix=".partial-", dir=above) as probe:
            for part in here.relative_to(above).parts:  # a name may be too long
                (Path(probe) / f".partial-{os.getpid()}-{part}").mkdir()
    except OSError as error:
        reason = f"nothing can be written to {above} ({error.strerror})"
        raise UserError(f"{option} {path} cannot be written, because {reason}: choose another {option}") from error


def _refuse_replacing(path: Path, overwrite: bool, inputs: Iterable[str | Path] = (), option: str = "--out") -> None:
    """As `refuse_existing`, without writing anything."""
    here = path.resolve()
    try:
        above = next((folder for folder in here.parents if folder.exists()), here)
        path.exists()
    except OSError as error:  # such as a name that is too long
        raise UserError(f"{option} {path} cannot be written ({error.strerror}): choose another {option}") from error
    if not above.is_dir():
        raise UserError(f"{option} {path} cannot be written, because {above} is a file: choose another {option}")
    for needed in map(Path, inputs):
        if needed.exists() and (here == needed.resolve() or here in needed.resolve().parents):
            raise UserError(f"{option} {path} would replace {needed}, which is an input: choose another {option}")
    if overwrite or not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return
    raise UserError(f"{path} exists already: choose another {option}, or add --overwrite to replace it")


def refuse_existing_file(path: Path, overwrite: bool, inputs: Iterable[str | Path] = ()) -> None:
    """As `refuse_existing`, for a file to write: no folder is replaced by it."""
    _refuse_folder(path)
    refuse_existing(path, overwrite, inputs)


def _refuse_folder(path: Path) -> None:
    with suppress(OSError):  # such as a name that is too long, of which the next check speaks
        if not path.is_dir():
            return
        raise UserError(f"--out {path} is a folder, but a file is written: name a file")


@contextmanager
def _named(path: Path, partial: Path) -> Iterator[None]:
    """Name `path` in errors about `partial`, of which a user knows nothing."""
    try:
        yield
    except OSError as error:
        if str(error.filename).startswith(str(partial)):
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


def absent(path: Path) -> str:
    """Why a path is no file, for an error message."""
    return "is a folder" if path.is_dir() else "does not exist"


@contextmanager
def staged_file(path: Path, overwrite: bool = True) -> Iterator[Path]:
    """Give a temporary path to write to; it is renamed to `path` if the block ends without an error."""
    _refuse_folder(path)
    _refuse_replacing(path, overwrite)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Keep the suffix, because OpenCV and matplotlib choose the format by it.
    partial = path.with_name(f".partial-{os.getpid()}-{path.name}")
    with _named(path, partial):
        try:
            yield partial
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)


MARKER = ".difffake"
"""A file in every folder that difffake wrote: `--overwrite` deletes no other folder."""


@contextmanager
def staged_folder(path: Path, overwrite: bool = False) -> Iterator[Path]:
    """Give an empty folder to fill; it is renamed to `path` if the block ends without an error.

    An old folder is replaced only with `overwrite`, and only if it was written by difffake.
    """
    refuse_existing(path, overwrite)
    if path.exists():
        _refuse_foreign(path)
    partial = path.with_name(f".partial-{os.getpid()}-{path.name}")
    shutil.rmtree(partial, ignore_errors=True)
    with _named(path, partial):
        try:
            partial.mkdir(parents=True)
            (partial / MARKER).touch()
            yield partial
            if path.exists():
                remove_written(path)
            partial.rename(path)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def resumable_folder(
    path: Path, settings: str, overwrite: bool = False, part: str = "", finish: Callable[[Path], bool] | None = None
) -> Iterator[Path]:
    """Give a folder to fill, which becomes `path` if the block ends without an error, and is kept if it does not.

    A later call with the same `settings` goes on with what is there; half-written files of `staged_file` are removed
    first. Several processes, on several machines with one file system too, may fill one folder together.

    Args:
        path: folder.
        settings: a text that the content depends on.
        overwrite: replace a folder that exists, or what an interrupted run of other settings left.
        part: name of this process's share, where several fill the folder together; each has another.
        finish: called with the folder after the block, by one process at a time. If it gives False, others are still at
            work, and the folder is left to them.

    Raises:
        UserError: `path` exists, or what an interrupted run left is of other settings, unless `overwrite`; or another
            run is filling the folder, or the same part of it.
    """
    refuse_existing(path, overwrite)
    if path.exists():
        _refuse_foreign(path)
    partial = path.with_name(f".partial-{path.name}")
    note, lock = partial / ".settings", FileLock(partial / f".lock{part}", timeout=0)
    if partial.exists() and not (partial / MARKER).exists() and any(partial.iterdir()):
        raise UserError(f"{partial} was not written by difffake, but is where {path} is made: choose another --out")
    partial.mkdir(parents=True, exist_ok=True)
    (partial / MARKER).touch()
    try:
        lock.acquire()
    except Timeout:
        raise UserError(f"another run is writing {path}: wait for it, or choose another --out") from None
    try:
        if note.is_file() and (left := note.read_text()) and left != settings:
            if not overwrite or part:
                raise UserError(
                    f"{partial} is from an interrupted run with other settings or inputs: repeat that run to finish "
                    "it, add --overwrite to delete it, or choose another --out"
                )
            for left_over in partial.iterdir():
                if left_over.name not in (MARKER, ".lock"):
                    shutil.rmtree(left_over) if left_over.is_dir() else left_over.unlink()
        if not part:
            for half in partial.rglob(".partial-*"):
                half.unlink()
        note.write_text(settings)
        yield partial
        with _finishing(partial) as there:
            if there and (finish is None or finish(partial)):
                _take_place(partial, path)
    finally:
        lock.release()


@contextmanager
def _finishing(partial: Path) -> Iterator[bool]:
    """Hold the folder alone; gives whether it is still there, or another process has finished it meanwhile."""
    lock = FileLock(partial / ".lock-finish")
    try:
        lock.acquire()
    except OSError:
        yield False
        return
    try:
        yield partial.exists()
    finally:
        lock.release()


def _take_place(partial: Path, path: Path) -> None:
    old = path.with_name(f".old-{os.getpid()}-{path.name}")
    if path.exists():
        path.rename(old)
    partial.rename(path)
    for left in (path / ".settings", *path.glob(".lock*")):
        left.unlink(missing_ok=True)
    shutil.rmtree(old, ignore_errors=True)


UNFINISHED = ".unfinished"
"""A file in a folder of `continued_folder` that is not complete; it contains the settings."""


@contextmanager
def continued_folder(path: Path, settings: str, overwrite: bool = False) -> Iterator[None]:
    """Make a folder that is filled at its final path. A later call continues with what an interrupted call left.

    It is for work with several stages that need their final paths; otherwise use `resumable_folder`.

    Args:
        path: folder to fill.
        settings: text that contains everything that the content depends on.
        overwrite: replace a folder that is complete, or unfinished with other settings.

    Raises:
        UserError: without `overwrite`, the folder is complete, or unfinished with other settings.
    """
    note = path / UNFINISHED
    if not note.is_file() or note.read_text() != settings:
        if note.is_file() and not overwrite:
            raise UserError(f"{path} is unfinished, with other settings: add --overwrite, or choose another --out")
        refuse_existing(path, overwrite)
        if path.exists():
            remove_written(path)
        path.mkdir(parents=True)
        (path / MARKER).touch()
        note.write_text(settings)
    yield
    note.unlink()


def remove_written(path: Path, option: str = "--out") -> None:
    """Delete a folder that difffake wrote or that is empty. Raises `UserError`, naming the option, for any other."""
    _refuse_foreign(path, option)
    shutil.rmtree(path)


def _refuse_foreign(path: Path, option: str = "--out") -> None:
    if not path.is_dir():
        raise UserError(f"{path} is a file: choose another {option}")
    if any(path.iterdir()) and not (path / MARKER).exists():
        raise UserError(
            f"{path} was not written by difffake, so --overwrite does not delete it: choose another {option}"
        )
