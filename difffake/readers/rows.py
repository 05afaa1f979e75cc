"""Videos that a list names without their folders."""

from pathlib import Path

from difffake.errors import UserError
from difffake.faces.listing import count, list_media
from difffake.progress import console


def find_videos(root: Path) -> dict[str, Path]:
    """Every video below `root` by its name with suffix. Raises `UserError` if two have one name."""
    found: dict[str, Path] = {}
    for file in list_media(root).videos:
        other = found.setdefault(file.name, file)
        if other is not file:
            raise UserError(f"{other} and {file} have one name, by which {root} lists its videos: remove either")
    return found


def report_rows(listed: dict[str, Path], there: dict[str, Path], root: Path) -> None:
    """Print how many of the `listed` videos are not `there`, and how many of those there are not listed.

    Raises `UserError` if none of them is there.
    """
    missing = sorted(set(listed) - set(there))
    if len(missing) == len(listed):
        raise UserError(f"{root}: none of its {count(len(listed), 'listed video')} is there: unpack or download them")
    if missing:
        console.print(f"{root}: {len(missing)} of {len(listed)} listed videos are missing, such as {missing[0]}")
    if unknown := sorted(set(there) - set(listed)):
        console.print(f"{root}: {count(len(unknown), 'video')} that no list names left out, such as {unknown[0]}")
