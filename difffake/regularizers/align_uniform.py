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
    """Embeddings of one class come together, and all embeddings of a batch spread over the unit sphere.

    Sources: Wang and Isola, ICML 2020; with labels as in GenD (arXiv 2508.06248), which names both losses and whose
    study uses the weights that are the defaults here. The defaults of its training configuration leave both out.

    Args:
        encoder: the detector's encoder, whose embeddings (B, D) are scaled to length 1.
        teacher: not used.
        alignment: weight of the alignment loss; with 0 it is left out.
        uniformity: weight of the uniformity loss; with 0 it is left out.

    Raises `UserError` for a negative weight, or two weights of 0.
    """

    def __init__(self, encoder: Encoder, teacher: Teacher, alignment: float = 0.1, uniformity: float = 0.5) -> None:
        super().__init__(encoder, teacher)
        if min(alignment, uniformity) < 0 or not alignment + uniformity:
            raise UsageError("align_uniform: alignment and uniformity must be at least 0, and one above 0")
        self.alignment = alignment
        self.uniformity = uniformity

    def forward(self, output: DetectorOutput, batch: TaughtBatch, teacher: Teacher) -> dict[str, Loss]:
        """`alignment` and `uniformity` of the batch on this rank, as GenD's code computes them."""
        z = functional.normalize(output.embedding.float(), dim=1)
        losses = {
            "alignment": Loss(alignment_loss(z, batch.label), self.alignment),
            "uniformity": Loss(uniformity_loss(z), self.uniformity),
        }
        return {name: loss for name, loss in losses.items() if loss.weight}


def alignment_loss(z: Tensor, label: Tensor) -> Tensor:
    """Mean of |z_i - z_j|^2 (), over the pairs i < j of one label, from z (B, D) of length 1; 0 without such a pair."""
    same = (label[:, None] == label[None]).triu(1)
    return (squared_distances(z) * same).sum() / same.sum().clamp(min=1)


def uniformity_loss(z: Tensor) -> Tensor:
    """Logarithm of the mean of exp(-2 |z_i - z_j|^2) (), over all pairs i < j, from z (B, D) of length 1."""
    pairs = torch.ones(len(z), len(z), dtype=torch.bool, device=z.device).triu(1)
    return (-2 * squared_distances(z)[pairs]).exp().mean().log()


def squared_distances(z: Tensor) -> Tensor:
    """|z_i - z_j|^2 (B, B), from z (B, D) of length 1. Unlike a distance, it has a gradient where two are equal."""
    return (2 - 2 * z @ z.T).clamp(min=0)
