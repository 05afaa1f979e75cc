"""The source and target of each fake as rows of the manifest."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from difffake.data.keys import home, original, stem
from difffake.data.manifest import LIST_COLUMNS, Manifest

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
    table = manifest.table.drop(columns=list(LIST_COLUMNS))  # whose copying takes most of the time
    fakes = np.flatnonzero(table["label"].to_numpy() == 1)
    real = table[table["label"] == 0]
    there = _Named(home(real), real["compression"], original(real), real["track"])
    row_of = {manifest.file(row).as_posix(): row for row in range(len(table))} if exact else {}
    found: dict[str, Rows] = {}
    for number, role in enumerate(("source", "target")):
        fake = table.iloc[fakes]
        wanted = _Named(home(fake), fake["compression"], stem(fake[role]), fake["track"])
        partner = _nearest(there, real["frame"], wanted, fake["frame"])
        # Where the partner's people are not as many, it is the one of the most frames.
        alone = (partner < 0) & (fake["track"] > 0).to_numpy()
        if alone.any():
            main = wanted._replace(track=fake["track"] * 0)
            partner = np.where(alone, _nearest(there, real["frame"], main, fake["frame"]), partner)
        rows = np.arange(len(table))
        rows[fakes] = partner
        if exact:
            for row in fakes.tolist():
                if paths := exact.get(manifest.file(row).as_posix()):
                    rows[row] = row_of.get(paths[number], -1)
        found[role] = rows
    partners = Partners(**found)
    return partners if order == "target_source" else Partners(source=partners.target, target=partners.source)


def other_frames(table: pd.DataFrame, partners: Partners) -> NDArray[np.bool_]:
    """(N,), whether each row is a fake whose source or target is a frame of another number than its own."""
    frame, fake = table["frame"].to_numpy(), (table["label"] == 1).to_numpy()
    other = np.zeros(len(frame), dtype=bool)
    for rows in partners:
        other |= fake & (rows >= 0) & (frame[rows] != frame)
    return other


class _Named(NamedTuple):
    """What names the video or still of each row: equal in all of these, it is the same person of the same one."""

    dataset: pd.Series
    compression: pd.Series
    name: pd.Series
    track: pd.Series


def _nearest(there: _Named, frames: pd.Series, wanted: _Named, at: pd.Series) -> Rows:
    """For each wanted row (n,) the row among those `there`, by its index, whose frame is nearest; -1 where none is."""
    key = np.zeros(len(frames) + len(at), dtype=np.int64)
    for a, b in zip(there, wanted, strict=True):
        codes, values = pd.factorize(pd.concat([a, b], ignore_index=True))
        key = pd.factorize(key * len(values) + codes)[0]
    number = np.concatenate([frames.to_numpy(), at.to_numpy()])
    place = key * (number.max(initial=0) + 1) + number  # rises by video, then by frame
    split = len(frames)
    order = np.argsort(place[:split], kind="stable")
    rows = frames.index.to_numpy()[order]
    low = np.searchsorted(place[:split][order], place[split:], side="right") - 1
    best = np.full(len(at), -1)
    distance = np.full(len(at), np.iinfo(np.int64).max)
    # The earlier one first: the later one must be nearer.
    for candidate in (low, low + 1):
        inside = np.clip(candidate, 0, max(split - 1, 0))
        if not split:
            break
        usable = (candidate == inside) & (key[:split][order][inside] == key[split:])
        away = np.abs(number[:split][order][inside] - number[split:])
        nearer = usable & (away < distance)
        best[nearer], distance[nearer] = rows[inside][nearer], away[nearer]
    best[(wanted.name == "").to_numpy()] = -1
    return best
