"""Whom the faces of a data set must be credited to, as their license asks."""

from collections.abc import Iterable
from pathlib import Path

from difffake.data.manifest import Manifest, manifest_file

CREDIT = "CREDIT.txt"
"""File beside a manifest with one line that names the makers and the license of its faces."""


def credit(manifest: Manifest, rows: Iterable[int] | None = None) -> str:
    """The credits of some faces, each once, separated by semicolons; empty if their data sets ask for none.

    A data set asks for a credit with a file CREDIT.txt beside its manifest; `difffake forge` gives it to the forgeries.

    Args:
        manifest: manifest of the faces, or the union of several.
        rows: numbers of the rows; by default all.
    """
    paths = manifest.table["path"] if rows is None else manifest.table["path"].iloc[list(rows)]
    found: dict[Path, str] = {}
    for folder in dict.fromkeys(path.rpartition("/")[0] for path in paths):
        _look(manifest.root / folder, found)
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
