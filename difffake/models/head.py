"""Heads: from an embedding to one logit."""

from math import sqrt
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

HeadName = Literal["linear", "cosine"]


class CosineHead(nn.Module):
    """Logit = s <z / |z|, w / |w|> + b. It depends on the angle between an embedding z (B, D) and w, not on |z|.

    GenD (arXiv 2508.06248) calls this head L2-normalized. GenD's code has a linear layer on z / |z|, where |w| is the
    scale s. Here w has length 1, and s is a separate parameter. So s can start at a value at which the sigmoid of the
    logit ranges from nearly 0 to nearly 1; |w| of a new linear layer is about 0.6.

    Args:
        dimension: length D of the embedding.
        scale: initial value of s.
    """

    def __init__(self, dimension: int, scale: float = 10.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(1, dimension).uniform_(-1, 1) / sqrt(dimension))  # as in nn.Linear
        self.bias = nn.Parameter(torch.zeros(1))
        self.scale = nn.Parameter(torch.tensor(scale))

    def forward(self, embedding: Tensor) -> Tensor:
        """Logits (B, 1) of embeddings (B, D)."""
        cosine = functional.linear(functional.normalize(embedding), functional.normalize(self.weight))
        return self.scale * cosine + self.bias


def build_head(name: HeadName, dimension: int, dropout: float) -> nn.Sequential:
    """Make a head: dropout on the embedding, then a linear layer or a `CosineHead`: (B, `dimension`) to (B, 1).

    One logit with binary cross-entropy is equivalent to the two-class softmax of the papers, with half the parameters.

    Args:
        name: linear or cosine.
        dimension: length of the embedding.
        dropout: probability that a number of the embedding is set to zero.
    """
    last: nn.Module = nn.Linear(dimension, 1) if name == "linear" else CosineHead(dimension)
    return nn.Sequential(nn.Dropout(dropout), last)
