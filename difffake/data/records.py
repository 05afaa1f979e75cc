"""The table beside a forged testbed's manifest that says what each forgery was made of."""

from pathlib import Path

import pandas as pd

from difffake.errors import UserError

RECORDS = "forgeries.parquet"
"""A row a forged crop: path, method, compression, target_path, source_path, mask_path and parameters (JSON)."""


def read_records(root: Path) -> pd.DataFrame | None:
    """The forgeries' table in a testbed's folder; None in any other folder. Raises `UserError` if it is broken."""
    path = root / RECORDS
    if not path.is_file():
        return None
    try:
        table = pd.read_parquet(path)
    except (ValueError, OSError) as error:
        raise UserError(f"{path} cannot be read ({error}): forge the faces again") from error
    missing = {"path", "method", "compression", "target_path", "source_path", "mask_path"} - set(table.columns)
    if missing:
        raise UserError(f"{path} lacks the column(s) {', '.join(sorted(missing))}: forge the faces again")
    return table
