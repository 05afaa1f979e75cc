"""Folder names that say what is in them: real or fake."""

import re
from collections.abc import Iterable
from pathlib import Path

from difffake.errors import UserError

METHODS = frozenset(
    "deepfakes face2face faceswap neuraltextures faceshifter deepfakedetection fsgan simswap blendface".split()
)
_SHORT = frozenset("df f2f fs nt fsh".split())
"""Abbreviations of methods, which may be anybody's initials: they count beside other class names only."""
_FAKE = frozenset(
    "fake fakes deepfake synthesis synthesized synthetic manipulated manipulation forged forgery altered tampered "
    "swapped generated".split()
)
_REAL = frozenset("real reals original originals authentic genuine pristine".split())
_NEUTRAL = frozenset(
    "celeb youtube actors video videos image images frame frames sequence sequences face faces".split()
)


def class_of(name: str) -> int | None:
    """0 for the name of a folder that says real, such as 0_real, 1 for one that says fake, None for any other.

    >>> class_of("Celeb-synthesis"), class_of("0_real"), class_of("Ann_Fake"), class_of("NeuralTextures")
    (1, 0, None, 1)
    """
    words = {word for word in re.split(r"[^a-z0-9]+", name.lower()) if not word.isdigit()} - {"", *_NEUTRAL}
    if words and words <= _FAKE | METHODS:
        return 1
    return 0 if words and words <= _REAL else None


def classes_of(names: Iterable[str]) -> dict[str, int]:
    """Class of those of some folders side by side whose names say it, abbreviations of methods such as DF included."""
    names = list(names)
    found = {name: kind for name in names if (kind := class_of(name)) is not None}
    short = [name for name in names if name.lower() in _SHORT]
    return found | (dict.fromkeys(short, 1) if found or len(short) > 1 else {})


def is_method(name: str) -> bool:
    """Whether a folder that says fake is named after a known manipulation."""
    return name.lower() in METHODS | _SHORT


def classes_below(root: Path, files: Iterable[Path]) -> dict[Path, int]:
    """Folders from `root` down to each file whose names say a class, with it."""
    inside: dict[Path, set[str]] = {}
    for last in {file.parent for file in files}:
        for folder in [folder for folder in (last, *last.parents) if root in folder.parents]:
            inside.setdefault(folder.parent, set()).add(folder.name)
    return {parent / name: kind for parent, names in inside.items() for name, kind in classes_of(names).items()}


def refuse_fakes(root: Path, files: Iterable[Path], reader: str) -> None:
    """Raise `UserError` if a folder that leads to a file, or `root`, says fake: `reader` takes all as real."""
    fake = [folder for folder, kind in classes_below(root, files).items() if kind]
    if class_of(root.resolve().name):
        fake.append(root)
    if fake:
        raise UserError(
            f"{min(fake)} says fake, but --reader {reader} takes everything as real: --reader classes reads folders "
            "named real and fake, and --reader list shows the readers of published data sets"
        )
