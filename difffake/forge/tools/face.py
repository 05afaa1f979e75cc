"""What a forgery takes and gives."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from difffake.errors import UserError

Image = NDArray[np.uint8]
Mask = NDArray[np.float32]
Points = NDArray[np.floating]


class FaceImage(NamedTuple):
    """A face crop and its landmarks."""

    image: Image
    """(H, W, 3) uint8 RGB."""
    landmarks: Points
    """(68, 2) x and y in pixels, iBUG order; some may lie outside the image."""


class Forged(NamedTuple):
    """A forged target; where the mask is 0 its pixels are untouched."""

    image: Image
    """(H, W, 3) uint8 RGB, as large as the target."""
    mask: Mask
    """(H, W) float32 in [0, 1], how much of each pixel was changed."""
    landmarks: Points
    """(68, 2), where the forged face's landmarks are: the target's, unless its expression was changed."""
    parameters: dict[str, float]
    """What was drawn at random for it."""


Forgery = Callable[[FaceImage, FaceImage, np.random.Generator, np.random.Generator], Forged]
"""A method: (target, source, rng, grain) to a forged target.

All parameters come from `rng`, so a clip is forged with one setting by giving every frame an equal one; the noise that
makes up for lost detail comes from `grain` and differs from frame to frame, as a camera's does.
Raises `Unfit` where these two faces cannot be forged well.
"""


class Unfit(Exception):
    """Why a pair of faces cannot be forged by a method; it is skipped and this is noted."""


def check(*faces: FaceImage) -> None:
    """Raise `UserError` for faces without 68 finite landmarks or with another kind of image."""
    for face in faces:
        if np.shape(face.landmarks) != (68, 2) or not np.isfinite(face.landmarks).all():
            raise UserError(
                f"a forgery needs 68 landmarks (68, 2), not {np.shape(face.landmarks)}: prepare the faces again"
            )
        if face.image.ndim != 3 or face.image.shape[2] != 3 or face.image.dtype != np.uint8:
            raise UserError(f"a forgery needs (H, W, 3) uint8 RGB, not {face.image.shape} {face.image.dtype}")


def face_width(landmarks: Points) -> float:
    """Distance from one end of the jaw to the other, in pixels."""
    return float(np.linalg.norm(landmarks[16] - landmarks[0]))
