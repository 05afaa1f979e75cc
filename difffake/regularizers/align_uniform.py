"""Alignment and uniformity of embeddings on the unit sphere, GenD's regularizers."""

import torch
from torch import Tensor
from torch.nn import functional

from difffake.diffusion.teacher import Teacher
from difffake.errors import UsageError
from difffake.models.detector import DetectorOutput
from difffake.models.encoder import Encoder
from difffake.regularizers.base import Loss, Regularizer, TaughtBatch


class AlignUniform(Regularizer):
    """Pulls embeddings of one class together and spreads all embeddings of a batch over the unit sphere.

    Sources: Wang and Isola, ICML 2020; with labels as in GenD (arXiv 2508.06248). The default weights are those of
    GenD's study; GenD's own training configuration has both losses off by default.

    Args:
        encoder: the detector's encoder, whose embeddings (B, D) are scaled to length 1.
        teacher: not used.
        alignment: weight of the alignment loss; 0 removes the loss.
        uniformity: weight of the uniformity loss; 0 removes the loss.

    Raises `UserError` if a weight is negative or both are 0.
    """

    def __init__(self, encoder: Encoder, teacher: Teacher, alignment: float = 0.1, uniformity: float = 0.5) -> None:
        super().__init__(encoder, teacher)
        if min(alignment, uniformity) < 0 or not alignment + uniformity:
            raise UsageError("align_uniform: alignment and uniformity must be at least 0, and one above 0")
        self.alignment = alignment
        self.uniformity = uniformity

    def forward(self, output: DetectorOutput, batch: TaughtBatch, teacher: Teacher) -> dict[str, Loss]:
        """The losses `alignment` and `uniformity` of this rank's batch, computed as in GenD's code."""
        z = functional.normalize(output.embedding.float(), dim=1)
        losses = {
            "alignment": Loss(alignment_loss(z, batch.label), self.alignment),
            "uniformity": Loss(uniformity_loss(z), self.uniformity),
        }
        return {name: loss for name, loss in losses.items() if loss.weight}


def alignment_loss(z: Tensor, label: Tensor) -> Tensor:
    """Mean of |z_i - z_j|^2, a scalar, over pairs i < j with the same label; z is (B, D) of length 1. 0 if no pair."""
    same = (label[:, None] == label[None]).triu(1)
    return (squared_distances(z) * same).sum() / same.sum().clamp(min=1)


def uniformity_loss(z: Tensor) -> Tensor:
    """Logarithm of the mean of exp(-2 |z_i - z_j|^2), a scalar, over all pairs i < j; z is (B, D) of length 1."""
    pairs = torch.ones(len(z), len(z), dtype=torch.bool, device=z.device).triu(1)
    return (-2 * squared_distances(z)[pairs]).exp().mean().log()


def squared_distances(z: Tensor) -> Tensor:
    """|z_i - z_j|^2 (B, B); z is (B, D) of length 1. Unlike the distance, it has a gradient where z_i equals z_j."""
    return (2 - 2 * z @ z.T).clamp(min=0)
