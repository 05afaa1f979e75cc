"""The table of a forged testbed with the source, target and parameters of each forgery."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from difffake.data.manifest import Manifest
from difffake.errors import UserError

RECORDS = "forgeries.parquet"
"""One row per forged crop: path, method, compression, target_path, source_path, mask_path and parameters (JSON)."""
_ROLES = ("", "source_", "target_")


def read_records(root: Path) -> pd.DataFrame | None:
    """Read the table of forgeries in a testbed's folder; None if there is none. Raises `UserError` if it is broken."""
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


def exact_partners(manifests: Sequence[Manifest]) -> dict[str, tuple[str, str]]:
    """Source and target of forged crops as `difffake forge` recorded them, for `find_partners`.

    Args:
        manifests: manifests as they were read, each with its own folder.

    Returns:
        Paths of the files of source and target, by path of the forged crop's file.
    """
    found: dict[str, tuple[str, str]] = {}
    for manifest in manifests:
        records = read_records(manifest.root)
        if records is not None:
            columns = ([(manifest.root / path).as_posix() for path in records[f"{role}path"]] for role in _ROLES)
            found |= {path: (source, target) for path, source, target in zip(*columns, strict=True)}
    return found
