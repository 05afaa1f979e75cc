"""Feature filters: from an encoder's features to the condition for the source, or for the target."""

import torch
from timm.layers import SqueezeExcite
from torch import Tensor, nn
from torch.nn import functional


class FeatureFilter(nn.Module):
    """Maps features (B, C, h', w') to a condition (B, width, h, w) at the resolution of the latents.

    The layers are: convolution; channel attention (squeeze-and-excitation); spatial attention (CBAM); multi-head
    attention, with the unfiltered features as query and the filtered ones as key and value; up-sampling; convolution.

    All layers have the width of the U-Net's first block. The published code keeps the encoder's channels (1792) up to
    the last layer, which at 49 positions costs as much as the encoder itself. No layer keeps batch statistics (CBAM's
    published code does), so the number of ranks and the batch size do not change the result.

    Source: DiffusionFake (arXiv 2410.04372), section 3; CBAM, Woo et al., ECCV 2018.

    Args:
        channels: number of channels C of the features.
        width: number of channels of the condition.
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


class PublishedFilter(nn.Module):
    """The filter of DiffusionFake's published code; arguments as in `FeatureFilter`.

    Two learned transposed convolutions enlarge the features four times, and every layer but the last keeps the
    encoder's channels. For EfficientNet-B4 at 256 px, these are 1792 channels at 32 x 32 positions, all of which
    attend to each other, and 151 million parameters, against 6.5 million of `FeatureFilter`. The two attentions over
    channels and positions are computed from the activated features, and weigh the features before the activation.
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.enlarge = nn.Sequential(
            nn.ConvTranspose2d(channels, channels, 4, stride=2, padding=1, bias=False),
            nn.ConvTranspose2d(channels, channels, 4, stride=2, padding=1, bias=False),
        )
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        squeezed = max(1, channels // 4)
        self.channel = nn.Sequential(nn.Conv2d(channels, squeezed, 1), nn.ReLU(), nn.Conv2d(squeezed, channels, 1))
        self.spatial = nn.Conv2d(channels, 1, 3, padding=1)
        self.attention = nn.MultiheadAttention(channels, num_heads=4, batch_first=True)
        self.out = nn.Conv2d(channels, width, 3, padding=1)

    def forward(self, features: Tensor, size: tuple[int, int]) -> Tensor:
        """Condition (B, width, *size) of features (B, C, h', w'); it is scaled if `size` is not (4 h', 4 w')."""
        plain = self.first(self.enlarge(features))
        activated = functional.silu(plain)
        filtered = plain * self.channel(activated.mean((2, 3), keepdim=True)).sigmoid()
        filtered = filtered * self.spatial(activated).sigmoid()
        query, value = (part.flatten(2).transpose(1, 2) for part in (activated, filtered))
        mixed = self.attention(query, value, value, need_weights=False)[0]
        out = self.out(mixed.transpose(1, 2).unflatten(2, plain.shape[2:]))
        return out if out.shape[2:] == size else functional.interpolate(out, size=size, mode="bilinear")


class Projection(nn.Module):
    """The ablation without a filter: up-sampling and a 1x1 convolution; arguments as in `FeatureFilter`."""

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
        """Weighted features (B, C, h, w) of features (B, C, h, w)."""
        seen = torch.cat([features.mean(dim=1, keepdim=True), features.amax(dim=1, keepdim=True)], dim=1)
        return features * self.weigh(seen).sigmoid()
