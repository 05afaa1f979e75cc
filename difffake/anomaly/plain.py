"""Scores of a fitted Gaussian mixture with NumPy alone, for `predict` where a detector needs no torch.

The same numbers as `difffake.anomaly.scoring.Anomaly`, up to rounding.
"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from difffake.anomaly.file import BROKEN, broken, check_checkpoint, read_file
from difffake.anomaly.pairs import NOISE, sample_pairs
from difffake.errors import UserError

Floats = NDArray[np.floating[Any]]
_POWERS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "abs": np.abs,
    "sub": lambda values: values,
    "square": np.square,
    "cube": lambda values: values**3,
}
"""Combinations of the difference of two embeddings, see `difffake.anomaly.combine`."""


class NeedsTorch(UserError):
    """An anomaly model whose scores need torch."""


class PlainAnomaly:
    """An anomaly model, read without torch.

    Args:
        path: file of `difffake fit-anomaly`.
        ckpt: file that was made of the checkpoint whose embeddings it must have been fitted to, for messages.
        checkpoint: SHA-256 of that checkpoint.

    Raises `UserError` if the file is missing or broken, or of another checkpoint, and `NeedsTorch`, which is
    one too, if it is a model that needs torch.
    """

    def __init__(self, path: Path, ckpt: Path, checkpoint: str) -> None:
        arrays, header = read_file(path, "np")
        metadata = header["metadata"]
        combination = metadata.get("combination")
        if header["kind"] != "gaussian_mixture" or combination not in (*_POWERS, "concat", "single"):
            what = header["kind"] if header["kind"] != "gaussian_mixture" else f"the combination {combination}"
            raise NeedsTorch(
                f"{path} has {what}, which needs torch: give --ckpt instead of --onnx, or use --anomaly none"
            )
        try:
            check_checkpoint(path, metadata, ckpt, checkpoint)
            self.threshold: float | None = metadata["threshold"]
            self.combination: str = combination
            self._sizes = {name: metadata[name] for name in ("seed", "max_frames", "pool_size")}
            self._mixture = Mixture(header["settings"]["covariance_type"], **arrays)
        except (*BROKEN, np.linalg.LinAlgError) as error:
            raise broken(path, error) from None

    def frame_scores(self, embeddings: np.ndarray, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Scores of pairs of frames, see `difffake.anomaly.scoring.Anomaly.frame_scores`."""
        if self.combination == "single":
            return np.arange(len(embeddings)), self._mixture.score(combine(embeddings, embeddings, "single"))
        pairs = sample_pairs([name] * len(embeddings), np.arange(len(embeddings)), **self._sizes)
        features = combine(embeddings[pairs.reference], embeddings[pairs.probe], self.combination)
        return pairs.probe, self._mixture.score(features)

    def reference_scores(self, embeddings: np.ndarray, references: np.ndarray) -> np.ndarray:
        """Scores against real images, see `difffake.anomaly.scoring.Anomaly.reference_scores`."""
        if self.combination == "single":
            raise UserError("the anomaly model scores single images (--combination single): it takes no references")
        count = len(references)
        sides = np.tile(references, (len(embeddings), 1)), np.repeat(embeddings, count, axis=0)
        return self._mixture.score(combine(*sides, self.combination)).reshape(-1, count).mean(axis=1)


class Mixture:
    """Log-density of a Gaussian mixture in float64; for the shapes see `difffake.anomaly.moments.Parameters`.

    Raises `numpy.linalg.LinAlgError` if a covariance is not positive definite, `ValueError` if shapes do not fit.
    """

    def __init__(self, covariance_type: str, weights: Floats, means: Floats, covariances: Floats) -> None:
        (count, size), self._means = means.shape, means
        shapes = {"full": (count, size, size), "tied": (size, size), "diag": (count, size), "spherical": (count,)}
        if covariances.shape != shapes[covariance_type] or weights.shape != (count,):
            raise ValueError("weights, means and covariances do not fit each other")
        if covariance_type in ("full", "tied"):
            lower = np.linalg.cholesky(np.broadcast_to(covariances, shapes["full"]))
            # (L L^T)^-1 = U U^T with U = L^-T.
            self._factors = np.linalg.inv(lower).swapaxes(1, 2)
            logs = np.log(np.diagonal(self._factors, axis1=1, axis2=2))
        elif (covariances > 0).all():
            variances = covariances if covariance_type == "diag" else covariances[:, None]
            self._factors = np.broadcast_to(1 / np.sqrt(variances), (count, size))
            logs = np.log(self._factors)
        else:
            raise ValueError("a variance is not above 0")
        with np.errstate(divide="ignore"):  # a component may have the weight 0
            self._offsets = np.log(weights) + logs.sum(axis=1) - 0.5 * size * math.log(2 * math.pi)

    def score(self, rows: Floats) -> NDArray[np.float64]:
        """Anomaly scores (N,), negative log-likelihoods of rows (N, D). Raises `UserError` if they do not fit."""
        if rows.shape[1] != self._means.shape[1]:
            raise UserError(
                f"the mixture was fitted to rows of {self._means.shape[1]} dimensions, but these rows have "
                f"{rows.shape[1]}"
            )
        logs = np.empty((len(rows), len(self._means)))
        for place, (mean, factors) in enumerate(zip(self._means, self._factors, strict=True)):
            difference = rows.astype(np.float64) - mean
            whitened = difference @ factors if factors.ndim == 2 else difference * factors
            logs[:, place] = self._offsets[place] - 0.5 * np.square(whitened).sum(axis=1)
        scores: NDArray[np.float64] = -np.logaddexp.reduce(logs, axis=1)
        return scores


def combine(a: np.ndarray, b: np.ndarray, combination: str) -> np.ndarray:
    """Features (N, D') of reference embeddings `a` and probe embeddings `b` (N, D), see `difffake.anomaly.combine`."""
    if combination == "concat":
        features = np.concatenate([a, b], axis=1)
    elif combination == "single":
        features = b
    else:
        difference = a - b
        largest = np.abs(difference).max(axis=1, keepdims=True)
        rounding = NOISE * np.maximum(np.abs(a), np.abs(b)).max(axis=1, keepdims=True)
        scaled = np.where(largest <= rounding, 0, difference / np.where(largest > 0, largest, 1))
        features = _POWERS[combination](scaled)
    norm = np.linalg.norm(features, axis=1, keepdims=True)
    found: np.ndarray = features / np.where(norm > 0, norm, 1)
    return found
