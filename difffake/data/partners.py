"""Which real faces a fake was made of: its source and its target, as rows of the manifest."""

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


def other_frames(manifest: Manifest, partners: Partners) -> int:
    """How many fakes of videos have a source or target that is a frame of another number than theirs."""
    frame, fake = manifest.table["frame"].to_numpy(), (manifest.table["label"] == 1).to_numpy()
    other = np.zeros(len(frame), dtype=bool)
    for rows in partners:
        other |= (rows >= 0) & (frame[rows] != frame)
    return int((other & fake).sum())


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
