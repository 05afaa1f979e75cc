"""Feature filters: from an encoder's features to what the guide needs of the source, or of the target."""

import torch
from timm.layers import SqueezeExcite
from torch import Tensor, nn
from torch.nn import functional


class FeatureFilter(nn.Module):
    """Features (B, C, h', w') to a condition (B, width, h, w) at the latents' resolution.

    Convolution, channel attention (squeeze-and-excitation) and spatial attention (CBAM), multi-head attention whose
    query is the unfiltered and whose key and value are the filtered features, up-sampling, convolution.

    The width is the U-Net's first one from the first convolution on, where the published code keeps the encoder's
    channels (1792) up to the last: at 49 positions that would cost as much as the encoder itself. Nothing here keeps
    batch statistics (CBAM's published code does), so that ranks and batch sizes change no result.

    Source: DiffusionFake (arXiv 2410.04372), section 3; CBAM, Woo et al., ECCV 2018.
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.narrow = nn.Conv2d(channels, width, 3, padding=1)
        self.channel = SqueezeExcite(width, rd_ratio=1 / 4)
        self.spatial = SpatialAttention()
        self.attention = nn.MultiheadAttention(width, num_heads=4, batch_first=True)
        self.out = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, features: Tensor, size: tuple[int, int]) -> Tensor:
        """Condition (B, width, *size) of features (B, C, h', w')."""
        plain = functional.silu(self.narrow(features))
        filtered = self.spatial(self.channel(plain))
        query, value = (part.flatten(2).transpose(1, 2) for part in (plain, filtered))
        mixed = self.attention(query, value, value, need_weights=False)[0]
        mixed = mixed.transpose(1, 2).unflatten(2, plain.shape[2:])
        return self.out(functional.interpolate(mixed, size=size, mode="bilinear", align_corners=False))


class Projection(nn.Module):
    """The ablation without a filter: up-sampling and a 1x1 convolution."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.out = nn.Conv2d(channels, width, 1)

    def forward(self, features: Tensor, size: tuple[int, int]) -> Tensor:
        """Condition (B, width, *size) of features (B, C, h', w')."""
        return functional.interpolate(self.out(features), size=size, mode="bilinear", align_corners=False)


class SpatialAttention(nn.Module):
    """CBAM's spatial attention: each position weighted by a 7x7 convolution of its channels' mean and maximum."""

    def __init__(self) -> None:
        super().__init__()
        self.weigh = nn.Conv2d(2, 1, 7, padding=3)

    def forward(self, features: Tensor) -> Tensor:
        """Features (B, C, h, w) to the same."""
        seen = torch.cat([features.mean(dim=1, keepdim=True), features.amax(dim=1, keepdim=True)], dim=1)
        return features * self.weigh(seen).sigmoid()
