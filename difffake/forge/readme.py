"""The README that `difffake forge` writes into a testbed."""

from pathlib import Path

from difffake.data.manifest import Manifest
from difffake.forge.task import Settings


def write_readme(folder: Path, settings: Settings, manifest: Manifest) -> None:
    """Say in the folder itself what it is, and what it is not."""
    counts = manifest.table["method"].value_counts()
    diffusion = f"\n| diffusion model | {settings.diffusion} |" if settings.diffusion else ""
    (folder / "README.md").write_text(
        f"""# A forged testbed: not a public benchmark

Made by `difffake forge` from real faces, for development and ablations. Numbers measured on it say how methods compare
on these forgeries; they are no numbers on any published data set and must not stand beside such as if they were.

| | |
| :-- | :-- |
| crops | {", ".join(f"{method} {number}" for method, number in counts.items())} |
| compression | {", ".join(settings.compressions)} |
| side, seed | {settings.size} px, {settings.seed} |{diffusion}

`manifest.parquet` is what other commands read. `forgeries.parquet` gives for each forged crop its target, source, mask
and parameters; `skipped.csv` what was not forged, and why. The terms of the real faces hold for the forged ones too.
"""
    )
