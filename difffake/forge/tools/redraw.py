"""Redrawing a part of an image with a frozen latent diffusion model."""

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from difffake.diffusion.latent_diffusion import LatentDiffusion
from difffake.diffusion.sampling import ddim_sample, ddim_steps
from difffake.forge.tools.face import Image, Mask
from difffake.forge.tools.tone import match_detail, match_middle

STEPS = 20
"""DDIM steps per image; ten times as many change pixels by less than one gray level on average."""
_USUAL_SIDE = 64
"""Side of Stable Diffusion's latents; strengths refer to it."""


def redrawn(
    diffusion: LatentDiffusion,
    picture: np.ndarray,
    target: Image,
    mask: Mask,
    strength: float,
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """Redraw `picture` with the model where `mask` is above 0.

    Both images are scaled to the size at which the model was trained, and encoded. Noise of `strength` is added to the
    picture's latents (`first_step`), and they are denoised by DDIM. At each step, latents outside the mask are replaced
    by those of the target with the same noise level, so that the result fits its surroundings. Details that are too
    fine for the model's size are taken from `picture`; otherwise a model of 96 px would blur every face of 224 px.
    Outside the mask, the result is not exactly the target, because the VAE changes it too: blend the result.

    The frames of a clip get equal `rng` and so equal noise. So the drawn face changes only as the clip does; other
    noise would give another face in each frame.

    Args:
        diffusion: the frozen model.
        picture: image to redraw, (H, W, 3) in [0, 255].
        target: image around the mask, (H, W, 3).
        mask: (H, W); the picture is redrawn where it is above 0.
        strength: amount of noise in [0, 1].
        rng: source of the noise.

    Returns:
        The redrawn image (H, W, 3) in [0, 255].

    Sources: Avrahami et al., Blended Latent Diffusion, 2022 (arXiv 2206.02779); Lugmayr et al., RePaint, CVPR 2022,
    without its resampling, which takes many times the steps; starting from a picture with noise is SDEdit (Meng et al.,
    ICLR 2022).
    """
    side = int(diffusion.unet.config["sample_size"]) * diffusion.scale
    inner, around = diffusion.encode(torch.cat([_tensor(picture, side), _tensor(target, side)])).split(1)
    free = _touched(mask, *inner.shape[2:])
    # The same noise for both: along DDIM's path, the target's latents keep it like the drawn latents.
    noise = torch.from_numpy(rng.standard_normal(inner.shape, dtype=np.float32))

    def with_target(latents: Tensor, step: int) -> Tensor:
        known = around if step < 0 else diffusion.add_noise(around, noise, torch.tensor([step]))
        return torch.where(free, latents, known)

    steps = ddim_steps(diffusion, STEPS, start=first_step(diffusion, strength, inner.shape[3]))
    noisy = with_target(diffusion.add_noise(inner, noise, torch.tensor(steps[:1])), steps[0])
    latents = ddim_sample(diffusion, noisy, diffusion.predict_noise, steps, between=with_target)
    drawn = _scaled(255 * diffusion.decode(latents)[0].permute(1, 2, 0).numpy(), *mask.shape)
    finer = picture - _scaled(_scaled(picture, side, side), *mask.shape)
    return np.clip(drawn + finer, 0, 255)


def with_detail(drawn: np.ndarray, target: Image, mask: Mask, grain: np.random.Generator) -> NDArray[np.float32]:
    """Give a redrawn face (H, W, 3) in [0, 255] as much detail under the mask as the target has after compression.

    Redrawn faces have almost no fine detail. If they are only sharpened, H.264 removes more of it than from a
    photograph. Then their files were 2 to 3 % smaller, which is a cue. So most of the detail is grain, slightly coarse
    and slightly strong. The numbers were chosen with c23 so that file sizes are about equal.
    """
    drawn = match_middle(drawn, target, mask)
    return match_detail(drawn, target, mask, grain, sharpen=0.3, grain_size=0.7, amount=1.15)


def first_step(diffusion: LatentDiffusion, strength: float, side: int) -> int:
    """The timestep whose noise hides as much of an image with latents of `side` as the share `strength` of all steps
    does with latents of side 64.

    With fewer latents there is less redundancy, so the same noise hides more: the signal-to-noise ratio is multiplied
    by (64 / side) squared (Hoogeboom et al., simple diffusion, ICML 2023). Without this, a model with 12 x 12 latents
    keeps nothing of a face at a strength at which Stable Diffusion keeps its features.
    """
    ratio = diffusion.signal / (1 - diffusion.signal)
    usual = min(max(round(strength * diffusion.steps) - 1, 0), diffusion.steps - 1)
    wanted = ratio[usual] * (_USUAL_SIDE / side) ** 2
    return max(int((ratio >= wanted).sum()) - 1, 0)


def _tensor(image: np.ndarray, side: int) -> Tensor:
    """Convert an image (H, W, 3) in [0, 255] to (1, 3, side, side) in [0, 1]."""
    return torch.from_numpy(_scaled(image, side, side).transpose(2, 0, 1)[None] / 255).clamp(0, 1)


def _touched(mask: Mask, height: int, width: int) -> Tensor:
    """(1, 1, height, width) bool: the latents that contain a pixel of the mask."""
    covered = torch.nn.functional.adaptive_max_pool2d(torch.from_numpy(mask)[None, None], (height, width))
    return covered > 0


def _scaled(image: np.ndarray, height: int, width: int) -> NDArray[np.float32]:
    shrinks = height < image.shape[0] or width < image.shape[1]
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return cv2.resize(np.asarray(image, np.float32), (width, height), interpolation=interpolation)
