"""All checks of one or several manifests."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from difffake.data.check.duplicates import Duplicates, duplicates, find_duplicates
from difffake.data.check.finding import Finding, by_level
from difffake.data.check.leaks import leaks
from difffake.data.check.pictures import broken, chosen_rows, look_at, missing, present
from difffake.data.check.tables import compressions, face_sides, labels, partners, small_faces
from difffake.data.manifest import Manifest, read_manifests
from difffake.data.partners import find_partners
from difffake.data.records import exact_partners
from difffake.data.skipped import coverage


class Checked(NamedTuple):
    """What a check found, and what a page about it needs."""

    manifest: Manifest
    """All rows of all manifests."""
    manifests: list[Manifest]
    """As they were read, each in its own folder."""
    findings: list[Finding]
    """Faults first, then warnings, then notes."""
    duplicates: Duplicates | None
    """None if no crop was opened."""
    shown: NDArray[np.bool_]
    """(N,), whether the crop of each row exists and is not known to be broken."""
    sides: NDArray[np.float64]
    """(N,) side of each face in pixels of its original image, NaN where unknown."""
    opened: int
    """Crops that were opened."""

    @property
    def usable(self) -> list[Manifest]:
        """Of each manifest, the rows of crops that exist and are not known to be broken."""
        shown = np.split(self.shown, np.cumsum([len(part) for part in self.manifests])[:-1])
        return [part.where(kept) for part, kept in zip(self.manifests, shown, strict=True)]


def check(paths: Sequence[Path], frames: int | None = None, workers: int = 0) -> Checked:
    """Check manifests together: what is in one's split train must not be in the split test of another either.

    Args:
        paths: manifests, or folders with a manifest.parquet.
        frames: open at most so many crops of each video, evenly spaced; 0 opens none, stills neither; None opens all.
        workers: processes that open crops; 0 is one per core.

    Raises:
        UserError: a manifest cannot be read, or is named twice.
    """
    manifests = read_manifests(paths)
    if len(manifests) > 1:
        manifests = [Manifest(part.table, part.root.resolve()) for part in manifests]  # as their union has it
    manifest = Manifest.concat(manifests)
    table = manifest.table.drop(columns="landmarks")  # whose copying takes most of the time
    there = present(manifest)
    rows = chosen_rows(manifest, frames)
    looks = look_at(manifest, rows[there[rows]], workers)
    shown = there.copy()
    shown[looks.rows[~looks.readable]] = False
    crop_sides = np.full(len(table), np.nan)
    crop_sides[looks.rows[looks.readable]] = looks.sides[looks.readable]
    sides = face_sides(table, crop_sides)
    same = find_duplicates(table, looks) if len(looks.rows) else None
    recorded = exact_partners(manifests)
    findings = [
        *missing(manifest, there),
        *broken(manifest, looks),
        *leaks(table),
        *(duplicates(table, same) if same else ()),
        *labels(table),
        *compressions(table),
        *small_faces(table, sides),
        *partners(manifest, find_partners(manifest, exact=recorded), recorded),
        *(found for part in manifests for found in _lost(part)),
    ]
    return Checked(manifest, manifests, by_level(findings), same, shown, sides, len(looks.rows))


def _lost(manifest: Manifest) -> list[Finding]:
    """Files that were prepared and have no crop."""
    found = coverage(manifest, "all")
    if not found or not found.lost:
        return []
    text = f"{len(found.lost):,} of {found.scored + len(found.lost):,} files of {manifest.root} gave no crop"
    return [Finding("note", "no face", text, tuple(found.lost[:3]))]
