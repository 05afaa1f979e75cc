"""Faces of manifests that are drawn and measured."""

from collections.abc import Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from difffake.data.keys import check_leaks, leak_keys
from difffake.data.manifest import Manifest
from difffake.data.partners import PairOrder, Partners, find_partners
from difffake.data.records import exact_partners
from difffake.errors import UserError
from difffake.evaluation.provenance import shortened
from difffake.randomness import generator

SET = ["dataset", "compression", "split"]
"""Columns that tell one data set of faces from another."""
_LIMIT = 2  # key of random numbers; reconstructions have the first two


class Loading(NamedTuple):
    """How faces are read."""

    batch_size: int
    workers: int


@dataclass(frozen=True)
class FacesToDraw:
    """All rows of all manifests, and which of them are drawn and measured."""

    manifest: Manifest
    partners: Partners
    paths: list[str]
    """Of each row, as in its own manifest, but for absolute ones, which would name hosts and users."""
    training: np.ndarray
    """Rows of the split train of what the detector was trained on."""
    unseen: np.ndarray
    """Rows of the split test."""
    measured: np.ndarray
    """Rows of the split that was asked for."""


def read_faces_to_draw(
    paths: Sequence[Path], training_keys: Set[str], split: str, pair_order: PairOrder
) -> FacesToDraw:
    """Read manifests. Raises `UserError` if one lacks the split, or its split test is not unseen."""
    manifests = [Manifest.read(path) for path in paths]
    if len(manifests) > 1:
        manifests = [Manifest(m.table, m.root.resolve()) for m in manifests]  # as their union has it
    trained_on = []
    for path, whole in zip(paths, manifests, strict=True):
        if not len(whole.select(split=split)):
            raise UserError(f"{path} has no rows in the split {split}: use --split all or another manifest")
        train, test = (leak_keys(whole.select(split=name).table, whole.table) for name in ("train", "test"))
        check_leaks(set(training_keys), test, f"{path}, split test,")
        # A manifest has a split train too where another one was trained on.
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
    """At most `limit` random ones of `rows`, rising, of each data set and manipulation; 0 means all."""
    if not limit:
        return rows
    shuffled = generator(seed, _LIMIT).permutation(rows)
    turn = table.iloc[shuffled].groupby([*SET, "method"]).cumcount().to_numpy()
    return np.sort(shuffled[turn < limit])
