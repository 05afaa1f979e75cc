"""Square crops around faces."""

from collections.abc import Sequence

import cv2
import numpy as np

from difffake.faces.detection import Face
from difffake.faces.squares import square_box

MARGIN = 1.3
"""Side of a crop as a multiple of the side of the face's box, as in DiffFake."""


def crop_face(
    image: np.ndarray, face: Face, margin: float = MARGIN, max_size: int = 384
) -> tuple[np.ndarray, np.ndarray, tuple[int, int, int, int]]:
    """Cut out the square crop around a face.

    Args:
        image: image (H, W, 3) uint8.
        face: the face.
        margin: side of the crop as a multiple of the longer side of the face's box.
        max_size: largest side of the crop in pixels; larger crops are scaled down to it.

    Returns:
        The crop (S, S, 3) uint8, the landmarks (68, 2) in pixels of the crop, and the square (x0, y0, x1, y1) in the
        image.
    """
    box = square_box(face.box, margin, *image.shape[:2])
    crop = image[box[1] : box[3], box[0] : box[2]]
    landmarks = face.landmarks - np.array(box[:2], dtype=np.float32)
    side = box[2] - box[0]
    if side > max_size:
        crop = cv2.resize(crop, (max_size, max_size), interpolation=cv2.INTER_AREA)
        landmarks = landmarks * (max_size / side)
    return crop, landmarks, box


def resize_crops(crops: Sequence[np.ndarray], size: int) -> np.ndarray:
    """Resize crops (H, W, 3) uint8 to (N, 3, size, size) uint8, the input of a detector before its normalization.

    Bilinear interpolation down to half the size; below that it would leave out pixels, so they are averaged over areas.
    """
    resized = np.empty((len(crops), 3, size, size), np.uint8)
    for crop, planes in zip(crops, resized, strict=True):
        if crop.shape[:2] != (size, size):
            large = max(crop.shape[:2]) > 2 * size
            crop = cv2.resize(crop, (size, size), interpolation=cv2.INTER_AREA if large else cv2.INTER_LINEAR)
        cv2.split(crop, list(planes))  # several times as fast as a transposed copy
    return resized
