"""The anomaly score: from rows and embeddings to pairs and their features, and from features to scores.

Fitting and evaluation both use it, so pairs are made in the same way in both.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from difffake.anomaly.blocks import in_blocks
from difffake.anomaly.combine import COMBINATIONS, combine
from difffake.anomaly.density import Density
from difffake.anomaly.file import check_checkpoint
from difffake.anomaly.learned import LEARNED, LearnedCombination
from difffake.anomaly.pairs import Pairs, reference_pairs, sample_pairs
from difffake.anomaly.storage import load_anomaly, load_combination
from difffake.errors import UserError

if TYPE_CHECKING:  # pandas takes half a second to import, and `predict` has no table
    import pandas as pd

PairMode = Literal["suspect", "reference"]


@dataclass(frozen=True)
class Pairing:
    """Settings of pairs and of their features."""

    combination: str = "square"
    """How two embeddings are combined, see `difffake.anomaly.combine`; `single` uses every row alone, without pairs;
    `learned` uses `network`."""
    pool_size: int = 8
    """Number of rows per group that the other rows are compared with."""
    max_frames: int = 40
    """Largest number of rows per group, evenly spaced."""
    seed: int = 0
    """Random seed of the choice of references."""
    network: LearnedCombination | None = None
    """The network of the combination `learned`."""

    def __post_init__(self) -> None:
        if self.combination not in (known := (*COMBINATIONS, LEARNED)):
            raise UserError(f"combination {self.combination!r} is unknown: choose from {', '.join(known)}")

    def suspect_pairs(self, table: "pd.DataFrame") -> Pairs:
        """Pairs of the rows of a table: two frames of a video, or two stills of a person."""
        from difffake.data.keys import frame_order, pair_group

        return sample_pairs(pair_group(table), frame_order(table), **self._sizes)

    def in_order(self, count: int, name: str) -> Pairs:
        """Pairs of the frames 0 to `count` - 1 of one person; their choice depends on the name."""
        return sample_pairs([name] * count, np.arange(count), **self._sizes)

    def reference_pairs(self, table: "pd.DataFrame") -> Pairs:
        """Pairs of the rows of a table with a real image of the same person."""
        from difffake.data.keys import frame_order, original_image, subject

        trusted, suspect = table["label"] == 0, None
        if "role" in table and (table["role"] != "").any():
            trusted, suspect = table["role"] == "reference", table["role"] != "reference"
        image = original_image(table)
        return reference_pairs(subject(table), frame_order(table), trusted, image, suspect=suspect, **self._sizes)

    def combined(self, a: Tensor, b: Tensor) -> Tensor:
        """Features (P, D') of reference and probe embeddings (P, D)."""
        return self.network.combine(a, b) if self.network else combine(a, b, self.combination)

    @property
    def _sizes(self) -> dict[str, int]:
        return {"seed": self.seed, "max_frames": self.max_frames, "pool_size": self.pool_size}


class PairFeatures(NamedTuple):
    """P pairs of rows and their features."""

    probes: np.ndarray
    """(P,) number of the row that is scored by each pair."""
    features: Tensor
    """(P, D') combined embeddings, of length 1; all zeros if both images are equal."""


def pair_features(
    table: "pd.DataFrame", embeddings: np.ndarray, pairing: Pairing, mode: PairMode = "suspect"
) -> PairFeatures:
    """Pair rows and combine their embeddings.

    Args:
        table: N rows of a manifest.
        embeddings: their embeddings (N, D).
        pairing: settings of the pairs.
        mode: suspect compares two frames of a video, or two stills of a person with the same manipulation. reference
            compares every row with a real image of its person. If the table has a column `role`, only rows whose role
            is reference are such real images, and all other rows are compared with them.
    """
    rows = torch.from_numpy(embeddings)
    if pairing.combination == "single":
        return PairFeatures(np.arange(len(rows)), combine(rows, rows, "single"))
    pairs = pairing.suspect_pairs(table) if mode == "suspect" else pairing.reference_pairs(table)
    return PairFeatures(pairs.probe, pairing.combined(rows[pairs.reference], rows[pairs.probe]))


def score_features(density: Density, features: Tensor, device: torch.device) -> np.ndarray:
    """Anomaly scores (P,) of features (P, D), computed on `device`, where the density is; higher = more fake.

    A score does not depend on how many others there are.
    """
    found = in_blocks(lambda part: density.score(part.to(device)), features)
    return np.concatenate([np.empty(0), *(part.numpy() for part in found)])


def equal_pairs(features: Tensor, combination: str) -> int:
    """Number of pairs of two equal images, whose scores have no meaning; in a frozen video, all pairs are such."""
    return 0 if combination in ("concat", "single") else int((features == 0).all(dim=1).sum())


@dataclass(frozen=True)
class Anomaly:
    """A fitted anomaly model with the other content of its file."""

    density: Density
    pairing: Pairing
    threshold: float | None
    """Smallest score at which a pair is called fake, from validation data; None if there is none."""
    training_keys: frozenset[str]
    """People, videos and crops that it was fitted to, see `difffake.data.keys`."""
    validation_keys: frozenset[str] = frozenset()
    """Those of them that only the faces of the threshold have."""
    device: torch.device = torch.device("cpu")  # a constant
    """Device of the density, on which scores are computed."""

    def scores(
        self, table: "pd.DataFrame", embeddings: np.ndarray, mode: PairMode = "suspect"
    ) -> tuple[PairFeatures, np.ndarray]:
        """Pair the rows of a table with embeddings (N, D); return the pairs and their scores (P,)."""
        pairs = pair_features(table, embeddings, self.pairing, mode)
        return pairs, score_features(self.density, pairs.features, self.device)

    def frame_scores(self, embeddings: np.ndarray, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Pair the frames of one person of a video as `scores` does.

        Args:
            embeddings: (N, D) of the frames, in the order of time.
            name: the key that the random choice of the pairs depends on, beside the seed.

        Returns:
            The frame (P,) that is scored by each pair, and the scores (P,); none for a single frame.
        """
        rows = torch.from_numpy(embeddings)
        if self.pairing.combination == "single":
            probes, features = np.arange(len(rows)), combine(rows, rows, "single")
        else:
            pairs = self.pairing.in_order(len(rows), name)
            probes, features = pairs.probe, self.pairing.combined(rows[pairs.reference], rows[pairs.probe])
        return probes, score_features(self.density, features, self.device)

    def reference_scores(self, embeddings: np.ndarray, references: np.ndarray) -> np.ndarray:
        """Scores (N,) of images, each the mean over its pairs with every real image of the same person.

        Args:
            embeddings: (N, D) of the images.
            references: (R, D) of the real images.

        Raises `UserError` if the model scores single images, which have no reference.
        """
        if self.pairing.combination == "single":
            raise UserError("the anomaly model scores single images (--combination single): it takes no references")
        count = len(references)
        sides = np.tile(references, (len(embeddings), 1)), np.repeat(embeddings, count, axis=0)
        features = self.pairing.combined(*map(torch.from_numpy, sides))
        return score_features(self.density, features, self.device).reshape(-1, count).mean(axis=1)


def read_anomaly(path: Path, ckpt: Path, device: torch.device | str = "cpu", imports: Sequence[str] = ()) -> Anomaly:
    """Read the anomaly model of a checkpoint.

    Args:
        path: file of `difffake fit-anomaly`.
        ckpt: the checkpoint whose embeddings it must have been fitted to.
        device: device to put it on.
        imports: packages outside difffake whose code may run, for a model of your own.

    Raises:
        UserError: it was fitted to embeddings of another checkpoint, or as in `load_anomaly`.
    """
    density, stored = load_anomaly(path, imports)
    try:
        check_checkpoint(path, stored, ckpt)
        settings = stored["combination"], stored["pool_size"], stored["max_frames"], stored["seed"]
        pairing = Pairing(*settings, load_combination(path) if settings[0] == LEARNED else None)
        keys, validation = frozenset(stored["training_keys"]), frozenset(stored["validation_keys"])
        return Anomaly(density.to(device), pairing, stored["threshold"], keys, validation, torch.device(device))
    except KeyError as error:
        raise UserError(f"{path} is not from `difffake fit-anomaly`: it has no entry {error}") from error
