"""The guide branch of DiffusionFake: features must let a frozen diffusion model rebuild source and target."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from difffake.diffusion.attention import Attention
from difffake.diffusion.latent_diffusion import LatentDiffusion
from difffake.distributed import ranks, total
from difffake.errors import UserError
from difffake.regularizers.guide.feature_filter import FeatureFilter, Projection
from difffake.regularizers.guide.weight_module import (
    ConstantWeight,
    ConvolutionalWeight,
    LinearWeight,
    Similarity,
    similarity,
)


@dataclass(frozen=True)
class GuideConfig:
    """Settings of the guide branch; the defaults are the paper's.

    Args:
        lambda_source: weight of the source's loss; 1 in the published code.
        lambda_target: weight of the target's loss.
        feature_filter: full, or none (a 1x1 convolution) for the ablation.
        weight: linear, convolutional (as in the published code), or none (constant 1) for the ablation.
        similarity: what weights are trained to predict: cosine, or shifted_cosine as in the published code.
        shared_noise: the same noise and step for source and target, as in the published code.
        checkpointing: recompute activations in the backward pass: less memory, more time.
    """

    lambda_source: float = 0.7
    lambda_target: float = 1.0
    feature_filter: Literal["full", "none"] = "full"
    weight: Literal["linear", "convolutional", "none"] = "linear"
    similarity: Similarity = "cosine"
    shared_noise: bool = False
    checkpointing: bool = False

    def __post_init__(self) -> None:
        if self.lambda_source < 0 or self.lambda_target < 0:
            raise UserError("guide: lambda_source and lambda_target must be at least 0")


class FaceLatents(NamedTuple):
    """Latents of B images and of the faces that they were made of; a real face is its own source and target."""

    image: Tensor
    """(B, 4, h, w)."""
    source: Tensor
    """(B, 4, h, w), the inserted face's image; any value where unknown."""
    target: Tensor
    """(B, 4, h, w), the image that it was inserted into; any value where unknown."""
    known: Tensor
    """(B,) bool, whether source and target are known: only such images count."""


class Noise(NamedTuple):
    """What is added to source and target of B images."""

    noise: Tensor
    """(B, 2, 4, h, w), of the source and of the target."""
    timestep: Tensor
    """(B, 2) int64, likewise."""


class Conditions(NamedTuple):
    """What the guide takes from B images' features."""

    source: Tensor
    """(B, width, h, w): f_s."""
    target: Tensor
    """(B, width, h, w): f_t."""
    source_weight: Tensor
    """(B,) in (0, 1): W_s."""
    target_weight: Tensor
    """(B,) in (0, 1): W_t."""


class Guide(nn.Module):
    """Feature filters, weight modules, and a trainable copy of the frozen U-Net's encoder with zero convolutions.

    Its losses are those of DiffusionFake (arXiv 2410.04372, section 3); only training needs it. The frozen model is
    handed in, never held.

    Args:
        diffusion: the frozen model; its U-Net's encoder and middle block are copied.
        channels: of the encoder's features.
        config: variants and weights of losses.
    """

    def __init__(self, diffusion: LatentDiffusion, channels: int, config: GuideConfig) -> None:
        super().__init__()
        from diffusers import ControlNetModel

        self.config = config
        filters = FeatureFilter if config.feature_filter == "full" else Projection
        self.source_filter = filters(channels, diffusion.width)
        self.target_filter = filters(channels, diffusion.width)
        self.source_weight = _weight_module(config, channels)
        self.target_weight = _weight_module(config, channels)
        # ControlNet's copy is ours; only what it is told comes from features instead of an image. It is trained, so
        # its weights are float32 whatever the frozen model's are.
        self.copy = ControlNetModel.from_unet(diffusion.unet).float()
        self.copy.controlnet_cond_embedding = nn.Identity()
        self.copy.set_attn_processor(Attention())
        self.copy.requires_grad_(True).train().to(memory_format=torch.channels_last)
        if config.checkpointing:
            self.copy.enable_gradient_checkpointing()
            diffusion.unet.enable_gradient_checkpointing()

    @property
    def loss_weights(self) -> dict[str, float]:
        """What each of the losses of `forward` counts in the sum."""
        weights = {"source": self.config.lambda_source, "target": self.config.lambda_target}
        return weights if self.config.weight == "none" else weights | {"source_weight": 1.0, "target_weight": 1.0}

    def conditions(self, features: Tensor, size: tuple[int, int]) -> Conditions:
        """What is taken from features (B, C, h', w'), for latents of `size`."""
        return Conditions(
            self.source_filter(features, size),
            self.target_filter(features, size),
            self.source_weight(features),
            self.target_weight(features),
        )

    def predict_noise(
        self, diffusion: LatentDiffusion, noisy: Tensor, timestep: Tensor, condition: Tensor, weight: Tensor
    ) -> Tensor:
        """The frozen model's prediction (B, 4, h, w) for noisy latents, guided by f (B, width, h, w) and W (B,).

        Before the first optimiser step it equals the unguided one: all copied outputs pass convolutions of zeros.
        """
        prompt = diffusion.prompt.float().expand(len(noisy), -1, -1)
        down, middle = self.copy(
            noisy, timestep, prompt, condition, conditioning_scale=weight.view(-1, 1, 1, 1), return_dict=False
        )
        return diffusion.predict_noise(noisy, timestep, down, middle)

    def forward(
        self, features: Tensor, latents: FaceLatents, noise: Noise, diffusion: LatentDiffusion
    ) -> dict[str, Tensor]:
        """Losses by name, each a mean over the images whose source and target are known; 0 if none is.

        On several ranks called by all of them, and the mean over ranks is that over all their known images.

        `source` and `target`: mean squared error between the noise and its prediction, L_s and L_t. `source_weight`
        and `target_weight`: squared error between weight and similarity, L_ws and L_wt.
        """
        size = (latents.image.shape[2], latents.image.shape[3])
        found = self.conditions(features, size)
        # Both branches in one pass: twice the batch runs faster than two batches.
        clean = torch.cat([latents.source, latents.target])
        which = (0, 0) if self.config.shared_noise else (0, 1)
        injected = torch.cat([noise.noise[:, branch] for branch in which])
        timestep = torch.cat([noise.timestep[:, branch] for branch in which])
        predicted = self.predict_noise(
            diffusion,
            diffusion.add_noise(clean, injected, timestep),
            timestep,
            torch.cat([found.source, found.target]),
            torch.cat([found.source_weight, found.target_weight]),
        )
        error = (predicted - injected).square().mean((1, 2, 3))
        losses = dict(zip(("source", "target"), error.chunk(2), strict=True))
        if self.config.weight != "none":
            for name, weight, other in (
                ("source", found.source_weight, latents.source),
                ("target", found.target_weight, latents.target),
            ):
                wanted = similarity(latents.image, other, self.config.similarity)
                losses[f"{name}_weight"] = (weight.float() - wanted).square()
        # All images are computed and the unknown ones then left out: shapes stay the same from step to step, and every
        # weight gets a gradient on every rank.
        known = latents.known.float()
        # The mean over all ranks' known images, not a mean of means: DDP averages what the ranks give.
        count = total(known.sum()).clamp(min=1) / ranks()
        return {name: (loss * known).sum() / count for name, loss in losses.items()}


def _weight_module(config: GuideConfig, channels: int) -> nn.Module:
    kinds = {"linear": lambda: LinearWeight(channels), "convolutional": lambda: ConvolutionalWeight(channels)}
    return kinds.get(config.weight, ConstantWeight)()
