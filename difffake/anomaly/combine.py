"""Differential features: the difference of two embeddings of one person."""

import torch
from torch import Tensor

from difffake.anomaly.pairs import NOISE
from difffake.errors import UserError

COMBINATIONS = ("abs", "sub", "square", "cube", "concat", "single")


def combine(a: Tensor, b: Tensor, combination: str = "square") -> Tensor:
    """Combine the rows of reference embeddings `a` and probe embeddings `b`, and scale them to length 1.

    Args:
        a: reference embeddings (N, D).
        b: probe embeddings (N, D).
        combination: `abs` |a-b|, `sub` a-b, `square` (a-b)^2, `cube` (a-b)^3 (DiffFake, WACVW 2025), `concat` [a, b],
            or `single`, the probe `b` alone (ablation without pairs).

    Returns:
        Feature vectors (N, D); (N, 2D) for `concat`. A row of two embeddings that are equal up to rounding (`NOISE`)
        is all zeros.

    Raises:
        UserError: the combination is unknown or the shapes differ.

    >>> combine(torch.tensor([[1.0, 2.0]]), torch.tensor([[1.0, 5.0]]), "sub")
    tensor([[ 0., -1.]])
    """
    if combination not in COMBINATIONS:
        raise UserError(f"combination {combination!r} is unknown: choose from {', '.join(COMBINATIONS)}")
    if a.shape != b.shape or a.ndim != 2:
        raise UserError(f"pairs need two (N, D) embeddings of one shape, not {tuple(a.shape)} and {tuple(b.shape)}")
    if combination == "concat":
        features = torch.cat([a, b], dim=1)
    elif combination == "single":
        features = b
    else:
        difference = a - b
        # Powers of small differences and their squares in the norm would underflow. The scale of a row does not
        # matter, so divide by its largest entry first.
        largest = difference.abs().amax(dim=1, keepdim=True)
        # Embeddings of equal images in different batches differ by rounding; scaling would enlarge this to length 1.
        difference = torch.where(equal_rows(a, b), 0, difference / torch.where(largest > 0, largest, 1))
        features = {
            "abs": difference.abs,
            "sub": lambda: difference,
            "square": difference.square,
            "cube": lambda: difference**3,
        }[combination]()
    norm = torch.linalg.vector_norm(features, dim=1, keepdim=True)
    return features / torch.where(norm > 0, norm, 1)


def equal_rows(a: Tensor, b: Tensor) -> Tensor:
    """Whether each row (N, 1) of two embeddings (N, D) is equal up to rounding (`NOISE`)."""
    rounding = NOISE * torch.maximum(a.abs(), b.abs()).amax(dim=1, keepdim=True)
    return (a - b).abs().amax(dim=1, keepdim=True) <= rounding
