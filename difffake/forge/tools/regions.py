"""Masks of forgeries: the part of a face that is replaced, with a soft edge."""

import cv2
import numpy as np

from difffake.data.pseudo.regions import raise_brows
from difffake.forge.tools.face import Image, Mask, Points

LOWER_FACE = np.r_[2:15, 31:36, 48:68]
"""Jaw without its ends, the nose's base, the mouth."""


def drawn_in(landmarks: Points, inwards: float) -> Points:
    """Landmarks with slightly raised brows and with the jaw moved towards the nose.

    With `inwards` 1, the jaw is not moved. With 0.85, chin, ears and the edges of the cheeks stay the target's.
    """
    points = raise_brows(np.asarray(landmarks, dtype=np.float64))
    points[:17] = points[30] + inwards * (points[:17] - points[30])
    return points


def with_forehead(landmarks: Points, inwards: float) -> Points:
    """Landmarks of `drawn_in`, and an arc over the forehead, about at the hairline: (78, 2).

    The distances from hairline to brows, from brows to the base of the nose, and from there to the chin are about
    equal. The arc is most of this length above the brows, more in the middle than at the temples.
    """
    points = drawn_in(landmarks, inwards)
    brows = np.asarray(landmarks, dtype=np.float64)[17:27]
    up = (brows.mean(axis=0) - points[8]) / 2
    rise = 0.4 + 0.4 * np.sin(np.linspace(0, np.pi, len(brows)))
    return np.concatenate([points, brows + rise[:, None] * up])


def hull(points: Points, shape: tuple[int, ...]) -> Image:
    """Convex hull of points (N, 2) in an image of `shape`: (H, W) uint8, 0 or 255 with a smooth edge."""
    filled = np.zeros(shape[:2], np.uint8)
    outline = cv2.convexHull(np.round(np.asarray(points) * 16).astype(np.int32))
    cv2.fillConvexPoly(filled, outline, 255, cv2.LINE_AA, 4)
    return filled


def soften(region: Image, feather: float) -> Mask:
    """Give a region (0 or 255) a soft edge on its inner side: 0 outside, 1 from `feather` pixels inside on.

    There is no soft edge at the border of the image: a region that reaches the border is 1 there.
    """
    reach = max(feather, 0.5)
    spread = 2 * round(reach) + 1
    around = cv2.copyMakeBorder(region, spread, spread, spread, spread, cv2.BORDER_REPLICATE)
    inner = cv2.erode(around, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (spread, spread)))
    soft = cv2.GaussianBlur(inner.astype(np.float32) / 255, (0, 0), reach / 2)[spread:-spread, spread:-spread].copy()
    soft[region == 0] = 0
    return np.minimum(soft, 1)  # the kernel's weights sum to 1 only approximately


def blend(target: Image, forged: np.ndarray, mask: Mask) -> Image:
    """`mask * forged + (1 - mask) * target`, rounded; images (H, W, 3), mask (H, W)."""
    alpha = mask[..., None]
    return np.clip(np.round(target + alpha * (forged - target.astype(np.float32))), 0, 255).astype(np.uint8)
