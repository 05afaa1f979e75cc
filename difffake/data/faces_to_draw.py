"""Choice of the faces that `difffake figures` draws and measures."""

from collections.abc import Sequence, Set
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from difffake.data.keys import check_leaks, content_keys, leak_keys
from difffake.data.manifest import Manifest
from difffake.data.partners import PairOrder, Partners, find_partners
from difffake.data.records import exact_partners
from difffake.errors import UserError
from difffake.files import shortened
from difffake.randomness import generator
from difffake.readers.item import SPLITS

SET = ["dataset", "compression", "split"]
"""Columns that identify a set of faces."""
_CHOICE, _LIMIT = 0, 2  # keys of random numbers; pictures use the key between them


@dataclass(frozen=True)
class FacesToDraw:
    """All rows of all manifests, and the rows to draw and to measure."""

    manifest: Manifest
    partners: Partners
    paths: list[str]
    """Path of each row's crop as in its own manifest, never absolute, because it is published."""
    training: np.ndarray
    """Numbers of the rows in the split train of the detector's training data."""
    unseen: np.ndarray
    """Numbers of the rows in the split test."""
    measured: np.ndarray
    """Numbers of the rows in the chosen split."""


@dataclass(frozen=True)
class Drawing:
    """Settings of the pictures, and the faces to draw and to measure."""

    found: FacesToDraw
    rows: np.ndarray
    """Numbers of the rows to measure."""
    faces: int
    """Number of fakes to draw of the training data, and of unseen data."""
    noises: int
    """Number of noises from which an image is reconstructed."""
    steps: int
    """Number of sampling steps."""
    run: Path
    """Folder of the run, which may have metrics.csv."""
    batch_size: int
    workers: int
    seed: int

    def chosen(self, partners: Partners | None = None) -> dict[str, list[int]]:
        """Rows to draw of the training data and of unseen faces, if there are any; see `choose_rows`."""
        found = self.found
        groups = (("training", found.training), ("unseen", found.unseen))
        rows = {name: choose_rows(found.manifest, partners, among, self.faces, self.seed) for name, among in groups}
        return {name: which for name, which in rows.items() if which}


def read_faces_to_draw(
    paths: Sequence[Path], training_keys: Set[str], split: str, pair_order: PairOrder
) -> FacesToDraw:
    """Read manifests and find the rows to draw and to measure.

    Args:
        paths: manifests.
        training_keys: keys of the detector's training data, see `difffake.data.keys`.
        split: split to measure.
        pair_order: which of a fake's partners is its source.

    Raises:
        UserError: a manifest has no rows in the split, or its split test shares keys with the training data.
    """
    manifests = [Manifest.read(path) for path in paths]
    if len(manifests) > 1:
        manifests = [Manifest(m.table, m.root.resolve()) for m in manifests]  # as in the union of manifests
    trained_on = []
    for path, whole in zip(paths, manifests, strict=True):
        if not len(whole.select(split=split)):
            raise UserError(f"{path} has no rows in the split {split}: use --split all or another manifest")
        train, test = (leak_keys(whole.select(split=name).table, whole.table) for name in ("train", "test"))
        contents = content_keys(whole.select(split="test").table, whole.root)
        check_leaks(set(training_keys), test | contents, f"{path}, split test,")
        # A manifest may have a split train without being the detector's training data.
        trained_on += [bool(train & training_keys)] * len(whole)
    union = Manifest.concat(manifests)
    splits = union.table["split"].to_numpy()
    return FacesToDraw(
        union,
        find_partners(union, pair_order, exact_partners(manifests)),
        [shortened(str(path)) for whole in manifests for path in whole.table["path"]],
        np.flatnonzero((splits == "train") & trained_on),
        np.flatnonzero(splits == "test"),
        np.flatnonzero(splits == split) if split != "all" else np.arange(len(union)),
    )


def limited(table: pd.DataFrame, rows: np.ndarray, limit: int, seed: int) -> np.ndarray:
    """At most `limit` random rows of each data set and manipulation, in ascending order; 0 means all."""
    if not limit:
        return rows
    shuffled = generator(seed, _LIMIT).permutation(rows)
    turn = table.iloc[shuffled].groupby([*SET, "method"]).cumcount().to_numpy()
    return np.sort(shuffled[turn < limit])


def choose_rows(manifest: Manifest, partners: Partners | None, among: np.ndarray, count: int, seed: int) -> list[int]:
    """Choose random fakes, taking the manipulations in turn, and one real face.

    Args:
        manifest: manifest of the rows.
        partners: if given, only fakes with known partners are chosen.
        among: numbers of the rows to choose from.
        count: largest number of fakes.
        seed: random seed.

    Returns:
        Numbers of the chosen rows, the real face last; empty if there is no such fake.
    """
    table = manifest.table
    label = table["label"].to_numpy()
    rng = generator(seed, _CHOICE)
    usable = label[among] == 1 if partners is None else (label[among] == 1) & partners.known[among]
    fakes = rng.permutation(among[usable])
    methods = table["method"].to_numpy()[fakes]
    turn = pd.Series(methods).groupby(methods).cumcount().to_numpy()
    chosen = np.sort(np.argsort(turn, kind="stable")[:count])
    chosen = chosen[np.argsort(methods[chosen], kind="stable")]  # fakes of one manipulation are drawn below each other
    reals = among[label[among] == 0]
    return [int(row) for row in (*fakes[chosen], *rng.permutation(reals)[: min(1, len(chosen))])]


def by_set(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The rows of each data set, compression and split, real faces first, by a printable name."""
    found = {}
    for (dataset, compression, split), part in ordered(table).groupby(SET, sort=False):
        found[f"{dataset} {compression}".strip() + f", {split}"] = part
    return found


def ordered(table: pd.DataFrame) -> pd.DataFrame:
    """Sort rows: data sets in their first order, then splits (train, val, test), then real faces first."""
    place = pd.DataFrame(
        {
            "dataset": pd.factorize(table["dataset"])[0],
            "compression": table["compression"].to_numpy(),
            "split": table["split"].map(SPLITS.index).to_numpy(),
            "label": table["label"].to_numpy(),
            "method": table["method"].to_numpy(),
        }
    )
    return table.iloc[place.sort_values(place.columns.tolist(), kind="stable").index]
