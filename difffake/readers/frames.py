"""Videos that lie as numbered images, a folder for each, as many data sets publish them or as users extract them."""

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from difffake.errors import UserError
from difffake.faces.listing import IMAGE_SUFFIXES, count, list_media
from difffake.progress import console
from difffake.readers.item import Item

Images = tuple[tuple[int, Path], ...]
"""Number and file of each frame of a video, sorted by number."""


def numbered(files: Iterable[Path]) -> Images:
    """The frames of one video: the last digits of a file's name are its number, as in 0007.png or frame_7.jpg.

    Raises `UserError` if a name has no digits, or two have the same number: the frames' order would be a guess.
    """
    found: dict[int, Path] = {}
    for file in files:
        number = last_number(file)
        if number is None:
            raise UserError(
                f"{file}: a frame's name ends in its number, such as 0007{file.suffix}: rename or remove it"
            )
        other = found.setdefault(number, file)
        if other is not file:
            raise UserError(f"{other} and {file.name} are both frame {number}: remove either")
    return tuple(sorted(found.items()))


def last_number(file: Path) -> int | None:
    """The last digits of a file's name without suffix, None if it has none."""
    digits = re.findall(r"[0-9]+", file.stem)
    return int(digits[-1]) if digits else None


def frames_in(folder: Path) -> Images:
    """The pictures that lie directly in `folder`, which are told by their suffix, as frames of one video."""
    return numbered(file for file in sorted(folder.iterdir()) if file.suffix.lower() in IMAGE_SUFFIXES)


def frame_folders(root: Path) -> dict[Path, Images]:
    """Every folder below `root` that holds pictures, sorted, each with its frames; other files are counted in a line.

    Raises `UserError` if `root` is no folder.
    """
    listing = list_media(root)
    report_left_out([*listing.videos, *listing.others], root)
    return folders_of(listing.images)


def folders_of(images: Iterable[Path]) -> dict[Path, Images]:
    """Every folder that holds some of the images, sorted, each with them as frames."""
    by_folder: dict[Path, list[Path]] = {}
    for file in images:
        by_folder.setdefault(file.parent, []).append(file)
    return {folder: numbered(files) for folder, files in sorted(by_folder.items())}


def frames_item(folder: Path, images: Images, root: Path, **fields: Any) -> Item:
    """A video that lies as images, named by its path below `root`, dots and all. `fields` are others of `Item`."""
    return Item(folder, folder.relative_to(root).as_posix(), images=images, **fields)


def _kind(file: Path) -> str:
    if file.is_symlink() and not file.exists():
        return "broken link"
    return file.suffix.lower() or "no suffix"


def report_left_out(files: Iterable[Path], root: Path) -> None:
    """Print how many files below `root` are not used, by suffix and with the first name; nothing if there are none."""
    if files := sorted(files):
        kinds = Counter(_kind(file) for file in files).most_common(3)
        shown = ", ".join(f"{number} {kind}" for kind, number in kinds)
        first = files[0].relative_to(root).as_posix()
        console.print(f"{root}: {count(len(files), 'other file')} left out ({shown}; the first is {first})")
