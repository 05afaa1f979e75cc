"""What a frozen diffusion model says of the noise in an image: the teacher of noise learning."""

from collections.abc import Sequence

import torch
from torch import Tensor

from difffake.diffusion.latent_diffusion import LatentDiffusion
from difffake.diffusion.sampling import ddim_sample


@torch.no_grad()
def teacher_noise(
    diffusion: LatentDiffusion, latents: Tensor, timesteps: Sequence[int], inversion_steps: int = 0
) -> Tensor:
    """Noise (B, S, 4, h, w) that the frozen model predicts in clean latents (B, 4, h, w) at each of S timesteps.

    Without `inversion_steps` the clean latents are read as if they were noisy ones at that timestep; with them they are
    first taken there by DDIM inversion, in so many passes of the U-Net. Both depend on nothing but the image.
    """
    return torch.stack([_predicted(diffusion, latents, step, inversion_steps) for step in timesteps], dim=1)


@torch.no_grad()
def injected(diffusion: LatentDiffusion, latents: Tensor, noise: Tensor, timestep: int) -> tuple[Tensor, Tensor]:
    """Images (B, 3, H, W) in [0, 1] of latents (B, 4, h, w) with noise of that shape added, and what the frozen model
    predicts (B, 1, 4, h, w) in them."""
    steps = torch.full((len(latents),), timestep, device=latents.device)
    noisy = diffusion.add_noise(latents, noise, steps)
    return diffusion.decode(noisy), diffusion.predict_noise(noisy, steps)[:, None]


def inversion_path(step: int, passes: int) -> list[int]:
    """Timesteps from -1, the clean end, up to `step` in at most `passes` about equal strides.

    >>> inversion_path(50, 4)
    [-1, 12, 24, 37, 50]
    >>> inversion_path(1, 4)
    [-1, 0, 1]
    """
    return sorted({round(-1 + (step + 1) * number / passes) for number in range(passes + 1)})


def _predicted(diffusion: LatentDiffusion, latents: Tensor, step: int, inversion_steps: int) -> Tensor:
    if inversion_steps:
        path = inversion_path(step, inversion_steps)
        latents = ddim_sample(diffusion, latents, diffusion.predict_noise, path)
    return diffusion.predict_noise(latents, torch.full((len(latents),), step, device=latents.device))
