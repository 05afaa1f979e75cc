"""Whom the faces of a data set must be credited to, as their license asks."""

from collections.abc import Iterable
from pathlib import Path

from difffake.data.manifest import manifest_file

CREDIT = "CREDIT.txt"
"""File beside a manifest with one line that names the makers and the license of its faces."""


def credit(files: Iterable[Path]) -> str:
    """The credits of some crops, each once, separated by semicolons; empty if their data sets ask for none.

    A data set asks for a credit with a file CREDIT.txt beside its manifest; `difffake forge` gives it to the forgeries.

    Args:
        files: crops below the folders of their manifests.
    """
    found: dict[Path, str] = {}
    for folder in dict.fromkeys(Path(file).parent for file in files):
        _look(folder, found)
    return "; ".join(dict.fromkeys(filter(None, found.values())))


def _look(folder: Path, found: dict[Path, str]) -> str:
    """The credit of a folder: its own, or if it has no manifest, that of the folder above."""
    if folder not in found:
        if (folder / CREDIT).is_file():
            found[folder] = " ".join((folder / CREDIT).read_text(encoding="utf-8").split())
        else:
            ends = manifest_file(folder).is_file() or folder == folder.parent
            found[folder] = "" if ends else _look(folder.parent, found)
    return found[folder]
