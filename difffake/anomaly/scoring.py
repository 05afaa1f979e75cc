"""The anomaly score: rows and embeddings to pairs and their features, features to scores.

Fitting and evaluating both call it, so that a pair is scored as it was fitted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from difffake.anomaly.combine import COMBINATIONS, combine
from difffake.anomaly.density import Density
from difffake.anomaly.pairs import reference_pairs, sample_pairs
from difffake.anomaly.storage import load_anomaly
from difffake.data.keys import frame_order, original_image, pair_group, subject
from difffake.errors import UserError
from difffake.files import sha256

PairMode = Literal["suspect", "reference"]


@dataclass(frozen=True)
class Pairing:
    """How rows are paired and what is made of a pair."""

    combination: str = "square"
    """Of a pair's two embeddings, see `difffake.anomaly.combine`; `single` takes every row by itself."""
    pool_size: int = 8
    """Rows of a group that the others are compared with."""
    max_frames: int = 40
    """Rows of a group that are used at most, evenly spaced."""
    seed: int = 0
    """Of the random choice of references."""

    def __post_init__(self) -> None:
        if self.combination not in COMBINATIONS:
            raise UserError(f"combination {self.combination!r} is unknown: choose from {', '.join(COMBINATIONS)}")


class PairFeatures(NamedTuple):
    """The pairs of some rows, P of them."""

    probes: np.ndarray
    """(P,) which of the rows are judged."""
    features: Tensor
    """(P, D') combined embeddings, of length 1, or all zeros where both images are equal."""


def pair_features(
    table: pd.DataFrame, embeddings: np.ndarray, pairing: Pairing, mode: PairMode = "suspect"
) -> PairFeatures:
    """Pair the rows of `table`, which `embeddings` (N, D) belong to, and combine their embeddings.

    `mode` suspect compares two frames of a video, or two stills of a person and manipulation; reference compares every
    row with a real image of its person. Of a table with a column `role`, the rows called reference are those real
    images, and all others are compared with them.
    """
    rows = torch.from_numpy(embeddings)
    if pairing.combination == "single":
        return PairFeatures(np.arange(len(rows)), combine(rows, rows, "single"))
    sizes = {"seed": pairing.seed, "max_frames": pairing.max_frames, "pool_size": pairing.pool_size}
    if mode == "suspect":
        pairs = sample_pairs(pair_group(table), frame_order(table), **sizes)
    else:
        trusted, suspect = table["label"] == 0, None
        if "role" in table and (table["role"] != "").any():
            trusted, suspect = table["role"] == "reference", table["role"] != "reference"
        image = original_image(table)
        pairs = reference_pairs(subject(table), frame_order(table), trusted, image, suspect=suspect, **sizes)
    return PairFeatures(pairs.probe, combine(rows[pairs.reference], rows[pairs.probe], pairing.combination))


def score_features(density: Density, features: Tensor, device: torch.device) -> np.ndarray:
    """Anomaly scores (P,) of features (P, D), computed on the device that the density is on; higher = more fake."""
    return density.score(features.to(device)).cpu().numpy() if len(features) else np.empty(0)


def equal_pairs(features: Tensor, combination: str) -> int:
    """How many pairs are of two equal images, which says nothing: a frozen video has no others."""
    return 0 if combination in ("concat", "single") else int((features == 0).all(dim=1).sum())


@dataclass(frozen=True)
class Anomaly:
    """A fitted anomaly model with what `fit-anomaly` stored beside it."""

    density: Density
    pairing: Pairing
    threshold: float | None
    """Score from which on a pair is called fake, from validation data."""
    training_keys: frozenset[str]
    """What it was fitted on, see `difffake.data.keys`."""
    device: torch.device = torch.device("cpu")  # a constant
    """Where the density is, and scores are computed."""

    def scores(
        self, table: pd.DataFrame, embeddings: np.ndarray, mode: PairMode = "suspect"
    ) -> tuple[PairFeatures, np.ndarray]:
        """The pairs of a table's rows, whose embeddings are (N, D), and their scores (P,)."""
        pairs = pair_features(table, embeddings, self.pairing, mode)
        return pairs, score_features(self.density, pairs.features, self.device)


def read_anomaly(path: Path, ckpt: Path, device: torch.device | str = "cpu", imports: Sequence[str] = ()) -> Anomaly:
    """The anomaly model that was fitted on the embeddings of a checkpoint, on `device`.

    `imports` are the packages outside difffake whose code may run, for a model of your own. Raises `UserError` if it
    was fitted on another checkpoint's embeddings, or as `load_anomaly`.
    """
    density, stored = load_anomaly(path, imports)
    try:
        if stored["checkpoint"] != sha256(ckpt):
            raise UserError(f"{path} was fitted on embeddings of another checkpoint than {ckpt}: run fit-anomaly again")
        pairing = Pairing(stored["combination"], stored["pool_size"], stored["max_frames"], stored["seed"])
        keys = frozenset(stored["training_keys"])
        return Anomaly(density.to(device), pairing, stored["threshold"], keys, torch.device(device))
    except KeyError as error:
        raise UserError(f"{path} is not from `difffake fit-anomaly`: it does not say its {error}") from error
