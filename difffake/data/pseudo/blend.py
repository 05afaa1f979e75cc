"""One pseudo-deepfake from one real face."""

from typing import Literal, NamedTuple

import cv2
import numpy as np

from difffake.data.pseudo.config import Hull, Parameters, PseudoConfig, Region, sample_parameters
from difffake.data.pseudo.masks import BlendMask, blend_mask
from difffake.data.pseudo.regions import region_parts
from difffake.data.pseudo.transforms import affine_matrix, move, origin_of, recolor
from difffake.data.pseudo.window import Window
from difffake.errors import UserError

DEFAULTS = PseudoConfig()
MIN_SIDE = 64
_MIN_EXTENT = 4.0  # pixels


class PseudoDeepfake(NamedTuple):
    """A pseudo-deepfake and the images that it is made from; images are uint8 RGB.

    In the window, `fake = alpha * mask * source + (1 - alpha * mask) * target`, rounded. Outside, the mask is 0 and
    `fake = target`. The target is the real face of the pair.
    """

    fake: np.ndarray  # (H, W, 3)
    target: np.ndarray  # (H, W, 3), the face, recolored if the source is not
    source: np.ndarray  # (h, w, 3), the window of the slightly moved face, recolored if the target is not
    mask: np.ndarray  # (h, w) float32 in [0, 1], without alpha
    alpha: float
    region: Region | Literal["whole"]  # whole: all of the image, which only a twin can be
    hull: Hull | None  # None unless the region is the whole face
    window: Window | None = (
        None  # position of source and mask in the image; None: they have the size (H, W) of the image
    )


def pseudo_deepfake(
    image: np.ndarray,
    landmarks: np.ndarray | None,
    rng: np.random.Generator,
    config: PseudoConfig = DEFAULTS,
    region: Region | None = None,
    hull: Hull | None = None,
    whole: bool = False,
    inner: np.ndarray | None = None,
) -> PseudoDeepfake:
    """Make a pseudo-deepfake of a real face.

    Source and target are the same face, and one of them is recolored. The source and a mask of a part of the face are
    moved slightly. The mask is deformed and smoothed, and the source is blended into the target. Whole-face masks leave
    global artifacts, the other regions local ones. If no part of the region is inside the image, the hull of the whole
    face is used instead, because a fake without a change would have a wrong label; the result says which was used.

    Source: DiffFake (arXiv 2502.16247, section 3) and its code, which truncates the blended levels instead of rounding.

    Args:
        image: (H, W, 3) uint8 RGB, a face with the margin of DiffFake's crop (its box enlarged 1.3 times).
        landmarks: (68, 2) x and y in pixels, iBUG order. Some may be outside the image.
        rng: source of random numbers, such as `difffake.randomness.generator(seed, epoch, index)`.
        config: probabilities and ranges.
        region: region to use instead of a random one.
        hull: hull of the whole face to use instead of a random one.
        whole: make source and mask for the whole image, for pictures. By default they are made only around the mask.
        inner: (H, W, 3) uint8, another picture of the same face that the source is made from, such as its twin; by
            default the image itself.

    Raises:
        UserError: the image has another type or a side below 64 pixels; or the landmarks are missing, not finite, all
            in one place, or all outside the image.
    """
    check_image(image)
    height, width = image.shape[:2]
    points = _checked_landmarks(landmarks, height, width)
    drawn = sample_parameters(rng, config, region, hull)
    matrix = affine_matrix(drawn.mask, height, width)

    def mask_of(drawn: Parameters) -> BlendMask | None:
        parts = region_parts(points, drawn.region, drawn.hull)
        elastic = config.elastic_alpha, config.elastic_sigma
        return blend_mask(parts, (height, width), matrix, drawn.mask, *elastic, rng)

    mask = mask_of(drawn)
    if mask is None:
        drawn = drawn._replace(region="face", hull="facehull")
        mask = mask_of(drawn)
        if mask is None:
            raise UserError("the face is at the very edge of the image: crop it with more margin, or leave it out")

    everything = Window(0, 0, width, height)
    values, window = mask
    if whole:
        values, window = np.zeros((height, width), dtype=np.float32), everything
        values[mask.window.cut] = mask.values
    origin = origin_of(window, matrix, height, width)
    copied = image if inner is None else inner
    if drawn.recolor_source:
        target, face = image.copy(), recolor(copied, drawn.color, origin)
    else:
        target, face = recolor(image, drawn.color, everything), copied[origin.cut]
    source = move(face, matrix, origin, window)
    fake = target.copy()
    fake[window.cut] = blend(source, target[window.cut], values, drawn.alpha)
    return PseudoDeepfake(
        fake, target, source, values, drawn.alpha, drawn.region, drawn.hull, None if whole else window
    )


def blend(source: np.ndarray, target: np.ndarray, mask: np.ndarray, alpha: float) -> np.ndarray:
    """`alpha * mask * source + (1 - alpha * mask) * target`, rounded; images (h, w, 3) uint8, mask (h, w) float32."""
    weight = np.float32(alpha) * mask
    return cv2.blendLinear(source, target, weight, 1 - weight)


def check_image(image: np.ndarray) -> None:
    """Raise `UserError` unless a pseudo-deepfake can be made of an image: (H, W, 3) uint8 of `MIN_SIDE` or more."""
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise UserError(f"the image is {image.shape} {image.dtype}, but must be (H, W, 3) uint8 RGB")
    if min(image.shape[:2]) < MIN_SIDE:
        raise UserError(
            f"the image is {image.shape[1]}x{image.shape[0]} pixels, but a pseudo-deepfake needs {MIN_SIDE} per side"
        )


def _checked_landmarks(landmarks: np.ndarray | None, height: int, width: int) -> np.ndarray:
    if landmarks is None:
        raise UserError("the face has no landmarks: make the manifest with `difffake prepare`, which finds them")
    points = np.asarray(landmarks, dtype=np.float64)
    if points.shape != (68, 2) or not np.isfinite(points).all():
        raise UserError(f"the landmarks are {points.shape}, but must be 68 finite points (68, 2)")
    (left, top), (right, bottom) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    if min(right - left, bottom - top) < _MIN_EXTENT:
        raise UserError("the landmarks are all in one place or on one line: find them again, or leave the face out")
    if right < 0 or bottom < 0 or left > width - 1 or top > height - 1:
        raise UserError(f"the landmarks are outside the {width}x{height} image: they must be in pixels of the crop")
    if min(left + width, top + height, 2 * width - right, 2 * height - bottom) < 0:
        # A landmark far outside would make the deformed outline, and its noise, arbitrarily large.
        points = np.clip(points, (-width, -height), (2 * width, 2 * height))
    return points
