"""Drawing latents from a frozen diffusion model, step by step (DDIM)."""

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor

from difffake.diffusion.latent_diffusion import LatentDiffusion

Predict = Callable[[Tensor, Tensor], Tensor]
"""Noise (B, 4, h, w) in noisy latents (B, 4, h, w) at steps (B,); `LatentDiffusion.predict_noise` is one."""
Between = Callable[[Tensor, int], Tensor]
"""Latents (B, 4, h, w) at a step to what sampling goes on with; -1 is the clean end."""


def ddim_steps(diffusion: LatentDiffusion, count: int, start: int | None = None) -> list[int]:
    """`count` steps from `start` (by default the noisiest) down, evenly spaced, and -1 for the clean end.

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
    """Clean latents (B, 4, h, w) from latents `noisy` at the first of `steps`.

    Deterministic DDIM (Song et al., ICLR 2021, equation 12 with sigma = 0). `between` may change the latents after
    each step, as inpainting does. Steps that rise, -1 first, go the other way: DDIM inversion.
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
    """Alpha-bar of a step; 1 for -1, the clean end."""
    return 1.0 if step < 0 else float(diffusion.signal[step])
