"""Lists of videos that data sets publish as CSV, and the files that they name."""

import csv
from pathlib import Path

from difffake.errors import UserError
from difffake.faces.listing import count, list_media
from difffake.progress import console

_ENCODINGS = ("utf-8-sig", "cp949")


def read_rows(path: Path, *columns: str) -> list[dict[str, str]]:
    """The rows of a CSV file in UTF-8, or in the Korean encoding of Windows, which Korean portals use.

    Raises `UserError` if there is no such file, it cannot be read, or it lacks one of `columns`.
    """
    if not path.is_file():
        raise UserError(f"{path} is missing: it says what each video is, so take it from the download")
    for encoding in _ENCODINGS:
        try:
            with path.open(encoding=encoding, newline="") as file:
                reader = csv.DictReader(file)
                rows = [{key: value or "" for key, value in row.items() if key} for row in reader]
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            if encoding == _ENCODINGS[-1]:
                raise UserError(f"{path} cannot be read as CSV: {error}") from error
            continue
        if missing := [column for column in columns if column not in (reader.fieldnames or ())]:
            raise UserError(f"{path} lacks the column(s) {', '.join(missing)}")
        return rows
    raise AssertionError("the last encoding returns or raises")


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
