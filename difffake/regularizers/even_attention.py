"""A control for noise learning: makes the detector's saliency more even, without a frozen model."""

from torch import Tensor

from difffake.diffusion.teacher import Teacher
from difffake.errors import UsageError
from difffake.models.detector import DetectorOutput
from difffake.models.encoder import Encoder
from difffake.models.saliency import log_saliency
from difffake.regularizers.base import Loss, Regularizer, TaughtBatch


class EvenAttention(Regularizer):
    """Kullback-Leibler divergence from the detector's saliency to an even map.

    ANL's attention loss pulls the saliency towards a map from a frozen diffusion model, and so spreads it over the
    face. This loss spreads it too, but without information about the image. So an effect that both losses have does
    not come from the content of the map. The divergence has the same direction as ANL's: places with low saliency cost
    most.

    Args:
        encoder: the detector's encoder, whose features give the saliency.
        teacher: not used.
        weight: weight of the loss in the sum; above 0.

    Raises `UserError` if `weight` is not above 0.
    """

    def __init__(self, encoder: Encoder, teacher: Teacher, weight: float = 1.0) -> None:
        super().__init__(encoder, teacher)
        if weight <= 0:
            raise UsageError(f"even_attention: weight {weight} must be above 0; null removes the regularizer")
        self.weight = weight

    def forward(self, output: DetectorOutput, batch: TaughtBatch, teacher: Teacher) -> dict[str, Loss]:
        """The loss `even`: 0 if the saliency is even; it grows with the number of places of low saliency."""
        return {"even": Loss(divergence_from_even(output.features), self.weight)}


def divergence_from_even(features: Tensor) -> Tensor:
    """Mean over images of KL(even || saliency), a scalar, from features (B, C, h', w').

    For a saliency s over n places, the divergence is -log n - mean of log s.
    """
    found = log_saliency(features).flatten(1)
    return -(found.mean(dim=1) + found.new_tensor(found.shape[1]).log()).mean()
