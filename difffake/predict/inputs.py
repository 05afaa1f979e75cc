"""Conversion of images from Python (arrays, tensors, PIL) to RGB arrays."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from difffake.errors import UserError


def as_rgb(image: Any) -> np.ndarray:
    """Convert one image to (H, W, 3) uint8 RGB.

    Args:
        image: a PIL image, or an array or tensor of shape (H, W), (H, W, C) or (C, H, W). C is 1 (gray), 3 (RGB) or 4
            (RGB and transparency, which is left out). Values are uint8, or floats in [0, 1].

    Raises:
        UserError: the image has another type, shape or range. A wrong guess would give a score that looks right.
    """
    if isinstance(image, str | Path):
        raise UserError(f"{image} is a path in a list of images: give a list of paths only, or of images only")
    if isinstance(image, Image.Image):
        if image.mode[0] in "IF":  # more than 8 bits, which Pillow would clip
            raise UserError(f"an image has Pillow's mode {image.mode}: convert it to RGB")
        return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    if not _is_array(image):
        raise UserError(f"an image is a {type(image).__name__}: give an array (H, W, 3) of uint8, or a PIL image")
    array = image if isinstance(image, np.ndarray) else image.detach().cpu().numpy()
    return np.ascontiguousarray(_as_uint8(_channels_last(array)))


def is_single(images: Any) -> bool:
    """Whether an argument is one image, not a list of images."""
    if _is_array(images):
        return bool(images.ndim != 4)
    return not isinstance(images, Iterable) or isinstance(images, str | bytes | Image.Image)


def _is_array(image: Any) -> bool:
    """Whether something is an array or a tensor; without torch in memory, nothing is a tensor."""
    torch = sys.modules.get("torch")
    return isinstance(image, np.ndarray) or (torch is not None and isinstance(image, torch.Tensor))


def _channels_last(array: np.ndarray) -> np.ndarray:
    """Convert an array with channels first or last, and 1, 3 or 4 of them, to (H, W, 3)."""
    shape = tuple(array.shape)
    if 0 in shape or array.ndim not in (2, 3):
        raise UserError(f"an image has the shape {shape}: give (height, width, 3)")
    if array.ndim == 2:
        array = array[..., None]
    elif array.shape[2] not in (1, 3, 4) and array.shape[0] in (1, 3, 4):
        array = array.transpose(1, 2, 0)
    if array.shape[2] not in (1, 3, 4):
        raise UserError(f"an image has the shape {shape}: give (height, width, 3)")
    return array[..., [0, 0, 0]] if array.shape[2] == 1 else array[..., :3]


def _as_uint8(array: np.ndarray) -> np.ndarray:
    if array.dtype == np.uint8:
        return array
    if not np.issubdtype(array.dtype, np.floating):
        raise UserError(f"an image has the type {array.dtype}: give uint8 (0 to 255) or floats in [0, 1]")
    low, high = float(array.min()), float(array.max())
    if not (low >= 0 and high <= 1):  # also true of NaN
        raise UserError(f"an image has floats from {low:g} to {high:g}: give floats in [0, 1], or uint8")
    return np.round(array.astype(np.float64) * 255).astype(np.uint8)
