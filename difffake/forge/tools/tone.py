"""Making an inserted face match its surroundings: color, sharpness and grain."""

import cv2
import numpy as np
from numpy.typing import NDArray

from difffake.forge.tools.face import Image, Mask

Floats = NDArray[np.float32]

_FINE = 1.0
"""Standard deviation, in pixels, of the blur that parts fine detail from the rest."""
_SHARPEN = 1.5
"""Most that fine detail is amplified by, beyond its own strength; what is still missing is given as grain."""


def match_color(moved: np.ndarray, target: Image, mask: Mask, strength: float) -> Floats:
    """`moved` with means and deviations of its Lab channels under the mask `strength` of the way to the target's.

    Reinhard et al., Color transfer between images, 2001. Images (H, W, 3) in [0, 255].
    """
    inside = mask > 0.5
    if not inside.any():
        return moved.astype(np.float32)
    lab, wanted = (cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB) for image in (moved, target))
    mean, deviation = lab[inside].mean(axis=0), lab[inside].std(axis=0)
    # A flat patch has no deviation to match; stretching beyond 2 would only amplify noise.
    gain = np.clip(wanted[inside].std(axis=0) / np.maximum(deviation, 1e-3), 0.5, 2)
    matched = (lab - mean) * gain + wanted[inside].mean(axis=0)
    mixed = (lab + strength * (matched - lab)).astype(np.float32)
    return cv2.cvtColor(mixed, cv2.COLOR_LAB2RGB) * 255


def match_light(moved: np.ndarray, target: Image, mask: Mask, reach: float, strength: float) -> Floats:
    """`moved` with its slow changes of color under the mask `strength` of the way to the target's: light and shadow.

    Slow is what a Gaussian of `reach` pixels, weighted by the mask, leaves. Images (H, W, 3) in [0, 255].
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
    """`forged` with as much fine detail under the mask as the target has there, as forgers add sharpening and grain.

    Without it every resampled face would be told by its sharpness alone. Fine detail is what a Gaussian of one pixel
    takes away. Where there is too much, it is weakened; where there is too little, it is amplified by at most `sharpen`
    of itself, and the rest is gray grain, blurred by a Gaussian of `grain_size` pixels, of which compression then takes
    less. What counts as enough is `amount` times the target's. Images (H, W, 3) in [0, 255].
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
    """`forged` with as much detail of middle size under the mask as the target has there, up to a limit; no grain.

    For faces drawn at a small size: what is a little coarser than `match_detail`'s fine detail is weak in them too, and
    compression takes that away first. Middle is what Gaussians of one and of two pixels differ by. Images (H, W, 3) in
    [0, 255].
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
