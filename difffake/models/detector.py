"""The detector: encoder and head, which is everything that inference needs."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from difffake.errors import UsageError, UserError
from difffake.models.class_path import EncoderClass, encoder_name
from difffake.models.encoder import Channels, Encoder
from difffake.models.head import HeadName, build_head


class DetectorOutput(NamedTuple):
    """A detector's output for B images."""

    logit: Tensor
    """(B,), higher = more fake; its sigmoid is the probability of a fake."""
    embedding: Tensor
    """(B, D), pooled features."""
    features: Tensor
    """(B, C, h, w), the encoder's last map, or an earlier one with `feature_stride`."""


@dataclass(frozen=True)
class DetectorConfig:
    """Everything that is needed to build a detector; stored in checkpoints.

    The fields are explained in `Encoder` and `difffake.training.module.DetectorTraining`. In `Detector.config`, `mean`
    and `std` are not None. Raises `UserError` if a value is out of its range.
    """

    encoder: str | EncoderClass
    """timm name, or class of your own."""
    image_size: int = 224
    mean: Channels | None = None
    """One number per channel, for images in [0, 1]."""
    std: Channels | None = None
    dropout: float = 0.0
    """Probability that a number of the embedding is set to zero before the head."""
    drop_path: float | None = None
    bn_momentum: float | None = None
    head: HeadName = "linear"
    trainable: str = "all"
    feature_stride: int | None = None

    def __post_init__(self) -> None:
        if self.std is not None and min(self.std) <= 0:
            raise UsageError("--model.std must be above 0")
        if self.image_size < 1:
            raise UsageError(f"--model.image_size {self.image_size} must be at least 1")
        if self.feature_stride is not None and self.feature_stride < 1:
            raise UsageError(f"--model.feature_stride {self.feature_stride} must be at least 1")
        for name in ("dropout", "drop_path", "bn_momentum"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < 1:
                raise UsageError(f"--model.{name} {value} must be at least 0 and less than 1")

    def to_dict(self) -> dict[str, Any]:
        """Plain values for `from_dict`."""
        return asdict(self)

    @staticmethod
    def from_dict(values: dict[str, Any]) -> "DetectorConfig":
        """The inverse of `to_dict`."""
        encoder = values["encoder"]
        return DetectorConfig(**values | {"encoder": encoder if isinstance(encoder, str) else EncoderClass(**encoder)})

    @property
    def name(self) -> str:
        """Name of the encoder: a timm name, or the path of a class."""
        return encoder_name(self.encoder)

    @property
    def packages(self) -> tuple[str, ...]:
        """Packages other than timm that must be imported for the encoder: the package of its class."""
        return () if isinstance(self.encoder, str) else (self.name.split(".")[0],)


class Detector(nn.Module):
    """Encoder and head. Call it with images (B, 3, H, W) in [0, 1] to get a `DetectorOutput`."""

    def __init__(self, encoder: Encoder, config: DetectorConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = encoder
        self.head = build_head(config.head, encoder.dimension, config.dropout)

    def forward(self, images: Tensor) -> DetectorOutput:
        """Logit, embedding and features of images (B, 3, H, W) in [0, 1].

        Raises `UserError` for images of integers, which would give wrong logits without an error.
        """
        if not images.is_floating_point():
            raise UserError(f"images have the type {images.dtype}: give floats in [0, 1], such as images / 255")
        features, embedding = self.encoder(images)
        # The head uses float32 also under autocast: bf16 logits are so coarse that many scores are equal.
        with torch.autocast(embedding.device.type, enabled=False):
            logit = self.head(embedding.float()).squeeze(1)
        return DetectorOutput(logit, embedding, features)


def build_detector(config: DetectorConfig, weights: str = "none", imports: Sequence[str] = ()) -> Detector:
    """Build the detector of a config.

    Args:
        config: settings of the detector.
        weights: initial weights, as in `Encoder`.
        imports: packages whose code may run, as in `Encoder`.

    Returns:
        The detector. Its own `config` has values for what `config` leaves open: the tag of timm's weights, mean and
        standard deviation.
    """
    encoder = Encoder(
        config.encoder,
        weights,
        config.image_size,
        config.mean,
        config.std,
        config.drop_path,
        config.bn_momentum,
        config.trainable,
        imports,
        config.feature_stride,
    )
    found = replace(config, encoder=encoder.encoder, mean=encoder.channel_mean, std=encoder.channel_std)
    # Weights get the same memory layout as the images of `to_unit`.
    return Detector(encoder, found).to(memory_format=torch.channels_last)
