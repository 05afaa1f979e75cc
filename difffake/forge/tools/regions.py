"""Masks of forgeries: which part of a face is replaced, and how its edge fades."""

import cv2
import numpy as np

from difffake.data.pseudo.regions import raise_brows
from difffake.forge.tools.face import Image, Mask, Points

LOWER_FACE = np.r_[2:15, 31:36, 48:68]
"""Jaw without its ends, the nose's base, the mouth."""


def drawn_in(landmarks: Points, inwards: float) -> Points:
    """Landmarks with brows raised a little and the jaw drawn in towards the nose.

    `inwards` 1 leaves the jaw where it is; at 0.85 chin, ears and the cheeks' edges stay the target's.
    """
    points = raise_brows(np.asarray(landmarks, dtype=np.float64))
    points[:17] = points[30] + inwards * (points[:17] - points[30])
    return points


def with_forehead(landmarks: Points, inwards: float) -> Points:
    """Landmarks as `drawn_in` gives them, and an arc over the forehead, about where the hair begins: (78, 2).

    Hairline to brows, brows to the nose's base and from there to the chin are about as long as each other; the arc
    goes up by most of that length, more in the middle than above the temples.
    """
    points = drawn_in(landmarks, inwards)
    brows = np.asarray(landmarks, dtype=np.float64)[17:27]
    up = (brows.mean(axis=0) - points[8]) / 2
    rise = 0.4 + 0.4 * np.sin(np.linspace(0, np.pi, len(brows)))
    return np.concatenate([points, brows + rise[:, None] * up])


def hull(points: Points, shape: tuple[int, ...]) -> Image:
    """Convex hull of points (N, 2) in an image of `shape`, as 0 or 255 with a smooth edge: (H, W) uint8."""
    filled = np.zeros(shape[:2], np.uint8)
    outline = cv2.convexHull(np.round(np.asarray(points) * 16).astype(np.int32))
    cv2.fillConvexPoly(filled, outline, 255, cv2.LINE_AA, 4)
    return filled


def soften(region: Image, feather: float) -> Mask:
    """Region (0 or 255) with an edge that fades on its inner side: 0 outside, 1 deeper inside than `feather` pixels.

    The fade is not cut off by the image's edge: a region that reaches it is 1 there.
    """
    reach = max(feather, 0.5)
    spread = 2 * round(reach) + 1
    around = cv2.copyMakeBorder(region, spread, spread, spread, spread, cv2.BORDER_REPLICATE)
    inner = cv2.erode(around, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (spread, spread)))
    soft = cv2.GaussianBlur(inner.astype(np.float32) / 255, (0, 0), reach / 2)[spread:-spread, spread:-spread].copy()
    soft[region == 0] = 0
    return np.minimum(soft, 1)  # the kernel's weights add up to 1 only nearly


def blend(target: Image, forged: np.ndarray, mask: Mask) -> Image:
    """`mask * forged + (1 - mask) * target`, rounded; images (H, W, 3), mask (H, W)."""
    alpha = mask[..., None]
    return np.clip(np.round(target + alpha * (forged - target.astype(np.float32))), 0, 255).astype(np.uint8)
