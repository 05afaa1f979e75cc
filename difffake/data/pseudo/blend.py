"""One pseudo-deepfake from one real face."""

from typing import NamedTuple

import cv2
import numpy as np

from difffake.data.pseudo.config import Hull, Parameters, PseudoConfig, Region, sample_parameters
from difffake.data.pseudo.masks import blend_mask
from difffake.data.pseudo.regions import region_parts
from difffake.data.pseudo.transforms import affine_matrix, move, recolour
from difffake.errors import UserError

DEFAULTS = PseudoConfig()
MIN_SIDE = 64
_MIN_EXTENT = 4.0  # pixels


class PseudoDeepfake(NamedTuple):
    """A pseudo-deepfake and what it is made of; all images are (H, W, 3) uint8 RGB.

    `fake = alpha * mask * source + (1 - alpha * mask) * target`, rounded. The target is the real partner of the fake.
    """

    fake: np.ndarray
    target: np.ndarray  # the face itself, recoloured if the target was chosen for it
    source: np.ndarray  # the face moved a little, recoloured if the target was not
    mask: np.ndarray  # (H, W) float32 in [0, 1], without alpha
    alpha: float
    region: Region
    hull: Hull | None  # None unless the region is the whole face


def pseudo_deepfake(
    image: np.ndarray,
    landmarks: np.ndarray | None,
    rng: np.random.Generator,
    config: PseudoConfig = DEFAULTS,
    region: Region | None = None,
    hull: Hull | None = None,
) -> PseudoDeepfake:
    """Make a pseudo-deepfake of a real face.

    Source and target are the same face, one of them recoloured. The source and a mask of a part of the face are moved
    a little, the mask is deformed and smoothed, and the source is blended into the target. Whole-face masks leave
    global artefacts, the other regions local ones. All randomness comes from `rng`.

    Args:
        image: (H, W, 3) uint8 RGB, a face with the margin of DiffFake's crop (its box enlarged 1.3 times).
        landmarks: (68, 2) x and y in pixels, iBUG order. Some may lie outside the image.
        rng: Such as `difffake.randomness.generator(seed, epoch, index)`.
        config: Probabilities and ranges.
        region: A region instead of a drawn one.
        hull: A hull of the whole face instead of a drawn one.

    If nothing of the region lies in the image, the hull of the whole face is taken instead (and said so in the
    result), because a fake without a trace would be a wrong label.

    Raises `UserError` for another kind of image, a side below 64 pixels, and landmarks that are missing, not finite,
    all in one place or wholly outside. Source: DiffFake (arXiv 2502.16247, section 3) and its code, which cuts the
    blended levels off instead of rounding them.
    """
    _check_image(image)
    height, width = image.shape[:2]
    points = _checked_landmarks(landmarks, height, width)
    drawn = sample_parameters(rng, config, region, hull)
    matrix = affine_matrix(drawn.mask, height, width)

    def mask_of(drawn: Parameters) -> np.ndarray:
        parts = region_parts(points, drawn.region, drawn.hull)
        elastic = config.elastic_alpha, config.elastic_sigma
        return blend_mask(parts, (height, width), matrix, drawn.mask, *elastic, rng)

    mask = mask_of(drawn)
    if not mask.any():
        drawn = drawn._replace(region="face", hull="facehull")
        mask = mask_of(drawn)
        if not mask.any():
            raise UserError("the face lies at the very edge of the image: crop it with more margin, or leave it out")

    recoloured = recolour(image, drawn.colour)
    source, target = (recoloured, image) if drawn.recolour_source else (image, recoloured)
    source = move(source, matrix)
    fake = blend(source, target, mask, drawn.alpha)
    return PseudoDeepfake(fake, target.copy(), source, mask, drawn.alpha, drawn.region, drawn.hull)


def blend(source: np.ndarray, target: np.ndarray, mask: np.ndarray, alpha: float) -> np.ndarray:
    """`alpha * mask * source + (1 - alpha * mask) * target`, rounded; images (H, W, 3) uint8, mask (H, W) float32."""
    # Most of the image is outside of the mask, where the target stays as it is.
    x, y, width, height = cv2.boundingRect(cv2.compare(mask, 0, cv2.CMP_GT))
    window = np.s_[y : y + height, x : x + width]
    weight = np.float32(alpha) * mask[window]
    fake = target.copy()
    fake[window] = cv2.blendLinear(source[window], target[window], weight, 1 - weight)
    return fake


def _check_image(image: np.ndarray) -> None:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise UserError(f"the image is {image.shape} {image.dtype}, but must be (H, W, 3) uint8 RGB")
    if min(image.shape[:2]) < MIN_SIDE:
        raise UserError(
            f"the image is {image.shape[1]}x{image.shape[0]} pixels, but a pseudo-deepfake needs {MIN_SIDE} a side"
        )


def _checked_landmarks(landmarks: np.ndarray | None, height: int, width: int) -> np.ndarray:
    if landmarks is None:
        raise UserError("the face has no landmarks: make the manifest with `difffake prepare`, which finds them")
    points = np.asarray(landmarks, dtype=np.float64)
    if points.shape != (68, 2) or not np.isfinite(points).all():
        raise UserError(f"the landmarks are {points.shape}, but must be 68 finite points (68, 2)")
    low, high = points.min(axis=0), points.max(axis=0)
    if (high - low).min() < _MIN_EXTENT:
        raise UserError("the landmarks lie all in one place or line: find them again, or leave the face out")
    if (high < 0).any() or (low > [width - 1, height - 1]).any():
        raise UserError(f"the landmarks lie outside the {width}x{height} image: they must be in pixels of the crop")
    return points
