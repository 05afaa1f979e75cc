"""Heads: from an embedding to one logit."""

from math import sqrt
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

HeadName = Literal["linear", "cosine"]


class CosineHead(nn.Module):
    """Logit = s <z / |z|, w / |w|> + b: the angle between an embedding z (B, D) and w decides, not the length of z.

    This is the head that GenD (arXiv 2508.06248) calls L2-normalized. GenD's code has a linear layer on z / |z|, in
    which |w| plays the part of the scale s. Here w has length 1 and s is a parameter of its own, so that s can start
    where the sigmoid of the logit reaches from nearly 0 to nearly 1; |w| of a new linear layer is about 0.6.

    Args:
        dimension: D, length of the embedding.
        scale: s at the start.
    """

    def __init__(self, dimension: int, scale: float = 10.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(1, dimension).uniform_(-1, 1) / sqrt(dimension))  # as nn.Linear has it
        self.bias = nn.Parameter(torch.zeros(1))
        self.scale = nn.Parameter(torch.tensor(scale))

    def forward(self, embedding: Tensor) -> Tensor:
        """Logits (B, 1) of embeddings (B, D)."""
        cosine = functional.linear(functional.normalize(embedding), functional.normalize(self.weight))
        return self.scale * cosine + self.bias


def build_head(name: HeadName, dimension: int, dropout: float) -> nn.Sequential:
    """Dropout on the embedding, then a linear layer or a `CosineHead`: (B, `dimension`) to (B, 1).

    One logit with binary cross-entropy is the two-class softmax of the papers with half the parameters.
    """
    last: nn.Module = nn.Linear(dimension, 1) if name == "linear" else CosineHead(dimension)
    return nn.Sequential(nn.Dropout(dropout), last)
