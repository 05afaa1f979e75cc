"""A control for noise learning: push where a detector looks towards an even map, with no frozen model behind it."""

from torch import Tensor

from difffake.diffusion.teacher import Teacher
from difffake.errors import UsageError
from difffake.models.detector import DetectorOutput
from difffake.models.encoder import Encoder
from difffake.models.saliency import log_saliency
from difffake.regularizers.base import Loss, Regularizer, TaughtBatch


class EvenAttention(Regularizer):
    """Kullback-Leibler divergence from the detector's saliency to an even map.

    ANL's attention loss pulls the saliency towards a map that a frozen diffusion model gives, and so spreads it over
    the face. This loss spreads it too, but knows nothing of the image. Whatever it brings as well does not come from
    the content of the map. The divergence has the same direction as ANL's: a place that is not looked at costs most.

    Args:
        encoder: the detector's encoder, whose features tell where it looks.
        teacher: not used.
        weight: weight of the loss in the sum.

    Raises `UserError` if `weight` is not above 0.
    """

    def __init__(self, encoder: Encoder, teacher: Teacher, weight: float = 1.0) -> None:
        super().__init__(encoder, teacher)
        if weight <= 0:
            raise UsageError(f"even_attention: weight {weight} must be above 0; null leaves the regularizer out")
        self.weight = weight

    def forward(self, output: DetectorOutput, batch: TaughtBatch, teacher: Teacher) -> dict[str, Loss]:
        """`even`: 0 where the saliency is even, and the larger the more places are left out."""
        return {"even": Loss(divergence_from_even(output.features), self.weight)}


def divergence_from_even(features: Tensor) -> Tensor:
    """Mean over images of KL(even || saliency) (), from features (B, C, h', w').

    For a saliency s over n places it is -log n - mean of log s.
    """
    found = log_saliency(features).flatten(1)
    return -(found.mean(dim=1) + found.new_tensor(found.shape[1]).log()).mean()
