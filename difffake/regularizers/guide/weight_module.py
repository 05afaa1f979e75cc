"""Weight modules: they predict how much of the source, or of the target, is in an image."""

from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

Similarity = Literal["cosine", "shifted_cosine"]


class LinearWeight(nn.Module):
    """Maps features (B, C, h', w') to one weight per image (B,) in (0, 1): pooling, five linear layers, sigmoid.

    The paper gives the number of layers, not their widths; here each halves the channels, down to 64.
    Source: DiffusionFake (arXiv 2410.04372), section 3.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        widths = [channels, *(max(64, channels >> shift) for shift in range(1, 5)), 1]
        layers: list[nn.Module] = []
        for here, there in pairwise(widths):
            layers += [nn.Linear(here, there), nn.ReLU()]
        self.layers = nn.Sequential(*layers[:-1])

    def forward(self, features: Tensor) -> Tensor:
        """Weights (B,) of features (B, C, h', w')."""
        return self.layers(features.mean((2, 3))).squeeze(1).sigmoid()


class ConvolutionalWeight(nn.Module):
    """The published code's variant: three convolutions, pooling, two linear layers, sigmoid."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        widths = (channels, 1024, 512, 256)
        self.maps = nn.Sequential(*(nn.Conv2d(here, there, 3, padding=1) for here, there in pairwise(widths)))
        self.layers = nn.Sequential(nn.Linear(256, 128), nn.Linear(128, 1))

    def forward(self, features: Tensor) -> Tensor:
        """Weights (B,) of features (B, C, h', w')."""
        return self.layers(self.maps(features).mean((2, 3))).squeeze(1).sigmoid()


class ConstantWeight(nn.Module):
    """The ablation without weights: 1 for every image. `channels` is not used."""

    def __init__(self, channels: int) -> None:
        super().__init__()

    def forward(self, features: Tensor) -> Tensor:
        """Ones (B,)."""
        return torch.ones(len(features), device=features.device)


def similarity(latents: Tensor, others: Tensor, kind: Similarity = "cosine") -> Tensor:
    """Similarity (B,) of latents (B, 4, h, w), each flattened to a vector.

    `cosine`, the paper's, is in [-1, 1]; `shifted_cosine`, the published code's, is (cosine + 1) / 2.
    """
    cosine = functional.cosine_similarity(latents.flatten(1), others.flatten(1), dim=1)
    return (cosine + 1) / 2 if kind == "shifted_cosine" else cosine
