"""Regularizers by themselves: made without a trained encoder, and called with features instead of a detector."""

from types import SimpleNamespace
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor

from difffake.diffusion.face_latents import FaceLatents
from difffake.diffusion.latent_diffusion import LatentDiffusion
from difffake.diffusion.teacher import Teacher
from difffake.models.detector import DetectorOutput
from difffake.regularizers.base import Loss, Regularizer, TaughtBatch

R = TypeVar("R", bound=Regularizer)


class Noise(NamedTuple):
    """What a guide adds to source and target: noise (B, 2, 4, h, w) and timesteps (B, 2)."""

    noise: Tensor
    timestep: Tensor


def made(kind: type[R], diffusion: LatentDiffusion, channels: int, **settings: Any) -> R:
    """A regularizer for an encoder with so many channels, a stride of 32 and images of 96 px."""
    encoder: Any = SimpleNamespace(channels=channels, image_size=96, stride=32)
    return kind(encoder, Teacher.of(diffusion), **settings)


def found_losses(
    part: Regularizer,
    features: Tensor,
    diffusion: LatentDiffusion | None = None,
    latents: FaceLatents | None = None,
    draws: dict[str, Tensor] | None = None,
    arrays: dict[str, Tensor] | None = None,
) -> dict[str, Loss]:
    """Losses with their weights, of features (B, C, h', w')."""
    label = torch.arange(len(features)) % 2
    output = DetectorOutput(label.float(), features.mean((2, 3)), features)
    batch = TaughtBatch(torch.empty(0), label.float(), latents, draws or {}, arrays or {})
    teacher: Any = Teacher.of(diffusion) if diffusion else None
    return part(output, batch, teacher)


def values(losses: dict[str, Loss]) -> dict[str, Tensor]:
    """The losses by name, without their weights."""
    return {name: loss.value for name, loss in losses.items()}


def weights(losses: dict[str, Loss]) -> dict[str, float]:
    """The weights of the losses by name."""
    return {name: loss.weight for name, loss in losses.items()}
