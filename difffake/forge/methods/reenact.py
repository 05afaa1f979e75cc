"""Reenactment: the target's own pixels with another face's expression."""

import cv2
import numpy as np

from difffake.forge.method import Method
from difffake.forge.tools.face import FaceImage, Forged, Points, Unfit, check, face_width
from difffake.forge.tools.regions import blend, hull, soften
from difffake.forge.tools.tone import match_detail
from difffake.forge.tools.warp import mesh_points, resample, similarity, transform, triangle_map

_STABLE = np.r_[27:31, 36, 39, 42, 45]
"""Nose ridge and the corners of the eyes, which expressions do not move."""
_INNER_LIPS = np.r_[60:68]
_FOLLOWS = np.zeros(68)
"""How far each landmark moves towards the source's: 1 for the mouth, 0 for the upper jaw."""
_FOLLOWS[48:68] = 1.0
_FOLLOWS[5:12] = 0.7
_FOLLOWS[[4, 12]] = 0.35
_FOLLOWS[17:27] = 0.6
_FOLLOWS[31:36] = 0.4
_FOLLOWS[[37, 38, 40, 41, 43, 44, 46, 47]] = 0.7
_RING = 1.4
"""Distance of the fixed points around the face from its nose, as a multiple of jaw's and brows'."""
_FARTHEST = 0.16
"""Largest movement of a landmark, as a share of the face's width."""


def reenact(target: FaceImage, source: FaceImage, rng: np.random.Generator, grain: np.random.Generator) -> Forged:
    """Move the target's face to the source's expression; only the inside of an opened mouth is the source's.

    It represents Face2Face (Thies et al., CVPR 2016) in FaceForensics++: the source gives only the motion; identity and
    skin stay the target's. Traces: stretched skin, the inside of another person's mouth. The mask contains the pixels
    that moved by more than a fraction of a pixel, and the inside of the mouth.
    """
    check(target, source)
    parameters = {"strength": rng.uniform(0.8, 1.0), "feather": rng.uniform(0.04, 0.07)}
    wanted = _moved(target.landmarks, source.landmarks, parameters["strength"])
    width = face_width(target.landmarks)
    around = _ring(target.landmarks)
    here, there = (
        np.concatenate([mesh_points(points, target.image.shape), around]) for points in (wanted, target.landmarks)
    )
    at, turned = triangle_map(here, there, target.image.shape)
    # The inside of closed lips has no area, so its triangles are of no use; the source's mouth covers them.
    face = (hull(wanted, target.image.shape) > 0) & (hull(wanted[_INNER_LIPS], target.image.shape) == 0)
    if (turned & face).sum() > 0.01 * face.sum():
        raise Unfit("the expressions differ too much for a warp")
    y, x = np.indices(at.shape[:2], dtype=np.float32)
    shift = np.hypot(at[..., 0] - x, at[..., 1] - y)
    region = np.where(shift > 0.1, 255, 0).astype(np.uint8)
    mask = soften(_closed(region, width), parameters["feather"] * width)
    if mask.max() < 0.9:
        raise Unfit("the source has the same expression as the target")
    moved = match_detail(resample(target.image, at), target.image, mask, grain)
    result = blend(target.image, moved, mask)
    result, inside = _with_mouth(result, target, wanted, source, grain)
    return Forged(result, np.maximum(mask, inside), wanted, parameters)


def _moved(target: Points, source: Points, strength: float) -> Points:
    """The target's landmarks with the source's expression.

    A similarity transform aligns the landmarks that expressions do not move. The remaining difference is motion, and
    the different shape of another person, which `_FOLLOWS` keeps small.
    """
    aligned = transform(source, similarity(source[_STABLE], target[_STABLE]))
    # The mouth keeps its width and position, and gets the source's shape.
    mouth = slice(48, 68)
    scale = 0.5 * (1 + np.ptp(target[mouth, 0]) / max(float(np.ptp(aligned[mouth, 0])), 1e-3))
    middle = aligned[48:55:6].mean(axis=0)
    aligned[mouth] = target[48:55:6].mean(axis=0) + scale * (aligned[mouth] - middle)
    shift = strength * _FOLLOWS[:, None] * (aligned - target)
    length = np.linalg.norm(shift, axis=1, keepdims=True)
    limit = _FARTHEST * face_width(target)
    return np.asarray(target, dtype=np.float64) + shift * np.minimum(1, limit / np.maximum(length, 1e-6))


def _closed(region: np.ndarray, width: float) -> np.ndarray:
    """Region without holes and parts narrower than a twelfth of the face's width."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * max(1, round(width / 24)) + 1,) * 2)
    return cv2.morphologyEx(region, cv2.MORPH_CLOSE, kernel)


def _ring(landmarks: Points) -> np.ndarray:
    """Fixed points (27, 2) around the face, so that the background does not move."""
    points = np.asarray(landmarks, dtype=np.float64)
    return points[30] + _RING * (points[:27] - points[30])


def _with_mouth(
    image: np.ndarray, target: FaceImage, wanted: Points, source: FaceImage, grain: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Insert the inside of the source's mouth if the mouth is opened wider than the target's was."""
    lips = wanted[_INNER_LIPS]
    opened = _opening(wanted) - _opening(target.landmarks)
    region = hull(lips, image.shape)
    if opened < 0.02 * face_width(target.landmarks) or _opening(source.landmarks) < 1 or not (region > 127).any():
        return image, np.zeros(image.shape[:2], np.float32)
    at, _ = triangle_map(
        np.concatenate([lips, mesh_points(wanted, image.shape)[-8:]]),
        np.concatenate([source.landmarks[_INNER_LIPS], mesh_points(source.landmarks, source.image.shape)[-8:]]),
        image.shape,
    )
    mask = soften(region, 1.5)
    around = soften(hull(wanted[48:60], image.shape), 1.0)
    # Match the brightness to the target's lips and skin, by the surroundings of both mouths.
    borrowed = resample(source.image, at).astype(np.float32)
    lips_of_source = hull(source.landmarks[48:60], source.image.shape) > 127
    lips_of_target = around > 0.5
    level = image[lips_of_target].mean() / max(float(source.image[lips_of_source].mean()), 1.0)
    borrowed = match_detail(np.clip(borrowed * np.clip(level, 0.6, 1.5), 0, 255), target.image, mask, grain)
    return blend(image, borrowed, mask), mask


def _opening(landmarks: Points) -> float:
    """Height of the gap between the lips, in pixels."""
    return float(np.linalg.norm(landmarks[62] - landmarks[66]))


METHOD = Method(reenact)
