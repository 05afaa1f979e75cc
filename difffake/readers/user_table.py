"""Tables that users write, as CSV."""

from collections.abc import Set
from io import StringIO
from pathlib import Path

import pandas as pd

from difffake.errors import UserError


def read_texts(path: Path, needed: Set[str]) -> pd.DataFrame:
    """Read a CSV table that a user wrote.

    The columns may be parted by commas, semicolons or tabs, and the file be in UTF-8 or UTF-16.

    Args:
        path: the file.
        needed: names of columns that the table must have.

    Returns:
        The table as text without blanks around it, names of columns in lower case.

    Raises:
        UserError: the file cannot be read as CSV, lacks a column, or has two of one name.
    """
    try:
        data = path.read_bytes()
        text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
        sep = max(",;\t", key=text.partition("\n")[0].count)
        rows = pd.read_csv(StringIO(text), sep=sep, dtype=str, keep_default_na=False, skipinitialspace=True)
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not a text in UTF-8 ({error.reason}): save it as CSV in UTF-8") from error
    except ValueError as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path} cannot be read as CSV ({reason}): correct it, or save it as CSV again") from error
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): give a CSV file that you may read") from error
    rows.columns = pd.Index([str(name).strip().lower() for name in rows.columns])
    if missing := needed - set(rows.columns):
        names = ", ".join(rows.columns)
        raise UserError(f"{path} lacks the column(s) {', '.join(sorted(missing))}: it has {names}")
    if twice := rows.columns[rows.columns.duplicated()].tolist():
        raise UserError(f"{path} has two columns named {twice[0]}: remove either")
    return rows.apply(lambda column: column.str.strip())
