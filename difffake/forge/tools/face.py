"""Input and output of a forgery method."""

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
    """(68, 2) x and y in pixels, iBUG order; some may be outside the image."""


class Forged(NamedTuple):
    """A forged target; its pixels are unchanged where the mask is 0."""

    image: Image
    """(H, W, 3) uint8 RGB, as large as the target."""
    mask: Mask
    """(H, W) float32 in [0, 1]: how much each pixel was changed."""
    landmarks: Points
    """(68, 2), landmarks of the forged face: those of the target, unless the expression was changed."""
    parameters: dict[str, float]
    """Random parameters of the forgery."""


Forgery = Callable[[FaceImage, FaceImage, np.random.Generator, np.random.Generator], Forged]
"""A forgery method: a function from (target, source, rng, grain) to a forged target.

All parameters come from `rng`; all frames of a clip get equal generators, so a clip has the same parameters. The noise
that replaces lost detail comes from `grain` and differs from frame to frame, like that of a camera. The function raises
`Unfit` if these two faces cannot be forged well.
"""


class Unfit(Exception):
    """A method cannot forge a pair of faces. The pair is skipped, and skipped.csv gets the message."""


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
