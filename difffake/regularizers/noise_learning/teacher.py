"""The teacher of noise learning: the noise that a frozen diffusion model predicts in an image."""

from collections.abc import Sequence

import torch
from torch import Tensor

from difffake.diffusion.latent_diffusion import LatentDiffusion
from difffake.diffusion.sampling import ddim_sample


@torch.no_grad()
def teacher_noise(
    diffusion: LatentDiffusion, latents: Tensor, timesteps: Sequence[int], inversion_steps: int = 0
) -> Tensor:
    """Noise (B, S, 4, h, w) that the frozen model predicts from clean latents at each of S timesteps.

    The result depends on the image only.

    Args:
        diffusion: the frozen model.
        latents: clean latents (B, 4, h, w).
        timesteps: the S timesteps.
        inversion_steps: U-Net passes of a DDIM inversion that first moves the latents to the timestep. With 0, the
            clean latents are used as if they were noisy latents of that timestep.
    """
    return torch.stack([_predicted(diffusion, latents, step, inversion_steps) for step in timesteps], dim=1)


@torch.no_grad()
def injected(diffusion: LatentDiffusion, latents: Tensor, noise: Tensor, timestep: int) -> tuple[Tensor, Tensor]:
    """Add noise (B, 4, h, w) to latents (B, 4, h, w) at a timestep.

    Returns the noisy images (B, 3, H, W) in [0, 1], decoded, and the noise (B, 1, 4, h, w) that the frozen model
    predicts in the noisy latents.
    """
    steps = torch.full((len(latents),), timestep, device=latents.device)
    noisy = diffusion.add_noise(latents, noise, steps)
    return diffusion.decode(noisy), diffusion.predict_noise(noisy, steps)[:, None]


def inversion_path(step: int, passes: int) -> list[int]:
    """Timesteps from -1 (clean latents) to `step`, in at most `passes` strides of about equal length.

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
