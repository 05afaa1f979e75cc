"""What `difffake forge` writes beside the manifest."""

from pathlib import Path

import pandas as pd

from difffake.data.manifest import Manifest
from difffake.errors import UserError
from difffake.forge.work import Settings

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


def write_readme(folder: Path, settings: Settings, manifest: Manifest) -> None:
    """Say in the folder itself what it is, and what it is not."""
    counts = manifest.table["method"].value_counts()
    (folder / "README.md").write_text(
        f"""# A forged testbed: not a public benchmark

Made by `difffake forge` from real faces, for development and ablations. Numbers measured on it say how methods compare
on these forgeries; they are no numbers on any published data set and must not stand beside such as if they were.

| | |
| :-- | :-- |
| crops | {", ".join(f"{method} {number}" for method, number in counts.items())} |
| compression | {", ".join(settings.compressions)} |
| side, seed | {settings.size} px, {settings.seed} |

`manifest.parquet` is what other commands read. `forgeries.parquet` gives for each forged crop its target, source, mask
and parameters; `skipped.csv` what was not forged, and why. The terms of the real faces hold for the forged ones too.
"""
    )
