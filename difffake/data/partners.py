"""The source and target of each fake as rows of the manifest."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from difffake.data.keys import home, original, stem
from difffake.data.manifest import Manifest

PairOrder = Literal["target_source", "source_target"]
Rows = NDArray[np.int64]


class Partners(NamedTuple):
    """Row numbers (N,) of the source and target of each row of a manifest; -1 if unknown.

    A real face is its own source and target.
    """

    source: Rows
    target: Rows

    @property
    def known(self) -> NDArray[np.bool_]:
        """(N,) bool: whether both partners are known."""
        return (self.source >= 0) & (self.target >= 0)


def find_partners(
    manifest: Manifest,
    order: PairOrder = "target_source",
    exact: Mapping[str, tuple[str, str]] | None = None,
) -> Partners:
    """Find the source and target of every row among the manifest's own real rows.

    The columns source and target of a fake name real videos. Its partner is the frame with the same number in this
    video, in the same data set and compression; otherwise the nearest frame (of two, the earlier). The choice is never
    random, because results must not depend on it.

    Args:
        manifest: the manifest.
        order: `source_target` swaps source and target, as DiffusionFake's published loader does by mistake: it reads
            the names `<target>_<source>` of FaceForensics++ in the wrong order.
        exact: source and target by path of the crop (all are file paths), as `difffake forge` records them; used before
            the columns.
    """
    table = manifest.table
    label = table["label"].to_numpy()
    row_of = {manifest.file(row).as_posix(): row for row in range(len(table))} if exact else {}
    frames = _frames_of(table)
    named = table.assign(dataset=home(table), source=stem(table["source"]), target=stem(table["target"]))
    found: dict[str, Rows] = {}
    for number, role in enumerate(("source", "target")):
        rows = np.arange(len(table))
        for row in np.flatnonzero(label == 1).tolist():
            paths = exact.get(manifest.file(row).as_posix()) if exact else None
            rows[row] = row_of.get(paths[number], -1) if paths else _nearest(named.iloc[row], role, frames)
        found[role] = rows
    partners = Partners(**found)
    return partners if order == "target_source" else Partners(source=partners.target, target=partners.source)


_Frames = dict[tuple[str, str, str], tuple[Rows, Rows]]


def _frames_of(table: pd.DataFrame) -> _Frames:
    """Ascending frame numbers, and rows, of each real video or still, by data set, compression and name."""
    real = table[table["label"] == 0]
    keys = [home(real), real["compression"], original(real)]
    found: _Frames = {}
    for (dataset, compression, name), part in real["frame"].groupby(keys):
        ordered = part.sort_values(kind="stable")
        found[str(dataset), str(compression), str(name)] = ordered.to_numpy(), ordered.index.to_numpy()
    return found


def _nearest(fake: pd.Series, role: str, frames: _Frames) -> int:
    """Row of the partner's frame nearest to the fake's; -1 if there is no such video or still."""
    there = frames.get((str(fake["dataset"]), str(fake["compression"]), str(fake[role])))
    if not fake[role] or there is None:
        return -1
    numbers, rows = there
    return int(rows[np.abs(numbers - fake["frame"]).argmin()])
