"""What a frozen diffusion model says of the noise in an image: the teacher of noise learning."""

import hashlib

import torch
from torch import Tensor

from difffake.data.datasets import Batch
from difffake.diffusion.latent_diffusion import LatentDiffusion
from difffake.diffusion.sampling import ddim_sample
from difffake.regularizers.noise_learning.noise_learning import NoiseLearningConfig


@torch.no_grad()
def teacher_noise(diffusion: LatentDiffusion, latents: Tensor, config: NoiseLearningConfig) -> Tensor:
    """Noise (B, S, 4, h, w) that the frozen model predicts in clean latents (B, 4, h, w) at each of S timesteps.

    For `image` and `ddim_inversion`, which depend on nothing but the image; `injected` has its own function.
    """
    return torch.stack([_predicted(diffusion, latents, step, config) for step in config.timesteps], dim=1)


@torch.no_grad()
def injected(
    diffusion: LatentDiffusion, latents: Tensor, noise: Tensor, config: NoiseLearningConfig
) -> tuple[Tensor, Tensor]:
    """Images (B, 3, H, W) in [0, 1] of latents (B, 4, h, w) with noise of that shape added, and what the frozen model
    predicts (B, 1, 4, h, w) in them."""
    timestep = torch.full((len(latents),), config.timesteps[0], device=latents.device)
    noisy = diffusion.add_noise(latents, noise, timestep)
    return diffusion.decode(noisy), diffusion.predict_noise(noisy, timestep)[:, None]


@torch.no_grad()
def batch_noise(batch: Batch, latents: Tensor, diffusion: LatentDiffusion, config: NoiseLearningConfig) -> Tensor:
    """Noise (B, S, 4, h, w) of a batch's images with latents (B, 4, h, w): cached, or else predicted now."""
    cached = batch["teacher_noise"] if "teacher_noise" in batch else latents.new_empty(0)
    steps = len(config.timesteps)
    if len(cached) == len(latents):
        return cached.unflatten(1, (steps, -1))
    if not len(cached):
        return teacher_noise(diffusion, latents, config)
    known = batch["roles"][:, 0] < len(batch["latents"])
    noise = latents.new_empty(len(latents), steps, *latents.shape[1:])
    noise[known] = cached.unflatten(1, (steps, -1))
    noise[~known] = teacher_noise(diffusion, latents[~known], config)
    return noise


def teacher_key(diffusion: LatentDiffusion, config: NoiseLearningConfig) -> str:
    """SHA-256 of all that cached noise depends on beside the images: the frozen model and the settings."""
    passes = config.inversion_steps if config.noise_source == "ddim_inversion" else 0
    text = f"{diffusion.fingerprint()} {config.noise_source} {list(config.timesteps)} {passes}"
    return hashlib.sha256(text.encode()).hexdigest()


def inversion_path(step: int, passes: int) -> list[int]:
    """Timesteps from -1, the clean end, up to `step` in at most `passes` about equal strides.

    >>> inversion_path(50, 4)
    [-1, 12, 24, 37, 50]
    >>> inversion_path(1, 4)
    [-1, 0, 1]
    """
    return sorted({round(-1 + (step + 1) * number / passes) for number in range(passes + 1)})


def _predicted(diffusion: LatentDiffusion, latents: Tensor, step: int, config: NoiseLearningConfig) -> Tensor:
    if config.noise_source == "ddim_inversion":
        path = inversion_path(step, config.inversion_steps)
        latents = ddim_sample(diffusion, latents, diffusion.predict_noise, path)
    return diffusion.predict_noise(latents, torch.full((len(latents),), step, device=latents.device))
