"""Colors of one image, and the affine transform that source and mask share."""

import math

import cv2
import numpy as np

from difffake.data.pseudo.config import ColorParameters, MaskParameters
from difffake.data.pseudo.window import Window

_LEVELS = np.arange(256, dtype=np.float32)
_HUE_BEFORE = np.mod(_LEVELS - 1, 180).astype(np.uint8)


def recolor(image: np.ndarray, color: ColorParameters, window: Window) -> np.ndarray:
    """Recolor (H, W, 3) uint8 RGB: RGB shift, HSV shift, brightness and contrast, then down-scale or sharpen.

    Each step does what albumentations' RGBShift, HueSaturationValue, RandomBrightnessContrast and Sharpen do to an
    8-bit image (SBI's and DiffFake's code), but that levels are rounded; only in HSV are they cut off, as there.
    The result is the `window` of the recolored image, but no more is recolored than that needs. (The same to the
    bit, except that OpenCV rounds a few pixels in the last corner of what it is given otherwise, by one level.)
    """
    height, width = image.shape[:2]
    if color.downscale is not None:
        # Nearest down-scaling takes pixels as they are. Taken first, it leaves a quarter of them to recolor, or less.
        size = (width // color.downscale, height // color.downscale)
        small = _shift_colors(cv2.resize(image, size, interpolation=cv2.INTER_NEAREST), color)
        return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)[window.cut]
    around = window.grown(1, height, width)  # what the sharpening kernel sees
    shifted = _shift_colors(image[around.cut], color)
    inner = window.moved(-around.left, -around.top)
    return _sharpen(shifted, color.sharpen_alpha, color.sharpen_lightness)[inner.cut]


def affine_matrix(mask: MaskParameters, height: int, width: int) -> np.ndarray:
    """Matrix (2, 3) from pixels of the image to pixels of the moved image: scaled about the center, then shifted."""
    (shift_x, shift_y), (scale_x, scale_y) = mask.shift, mask.scale
    return np.array(
        [
            [scale_x, 0, (1 - scale_x) * (width - 1) / 2 + shift_x * width],
            [0, scale_y, (1 - scale_y) * (height - 1) / 2 + shift_y * height],
        ]
    )


def move(image: np.ndarray, matrix: np.ndarray, origin: Window, window: Window) -> np.ndarray:
    """The `window` of a moved image, bilinear: (h, w, 3) uint8.

    Args:
        image: (h', w', 3) uint8, the part `origin` of the image; no more than `origin_of(window)` is needed.
        matrix: Affine transform (2, 3) of the whole image, as `affine_matrix` makes it.
        origin: Where the part lies in the image.
        window: Which part of the moved image to make.

    What comes in from outside is mirrored; the code fills it with black, which would draw a line no forgery has
    where a face touches the edge of its crop.
    """
    inside = matrix.copy()
    inside[:, 2] += matrix[:, :2] @ (origin.left, origin.top) - (window.left, window.top)
    # OpenCV warps four channels in half the time that it takes for three.
    padded = cv2.cvtColor(image, cv2.COLOR_RGB2RGBA)
    moved = cv2.warpAffine(padded, inside, window.size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    return cv2.cvtColor(moved, cv2.COLOR_RGBA2RGB)


def origin_of(window: Window, matrix: np.ndarray, height: int, width: int) -> Window:
    """The part of an image of `height` and `width` that comes into `window` under an affine matrix (2, 3)."""
    (scale_x, _, shift_x), (_, scale_y, shift_y) = matrix.tolist()
    left, right = _origin_along(window.left, window.right, scale_x, shift_x, width)
    top, bottom = _origin_along(window.top, window.bottom, scale_y, shift_y, height)
    return Window(left, top, right, bottom)


def _origin_along(low: int, high: int, scale: float, shift: float, size: int) -> tuple[int, int]:
    first = math.floor((low - shift) / scale)
    last = math.ceil((high - 1 - shift) / scale)
    # What lies outside is mirrored at the edge pixel: -k is k. One pixel more, as OpenCV rounds positions.
    return max(min(first, 2 * (size - 1) - last) - 1, 0), min(max(last, -first) + 2, size)


def _shift_colors(image: np.ndarray, color: ColorParameters) -> np.ndarray:
    if color.rgb_shift is not None:
        # Whole levels of one sign are several times as fast, and round(x + s) is x + round(s) for a level x.
        levels = [round(shift) for shift in color.rgb_shift]
        image = cv2.add(image, (*(max(level, 0) for level in levels), 0))
        image = cv2.subtract(image, (*(max(-level, 0) for level in levels), 0))
    if color.hsv_shift is not None:
        image = _shift_hsv(image, color.hsv_shift)
    # The fastest clipped `gain * image + offset` that OpenCV has.
    return cv2.addWeighted(image, color.gain, image, 0, color.offset)


def _shift_hsv(image: np.ndarray, shift: tuple[float, float, float]) -> np.ndarray:
    # As one long row: at the end of each, OpenCV rounds up to 31 pixels otherwise, which would leave a stripe.
    hsv = cv2.cvtColor(image.reshape(1, -1, 3), cv2.COLOR_RGB2HSV)
    hue, saturation, value = shift
    if max(abs(by) for by in shift) >= 1:
        hsv = cv2.LUT(hsv, _hsv_table(shift))
    else:
        # Cut off, level + shift is the level itself, or one less if the shift is negative: no table is needed but for
        # hue, which is a circle.
        if hue < 0:
            cv2.insertChannel(cv2.LUT(cv2.extractChannel(hsv, 0), _HUE_BEFORE), hsv, 0)
        cv2.subtract(hsv, (0, int(saturation < 0), int(value < 0), 0), dst=hsv)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB).reshape(image.shape)


def _hsv_table(shift: tuple[float, float, float]) -> np.ndarray:
    """(1, 256, 3) uint8, what becomes of each level of hue, saturation and value."""
    hue, saturation, value = (_LEVELS + by for by in shift)
    saturation[0] = 0  # gray has no hue to be saturated with
    table = np.stack([np.mod(hue, 180), np.clip(saturation, 0, 255), np.clip(value, 0, 255)], axis=-1)
    return table.astype(np.uint8)[None]


def _sharpen(image: np.ndarray, alpha: float, lightness: float) -> np.ndarray:
    kernel = np.full((3, 3), -alpha, dtype=np.float32)
    kernel[1, 1] = 1 - alpha + alpha * (8 + lightness)
    return cv2.filter2D(image, -1, kernel)
