"""Colors of one image, and the affine transform that source and mask share."""

import math

import cv2
import numpy as np

from difffake.data.pseudo.config import ColorParameters, MaskParameters
from difffake.data.pseudo.window import Window

_LEVELS = np.arange(256, dtype=np.float32)
_HUE_BEFORE = np.mod(_LEVELS - 1, 180).astype(np.uint8)


def recolor(image: np.ndarray, color: ColorParameters, window: Window) -> np.ndarray:
    """Change colors: RGB shift, HSV shift, brightness and contrast, then scaling down and back or sharpening.

    The steps are those of albumentations' RGBShift, HueSaturationValue, RandomBrightnessContrast and Sharpen on an
    8-bit image (as in the code of SBI and DiffFake), but levels are rounded; only in HSV are they truncated as there.
    Only the pixels that the window needs are changed. The result is bit for bit the window of the whole recolored
    image, except for a few pixels in the last corner that OpenCV rounds differently by one level.

    Args:
        image: (H, W, 3) uint8 RGB.
        color: parameters of the changes.
        window: part of the image to return.
    """
    height, width = image.shape[:2]
    if color.downscale is not None:
        # Nearest-neighbor scaling does not change pixels. If it is done first, at most a quarter must be recolored.
        size = (width // color.downscale, height // color.downscale)
        small = _shift_colors(cv2.resize(image, size, interpolation=cv2.INTER_NEAREST), color)
        return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)[window.cut]
    around = window.grown(1, height, width)  # the sharpening kernel needs one more pixel
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
    """Move an image (bilinear) and return a window (h, w, 3) uint8 of the result.

    Pixels from outside the image are mirrored. DiffFake's code fills them with black, which draws a line that real
    forgeries do not have if a face touches the edge of its crop.

    Args:
        image: (h', w', 3) uint8, the part `origin` of the image; `origin_of(window)` is enough.
        matrix: affine transform (2, 3) of the whole image, from `affine_matrix`.
        origin: position of the part in the image.
        window: part of the moved image to make.
    """
    inside = matrix.copy()
    inside[:, 2] += matrix[:, :2] @ (origin.left, origin.top) - (window.left, window.top)
    # OpenCV warps four channels in half the time that it takes for three.
    padded = cv2.cvtColor(image, cv2.COLOR_RGB2RGBA)
    moved = cv2.warpAffine(padded, inside, window.size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    return cv2.cvtColor(moved, cv2.COLOR_RGBA2RGB)


def origin_of(window: Window, matrix: np.ndarray, height: int, width: int) -> Window:
    """The part of an image of `height` x `width` that an affine transform (2, 3) moves into `window`."""
    (scale_x, _, shift_x), (_, scale_y, shift_y) = matrix.tolist()
    left, right = _origin_along(window.left, window.right, scale_x, shift_x, width)
    top, bottom = _origin_along(window.top, window.bottom, scale_y, shift_y, height)
    return Window(left, top, right, bottom)


def _origin_along(low: int, high: int, scale: float, shift: float, size: int) -> tuple[int, int]:
    first = math.floor((low - shift) / scale)
    last = math.ceil((high - 1 - shift) / scale)
    # Pixels outside are mirrored at the edge pixel: -k is k. One more pixel is added, because OpenCV rounds positions.
    return max(min(first, 2 * (size - 1) - last) - 1, 0), min(max(last, -first) + 2, size)


def _shift_colors(image: np.ndarray, color: ColorParameters) -> np.ndarray:
    if color.rgb_shift is not None:
        # Integer shifts of the same sign are several times as fast, and round(x + s) is x + round(s) for a level x.
        levels = [round(shift) for shift in color.rgb_shift]
        image = cv2.add(image, (*(max(level, 0) for level in levels), 0))
        image = cv2.subtract(image, (*(max(-level, 0) for level in levels), 0))
    if color.hsv_shift is not None:
        image = _shift_hsv(image, color.hsv_shift)
    # The fastest clipped `gain * image + offset` that OpenCV has.
    return cv2.addWeighted(image, color.gain, image, 0, color.offset)


def _shift_hsv(image: np.ndarray, shift: tuple[float, float, float]) -> np.ndarray:
    # Convert as one long row: at the end of a row, OpenCV rounds up to 31 pixels differently, which gives a stripe.
    hsv = cv2.cvtColor(image.reshape(1, -1, 3), cv2.COLOR_RGB2HSV)
    hue, saturation, value = shift
    if max(abs(by) for by in shift) >= 1:
        hsv = cv2.LUT(hsv, _hsv_table(shift))
    else:
        # Truncated, level + shift is the level itself, or one less if the shift is negative. So a table is needed for
        # hue only, which is circular.
        if hue < 0:
            cv2.insertChannel(cv2.LUT(cv2.extractChannel(hsv, 0), _HUE_BEFORE), hsv, 0)
        cv2.subtract(hsv, (0, int(saturation < 0), int(value < 0), 0), dst=hsv)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB).reshape(image.shape)


def _hsv_table(shift: tuple[float, float, float]) -> np.ndarray:
    """(1, 256, 3) uint8: the new level for each level of hue, saturation and value."""
    hue, saturation, value = (_LEVELS + by for by in shift)
    saturation[0] = 0  # gray has no hue, so it stays gray
    table = np.stack([np.mod(hue, 180), np.clip(saturation, 0, 255), np.clip(value, 0, 255)], axis=-1)
    return table.astype(np.uint8)[None]


def _sharpen(image: np.ndarray, alpha: float, lightness: float) -> np.ndarray:
    kernel = np.full((3, 3), -alpha, dtype=np.float32)
    kernel[1, 1] = 1 - alpha + alpha * (8 + lightness)
    return cv2.filter2D(image, -1, kernel)
