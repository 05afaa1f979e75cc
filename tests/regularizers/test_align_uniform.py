"""Alignment and uniformity against plain NumPy, and what descent does to embeddings."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from difffake.errors import UserError
from difffake.models.detector import DetectorOutput
from difffake.regularizers.align_uniform import AlignUniform, alignment_loss, uniformity_loss
from difffake.regularizers.base import TaughtBatch


def by_hand(embedding: np.ndarray, label: np.ndarray) -> tuple[float, float]:
    """Both losses, pair by pair."""
    z = embedding / np.linalg.norm(embedding, axis=1, keepdims=True)
    pairs = [(i, j) for i in range(len(z)) for j in range(i + 1, len(z))]
    same = [np.sum((z[i] - z[j]) ** 2) for i, j in pairs if label[i] == label[j]]
    spread = [np.exp(-2 * np.sum((z[i] - z[j]) ** 2)) for i, j in pairs]
    return float(np.mean(same)), float(np.log(np.mean(spread)))


def output_of(embedding: torch.Tensor) -> DetectorOutput:
    return DetectorOutput(torch.zeros(len(embedding)), embedding, torch.zeros(len(embedding), 1, 1, 1))


def test_losses_are_those_of_numpy() -> None:
    embedding = torch.randn(9, 16, generator=torch.Generator().manual_seed(0)) * 3 + 1
    label = torch.tensor([0, 1, 0, 0, 1, 1, 0, 1, 0]).float()
    part = AlignUniform(None, None)  # type: ignore[arg-type]  # it looks at neither
    batch = TaughtBatch(torch.empty(0), label, None, {}, {})
    found = part(output_of(embedding), batch, None)  # type: ignore[arg-type]
    alignment, uniformity = by_hand(embedding.double().numpy(), label.numpy())
    assert found["alignment"].value.item() == pytest.approx(alignment, rel=1e-4)
    assert found["uniformity"].value.item() == pytest.approx(uniformity, rel=1e-4)
    assert (found["alignment"].weight, found["uniformity"].weight) == (0.1, 0.5)


def test_two_opposite_points_and_a_class_of_one() -> None:
    z = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
    assert alignment_loss(z, torch.tensor([0.0, 0.0])).item() == pytest.approx(4)
    assert alignment_loss(z, torch.tensor([0.0, 1.0])).item() == 0
    assert uniformity_loss(z).item() == pytest.approx(-8)
    assert uniformity_loss(z[[0, 0]]).item() == pytest.approx(0)


def test_gradients_are_finite_where_embeddings_are_equal() -> None:
    embedding = torch.ones(4, 8, requires_grad=True)
    z = functional.normalize(embedding, dim=1)
    (alignment_loss(z, torch.tensor([0.0, 1.0, 0.0, 1.0])) + uniformity_loss(z)).backward()
    assert embedding.grad is not None
    assert embedding.grad.isfinite().all()


def test_descent_brings_classes_together_and_spreads_all() -> None:
    start = torch.randn(12, 8, generator=torch.Generator().manual_seed(1)) + 2
    label = torch.tensor([0.0, 1.0]).repeat(6)
    for loss, better in ((lambda z: alignment_loss(z, label), 0), (uniformity_loss, 1)):
        embedding = start.clone().requires_grad_(True)
        loss(functional.normalize(embedding, dim=1)).backward()
        assert embedding.grad is not None
        moved = (embedding - 0.5 * embedding.grad).detach()
        before, after = (by_hand(part.numpy(), label.numpy())[better] for part in (start, moved))
        assert after < before


@pytest.mark.parametrize("weights", [{"alignment": -1}, {"alignment": 0, "uniformity": 0}])
def test_weights_that_make_no_sense_are_refused(weights: dict[str, float]) -> None:
    with pytest.raises(UserError, match="at least 0"):
        AlignUniform(None, None, **weights)  # type: ignore[arg-type]
