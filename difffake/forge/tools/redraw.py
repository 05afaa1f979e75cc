"""Redrawing a part of a picture with a frozen latent diffusion model."""

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
"""DDIM steps of one picture: ten times as many change its pixels by less than a gray level on average."""
_USUAL_SIDE = 64
"""Side of Stable Diffusion's latents, which strengths are meant for."""


def redrawn(
    diffusion: LatentDiffusion,
    picture: np.ndarray,
    target: Image,
    mask: Mask,
    strength: float,
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """`picture` as the model draws it anew where `mask` is above 0, with the target around it: (H, W, 3) in [0, 255].

    Both pictures (H, W, 3) in [0, 255] are scaled to the size that the model was trained at and encoded. The picture's
    latents get noise of `strength` in [0, 1] (`first_step`) and are denoised by DDIM; at each step, those that the mask
    does not touch are replaced by the target's with as much noise, so that what is drawn fits what is around it. Detail
    too fine for the model's size is the picture's own: a model of 96 px would else blur every face of 224. Beyond the
    mask the result is not the target to the byte, because it too went through the VAE: blend it in.

    The noise comes from `rng`, so frames of a clip, which get equal ones, get equal noise: from frame to frame the face
    then changes only as the clip does, where other noise would draw another face each time.

    Sources: Avrahami et al., Blended Latent Diffusion, 2022 (arXiv 2206.02779); Lugmayr et al., RePaint, CVPR 2022,
    without its resampling, which takes many times the steps; starting from a picture with noise is SDEdit (Meng et al.,
    ICLR 2022).
    """
    side = int(diffusion.unet.config["sample_size"]) * diffusion.scale
    inner, around = diffusion.encode(torch.cat([_tensor(picture, side), _tensor(target, side)])).split(1)
    free = _touched(mask, *inner.shape[2:])
    # One noise for both: along DDIM's path the target's latents keep it, as the drawn ones do.
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
    """A redrawn face (H, W, 3) in [0, 255] with as much detail under the mask as the target has after compression.

    Redrawn faces have next to no fine detail. Sharpened alone, they keep less of it through H.264 than a photograph,
    and their files were 2 to 3 % smaller, which told them; so most of it is grain, a little coarse and a little strong.
    The numbers were set on c23 until files were of about equal size.
    """
    drawn = match_middle(drawn, target, mask)
    return match_detail(drawn, target, mask, grain, sharpen=0.3, grain_size=0.7, amount=1.15)


def first_step(diffusion: LatentDiffusion, strength: float, side: int) -> int:
    """The step whose noise hides as much of a picture with latents of `side` as a share `strength` of all does at 64.

    Fewer latents say the same less often, so the same noise hides more: the ratio of signal to noise is multiplied by
    (64 / side) squared (Hoogeboom et al., simple diffusion, ICML 2023). Without it a model of 12 x 12 latents keeps
    nothing of a face where Stable Diffusion keeps its features.
    """
    ratio = diffusion.signal / (1 - diffusion.signal)
    usual = min(max(round(strength * diffusion.steps) - 1, 0), diffusion.steps - 1)
    wanted = ratio[usual] * (_USUAL_SIDE / side) ** 2
    return max(int((ratio >= wanted).sum()) - 1, 0)


def _tensor(image: np.ndarray, side: int) -> Tensor:
    """Image (H, W, 3) in [0, 255] to (1, 3, side, side) in [0, 1]."""
    return torch.from_numpy(_scaled(image, side, side).transpose(2, 0, 1)[None] / 255).clamp(0, 1)


def _touched(mask: Mask, height: int, width: int) -> Tensor:
    """Which latents show a pixel of the mask: (1, 1, height, width) bool."""
    covered = torch.nn.functional.adaptive_max_pool2d(torch.from_numpy(mask)[None, None], (height, width))
    return covered > 0


def _scaled(image: np.ndarray, height: int, width: int) -> NDArray[np.float32]:
    shrinks = height < image.shape[0] or width < image.shape[1]
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return cv2.resize(np.asarray(image, np.float32), (width, height), interpolation=interpolation)
