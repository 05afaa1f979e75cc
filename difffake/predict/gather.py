"""Which files to score: folders, patterns, and names on standard input."""

import sys
from collections.abc import Sequence
from glob import glob, has_magic
from pathlib import Path

from difffake.errors import UserError
from difffake.faces.listing import left_out, list_media


def named(files: Sequence[Path]) -> list[Path]:
    """The given files, with the lines of standard input in the place of a dash."""
    found: list[Path] = []
    for file in files:
        if str(file) == "-":
            found += [Path(line) for line in sys.stdin.read().splitlines() if line]
        else:
            found.append(file)
    if not found:
        raise UserError("standard input names no files: give one on each line")
    return found


def expanded(files: Sequence[Path]) -> tuple[list[Path], list[str]]:
    """All images and videos that folders and patterns stand for.

    A pattern such as `clips/*.mp4` or `clips/**/*.mp4`, which a shell leaves as it is if it stands in quotes, means the
    files and folders that match. One that matches nothing, and a folder without media, is kept, and `check` says so.

    Returns:
        The files, and remarks on files in the folders that are neither images nor videos.
    """
    paths, remarks = [], []
    for file in files:
        for one in _matching(file):
            if not one.is_dir():
                paths.append(one)
                continue
            found = list_media(one)
            paths += found.media or [one]  # `check` says that it holds none
            if found.others:
                remarks.append(left_out(found.others, one))
    return paths, remarks


def check(path: Path) -> None:
    """Raise `UserError` if a path is a pattern that matches nothing, or a folder without images and videos."""
    if is_pattern(path):
        raise UserError(f"{path} matches no file")
    if path.is_dir():
        raise UserError(f"{path} holds no images or videos")


def is_pattern(path: Path) -> bool:
    """Whether a path is a pattern, and not the name of a file."""
    return has_magic(str(path)) and not path.exists()


def _matching(path: Path) -> list[Path]:
    if not is_pattern(path):
        return [path]
    found = glob(str(path), recursive=True)  # noqa: PTH207  # Path.glob takes no pattern that begins with a root
    return [Path(match) for match in sorted(found)] or [path]
