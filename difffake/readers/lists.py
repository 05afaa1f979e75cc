"""Lists that data sets come with, as text, JSON or CSV."""

import csv
import json
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import Any

from difffake.errors import UserError

KOREAN = "cp949"
"""Encoding of Korean Windows."""
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


def read_text(path: Path, says: str, encodings: Sequence[str] = ("utf-8-sig",)) -> str:
    """The text of a list, with or without a byte order mark.

    Args:
        path: file.
        says: what the list says, such as "which videos are the test set", for the message where it is missing.
        encodings: those that it may have beside UTF-16 with a mark; the first that fits is taken.

    Raises:
        UserError: there is no such file, or it cannot be read, is empty or is no text.
    """
    if not path.is_file():
        raise UserError(f"{path} is missing: it says {says}, so take it from the download")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): it says {says}") from error
    for encoding in ("utf-16",) if data.startswith(_UTF16) else encodings:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if not text.strip():
            raise UserError(f"{path} is empty: it says {says}, so download it again")
        return text
    raise UserError(f"{path} is no text: it says {says}, so download it again")


def read_json(path: Path, says: str) -> Any:
    """What a JSON file holds; arguments and errors are those of `read_text`, and `UserError` if it is no JSON."""
    try:
        return json.loads(read_text(path, says))
    except ValueError as error:
        raise UserError(f"{path} is no whole JSON file ({error}): download it again") from error


def read_csv(
    path: Path, says: str, columns: Sequence[str], encodings: Sequence[str] = ("utf-8-sig",)
) -> list[dict[str, str]]:
    """The rows of a CSV file; a value that a row lacks is empty.

    Args:
        path: file.
        says: as in `read_text`.
        columns: columns that it must have, first that of the files' names, which must not be empty.
        encodings: as in `read_text`.

    Raises:
        UserError: as in `read_text`; or a column, all rows, or the name of a file are missing.
    """
    reader = csv.DictReader(StringIO(read_text(path, says, encodings), newline=""))
    try:
        rows = [{key: value or "" for key, value in row.items() if key} for row in reader]
    except csv.Error as error:
        raise UserError(f"{path} cannot be read as CSV ({error}): download it again") from error
    if missing := [column for column in columns if column not in (reader.fieldnames or ())]:
        raise UserError(f"{path} lacks the column(s) {', '.join(missing)}: it has {', '.join(reader.fieldnames or ())}")
    if not rows:
        raise UserError(f"{path} has no rows: it says {says}, so download it again")
    for number, row in enumerate(rows, start=1):
        if not row[columns[0]].strip():
            raise UserError(f"{path}, row {number} has no {columns[0]}: download it again")
    return rows
