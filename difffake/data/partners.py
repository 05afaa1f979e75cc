"""Which real faces a fake was made of: its source and its target, as rows of the manifest."""

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
    """For each row of a manifest (N,) the row of its source and of its target, -1 where unknown.

    A real face is its own source and target.
    """

    source: Rows
    target: Rows

    @property
    def known(self) -> NDArray[np.bool_]:
        """(N,), whether both are known."""
        return (self.source >= 0) & (self.target >= 0)


def find_partners(
    manifest: Manifest,
    order: PairOrder = "target_source",
    exact: Mapping[str, tuple[str, str]] | None = None,
) -> Partners:
    """Source and target of every row among the manifest's own real rows.

    A fake's partner is the frame of the same number in the real video that its column source or target names, in the
    same data set and compression, or else the nearest frame there is (of two the earlier): never a random one, since
    results must not depend on it. `exact` goes before: source and target of a crop, all by file path, as `difffake
    forge` records them.

    `order`: FaceForensics++ names fakes `<target>_<source>`, and manifests say which is which; DiffusionFake's
    published loader takes one for the other, which `source_target` does too, for comparison with it.
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
    """Frame numbers, rising, and rows of each real video or still, by data set, compression and name."""
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
