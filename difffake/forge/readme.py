"""The README that `difffake forge` writes into a testbed."""

from pathlib import Path

from difffake.data.manifest import Manifest
from difffake.forge.task import Settings


def write_readme(folder: Path, settings: Settings, manifest: Manifest) -> None:
    """Write a README into the folder of a testbed that says what it is, and that it is not a benchmark."""
    counts = manifest.table["method"].value_counts()
    diffusion = f"\n| diffusion model | {settings.diffusion} |" if settings.diffusion else ""
    (folder / "README.md").write_text(
        f"""# A forged testbed: not a public benchmark

Made by `difffake forge` from real faces, for development and ablations. Numbers that are measured on it compare methods
on these forgeries only. They are not numbers on a published data set and must not be presented together with such.

| | |
| :-- | :-- |
| crops | {", ".join(f"{method} {number}" for method, number in counts.items())} |
| compression | {", ".join(settings.compressions)} |
| forgeries of each face with each method | {settings.copies} |
| side, seed | {settings.size} px, {settings.seed} |{diffusion}

Other commands read `manifest.parquet`. `forgeries.parquet` has target, source, mask and parameters of each forged crop.
`skipped.csv` lists what was not forged, with the reason. The terms of use of the real faces apply to the forgeries too.
"""
    )
