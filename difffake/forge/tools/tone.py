"""Matching an inserted face to its surroundings: color, sharpness and grain."""

import cv2
import numpy as np
from numpy.typing import NDArray

from difffake.forge.tools.face import Image, Mask

Floats = NDArray[np.float32]

_FINE = 1.0
"""Standard deviation, in pixels, of the blur that separates fine detail from the rest."""
_SHARPEN = 1.5
"""Largest amplification of fine detail, in addition to its own strength; the rest is added as grain."""


def match_color(moved: np.ndarray, target: Image, mask: Mask, strength: float) -> Floats:
    """Move the means and deviations of the Lab channels under the mask towards the target's, by the share `strength`.

    Source: Reinhard et al., Color transfer between images, 2001. Images are (H, W, 3) in [0, 255].
    """
    inside = mask > 0.5
    if not inside.any():
        return moved.astype(np.float32)
    lab, wanted = (cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB) for image in (moved, target))
    mean, deviation = lab[inside].mean(axis=0), lab[inside].std(axis=0)
    # A flat region has no deviation to match; a gain above 2 would only amplify noise.
    gain = np.clip(wanted[inside].std(axis=0) / np.maximum(deviation, 1e-3), 0.5, 2)
    matched = (lab - mean) * gain + wanted[inside].mean(axis=0)
    mixed = (lab + strength * (matched - lab)).astype(np.float32)
    return cv2.cvtColor(mixed, cv2.COLOR_LAB2RGB) * 255


def match_light(moved: np.ndarray, target: Image, mask: Mask, reach: float, strength: float) -> Floats:
    """Move the slow color changes (light and shadow) under the mask towards the target's, by the share `strength`.

    Slow changes are those that remain after a Gaussian of `reach` pixels, weighted by the mask. Images are (H, W, 3) in
    [0, 255].
    """
    moved = moved.astype(np.float32)
    weight = cv2.GaussianBlur(mask, (0, 0), reach)[..., None]
    gap = cv2.GaussianBlur(mask[..., None] * (target - moved), (0, 0), reach)
    return np.clip(moved + strength * gap / np.maximum(weight, 1e-3), 0, 255)


def match_detail(
    forged: np.ndarray,
    target: Image,
    mask: Mask,
    rng: np.random.Generator,
    *,
    sharpen: float = _SHARPEN,
    grain_size: float = 0.0,
    amount: float = 1.0,
) -> Floats:
    """Give `forged` as much fine detail under the mask as the target has there, with sharpening and grain.

    Without it, sharpness alone would separate every resampled face from real ones. Fine detail is what a Gaussian of
    one pixel removes. Too much detail is weakened. Too little is amplified, and the rest is added as gray grain.

    Args:
        forged: (H, W, 3) in [0, 255].
        target: (H, W, 3) in [0, 255].
        mask: (H, W) in [0, 1].
        rng: source of the grain.
        sharpen: largest amplification, as a multiple of the detail itself.
        grain_size: standard deviation, in pixels, of the blur of the grain; compression removes less of coarse grain.
        amount: wanted detail as a multiple of the target's.
    """
    forged = forged.astype(np.float32)
    inside = mask > 0.5
    if not inside.any():
        return forged
    fine = forged - cv2.GaussianBlur(forged, (0, 0), _FINE)
    has = _strength(fine, inside)
    target_float = target.astype(np.float32)
    wanted = amount * _strength(target_float - cv2.GaussianBlur(target_float, (0, 0), _FINE), inside)
    gain = min(wanted / max(has, 1e-3), 1 + sharpen)
    result = forged + (gain - 1) * fine
    missing = wanted**2 - (gain * has) ** 2
    if missing > 0.01:
        grain = rng.standard_normal(forged.shape[:2], dtype=np.float32)
        if grain_size:
            grain = cv2.GaussianBlur(grain, (0, 0), grain_size)
        grain -= cv2.GaussianBlur(grain, (0, 0), _FINE)
        result += (grain * np.float32(np.sqrt(missing) / max(float(grain[inside].std()), 1e-3)))[..., None]
    return np.clip(result, 0, 255)


def match_middle(forged: np.ndarray, target: Image, mask: Mask) -> Floats:
    """Amplify detail of medium size under the mask to the strength in the target, up to a limit; without grain.

    It is for faces that were drawn at a small size: detail that is slightly coarser than `match_detail`'s fine detail
    is weak in them too, and compression removes it first. Medium size is the difference of Gaussians of one and two
    pixels. Images are (H, W, 3) in [0, 255].
    """
    forged = forged.astype(np.float32)
    inside = mask > 0.5
    if not inside.any():
        return forged
    middle, wanted = (
        cv2.GaussianBlur(image, (0, 0), _FINE) - cv2.GaussianBlur(image, (0, 0), 2 * _FINE)
        for image in (forged, target.astype(np.float32))
    )
    gain = min(_strength(wanted, inside) / max(_strength(middle, inside), 1e-3), 1 + _SHARPEN)
    return np.clip(forged + (gain - 1) * middle, 0, 255)


def _strength(fine: Floats, inside: NDArray[np.bool_]) -> float:
    return float(fine.mean(axis=2)[inside].std())
