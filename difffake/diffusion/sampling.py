"""Sampling of latents from a frozen diffusion model (DDIM)."""

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor

from difffake.diffusion.latent_diffusion import LatentDiffusion

Predict = Callable[[Tensor, Tensor], Tensor]
"""Function from noisy latents (B, 4, h, w) and timesteps (B,) to noise, such as `LatentDiffusion.predict_noise`."""
Between = Callable[[Tensor, int], Tensor]
"""Function that changes the latents (B, 4, h, w) after a step; step -1 means clean latents."""


def ddim_steps(diffusion: LatentDiffusion, count: int, start: int | None = None) -> list[int]:
    """`count` evenly spaced timesteps from `start` (by default the noisiest) down, and -1 for clean latents.

    >>> from types import SimpleNamespace
    >>> ddim_steps(SimpleNamespace(steps=1000), 4)
    [999, 749, 499, 249, -1]
    """
    first = diffusion.steps - 1 if start is None else start
    return [round(first - (first + 1) * number / count) for number in range(count)] + [-1]


@torch.no_grad()
def ddim_sample(
    diffusion: LatentDiffusion, noisy: Tensor, predict: Predict, steps: list[int], between: Between | None = None
) -> Tensor:
    """Sample with deterministic DDIM (Song et al., ICLR 2021, equation 12 with sigma = 0).

    Args:
        diffusion: the frozen model.
        noisy: latents (B, 4, h, w) at the first of `steps`.
        predict: function that predicts the noise.
        steps: timesteps, down to -1 for clean latents. Ascending timesteps, -1 first, give DDIM inversion.
        between: function that changes the latents after each step, as for inpainting.

    Returns:
        Latents (B, 4, h, w) at the last of `steps`.
    """
    latents = noisy
    for here, there in pairwise(steps):
        timestep = torch.full((len(latents),), max(here, 0), device=latents.device)
        noise = predict(latents, timestep)
        left, wanted = signal_at(diffusion, here), signal_at(diffusion, there)
        clean = (latents - (1 - left) ** 0.5 * noise) / left**0.5
        latents = wanted**0.5 * clean + (1 - wanted) ** 0.5 * noise
        if between is not None:
            latents = between(latents, there)
    return latents


def signal_at(diffusion: LatentDiffusion, step: int) -> float:
    """Alpha-bar at a timestep; 1 for -1 (clean latents)."""
    return 1.0 if step < 0 else float(diffusion.signal[step])
