"""Whether another program than torch gives a detector's scores."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from difffake.predict.scorer import Scores

TOLERANCE = 1e-4
"""Largest difference of a logit, and of an embedding, relative to their largest numbers (at least 1)."""
BATCHES = (1, 2, 5, 33)
"""Batch sizes that are compared; the last is more than the scorer's own batch."""
Run = Callable[[np.ndarray], Scores]
"""From images (B, 3, S, S) uint8 to their scores."""


class Difference(NamedTuple):
    """How far another program is from the detector."""

    logit: float
    """Largest difference of a logit, relative to the largest logit of all (at least 1)."""
    embedding: float
    """Largest difference of an embedding's number, relative to the largest number of all (at least 1)."""

    @property
    def small(self) -> bool:
        """Whether both are at most `TOLERANCE`; false for NaN."""
        return self.logit <= TOLERANCE and self.embedding <= TOLERANCE


def largest_difference(
    reference: Run, other: Run, side: int, batches: Sequence[int] = BATCHES, seed: int = 0
) -> Difference:
    """Compare two runners on random images of low and high contrast.

    Args:
        reference: runner of the detector.
        other: runner of the other program.
        side: side of the images in pixels.
        batches: numbers of images that are given at once, one after the other.
        seed: random seed of the images.
    """
    found = []
    rng = np.random.default_rng(seed)
    for count in batches:
        contrast = rng.uniform(0.05, 1, size=(count, 1, 1, 1))
        coarse = rng.uniform(0, 255, size=(count, 3, -(-side // 8), -(-side // 8)))
        smooth = coarse.repeat(8, axis=2).repeat(8, axis=3)[..., :side, :side]
        noise = rng.uniform(0, 255, size=(count, 3, side, side))
        images = (smooth * (1 - contrast) + noise * contrast).astype(np.uint8)
        one, two = reference(images), other(images)
        found.append([
            float(np.abs(first - second).max()) / max(1.0, float(np.abs(first).max()))
            for first, second in zip(one, two, strict=True)
        ])  # fmt: skip
    return Difference(*np.max(found, axis=0).tolist())
