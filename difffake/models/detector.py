"""The detector: encoder and head, all that inference needs."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from difffake.models.encoder import Encoder


class DetectorOutput(NamedTuple):
    """What a detector says of B images."""

    logit: Tensor
    """(B,), higher = more fake; its sigmoid is the probability of a fake."""
    embedding: Tensor
    """(B, D), pooled features."""
    features: Tensor
    """(B, C, h, w), the encoder's last map."""


@dataclass(frozen=True)
class DetectorConfig:
    """All that is needed to build a detector again; stored in checkpoints."""

    encoder: str
    image_size: int = 224
    mean: float = 0.5
    std: float = 0.5
    dropout: float = 0.0


class Detector(nn.Module):
    """Encoder and linear head. Call it with images (B, 3, H, W) in [0, 1]; gives a `DetectorOutput`."""

    def __init__(self, encoder: Encoder, dropout: float = 0.0) -> None:
        super().__init__()
        self.encoder = encoder
        # One logit with binary cross-entropy is the two-class softmax of the papers with half the parameters.
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(encoder.dimension, 1))

    def forward(self, images: Tensor) -> DetectorOutput:
        """Logit, embedding and features of images (B, 3, H, W) in [0, 1]."""
        features, embedding = self.encoder(images)
        # In float32 also under autocast: bf16 logits are so coarse that many scores tie.
        with torch.autocast(embedding.device.type, enabled=False):
            logit = self.head(embedding.float()).squeeze(1)
        return DetectorOutput(logit, embedding, features)


def build_detector(config: DetectorConfig, weights: str = "none") -> Detector:
    """Detector of a config; `weights` as in `Encoder`."""
    encoder = Encoder(config.encoder, weights, config.image_size, config.mean, config.std)
    # Weights in the layout that `to_unit` gives images.
    return Detector(encoder, config.dropout).to(memory_format=torch.channels_last)
