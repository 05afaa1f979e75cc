"""Colours of one image, and the affine transform that source and mask share."""

import cv2
import numpy as np

from difffake.data.pseudo.config import ColourParameters, MaskParameters

_LEVELS = np.arange(256, dtype=np.float32)


def recolour(image: np.ndarray, colour: ColourParameters) -> np.ndarray:
    """Recolour (H, W, 3) uint8 RGB: RGB shift, HSV shift, brightness and contrast, then down-scale or sharpen.

    Each step does what albumentations' RGBShift, HueSaturationValue, RandomBrightnessContrast and Sharpen do to an
    8-bit image (SBI's and DiffFake's code), but that levels are rounded; only in HSV are they cut off, as there.
    """
    if colour.rgb_shift is not None:
        image = cv2.add(image, (*colour.rgb_shift, 0.0))
    if colour.hsv_shift is not None:
        image = _shift_hsv(image, colour.hsv_shift)
    # The fastest clipped `gain * image + offset` that OpenCV has.
    image = cv2.addWeighted(image, colour.gain, image, 0, colour.offset)
    if colour.downscale is not None:
        return _downscale(image, colour.downscale)
    return _sharpen(image, colour.sharpen_alpha, colour.sharpen_lightness)


def affine_matrix(mask: MaskParameters, height: int, width: int) -> np.ndarray:
    """Matrix (2, 3) from pixels of the image to pixels of the moved image: scaled about the centre, then shifted."""
    (shift_x, shift_y), (scale_x, scale_y) = mask.shift, mask.scale
    return np.array(
        [
            [scale_x, 0, (1 - scale_x) * (width - 1) / 2 + shift_x * width],
            [0, scale_y, (1 - scale_y) * (height - 1) / 2 + shift_y * height],
        ]
    )


def move(image: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Image (H, W, 3) uint8 under an affine matrix (2, 3), bilinear.

    What comes in from outside is mirrored; the code fills it with black, which would draw a line no forgery has
    where a face touches the edge of its crop.
    """
    height, width = image.shape[:2]
    # OpenCV warps four channels in half the time that it takes for three.
    padded = cv2.cvtColor(image, cv2.COLOR_RGB2RGBA)
    moved = cv2.warpAffine(padded, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    return cv2.cvtColor(moved, cv2.COLOR_RGBA2RGB)


def _shift_hsv(image: np.ndarray, shift: tuple[float, float, float]) -> np.ndarray:
    hue, saturation, value = (_LEVELS + by for by in shift)
    saturation[0] = 0  # grey has no hue to be saturated with
    table = np.stack([np.mod(hue, 180), np.clip(saturation, 0, 255), np.clip(value, 0, 255)], axis=-1)
    hsv = cv2.LUT(cv2.cvtColor(image, cv2.COLOR_RGB2HSV), table.astype(np.uint8)[None])
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)


def _downscale(image: np.ndarray, factor: int) -> np.ndarray:
    height, width = image.shape[:2]
    small = cv2.resize(image, (width // factor, height // factor), interpolation=cv2.INTER_NEAREST)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)


def _sharpen(image: np.ndarray, alpha: float, lightness: float) -> np.ndarray:
    kernel = np.full((3, 3), -alpha, dtype=np.float32)
    kernel[1, 1] = 1 - alpha + alpha * (8 + lightness)
    return cv2.filter2D(image, -1, kernel)
