"""Moving a face onto other landmarks: triangle by triangle, or by one similarity transform."""

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import Delaunay

from difffake.data.pseudo.regions import raise_brows
from difffake.forge.tools.face import FaceImage, Image, Points, Unfit

MAX_FOLDED = 0.03
"""Largest share of a face that a warp may mirror; this happens if a cheek is turned away in one of the images."""


def mesh_points(landmarks: Points, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Points (86, 2) of a face's mesh: 68 landmarks, raised brows, 8 points on the border of an image of `shape`."""
    height, width = shape[:2]
    x, y = (0, (width - 1) / 2, width - 1), (0, (height - 1) / 2, height - 1)
    border = [(a, b) for a in x for b in y if (a, b) != (x[1], y[1])]
    points = np.asarray(landmarks, dtype=np.float64)
    return np.concatenate([points, raise_brows(points)[17:27], border])


def triangle_map(
    here: NDArray[np.float64], there: NDArray[np.float64], shape: tuple[int, ...]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Piecewise affine map between two sets of points.

    In each Delaunay triangle of `here`, the map is affine to the same triangle of `there`. Outside all triangles, the
    map of a neighboring triangle is continued; no pixel needs this if `here` has the image's corners.

    Args:
        here: points (N, 2).
        there: corresponding points (N, 2).
        shape: shape of the image (H, W, ...).

    Returns:
        The point (x, y) that each pixel maps to, (H, W, 2) float32, and a mask (H, W) bool of mirrored triangles.
    """
    triangles = Delaunay(here).simplices
    label = np.zeros(shape[:2], dtype=np.int32)
    corners = np.round(here[triangles] * 16).astype(np.int32)
    for number, corner in enumerate(corners):
        cv2.fillConvexPoly(label, corner, number, cv2.LINE_8, 4)
    # Affine map of each triangle: [x y 1] of the three corners times (3, 2) gives the corners in `there`.
    matrices = np.linalg.solve(np.dstack([here[triangles], np.ones((len(triangles), 3))]), there[triangles])
    turned = np.linalg.det(matrices[:, :2]) <= 0
    of_pixel = matrices.astype(np.float32)[label]
    y, x = np.indices(shape[:2], dtype=np.float32)
    return x[..., None] * of_pixel[..., 0, :] + y[..., None] * of_pixel[..., 1, :] + of_pixel[..., 2, :], turned[label]


def resample(image: Image, at: NDArray[np.float32]) -> Image:
    """Sample `image` at points (H, W, 2) with cubic interpolation; it is mirrored beyond its edge."""
    return cv2.remap(image, at, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)


def warped_onto(source: FaceImage, landmarks: Points, region: Image) -> Image:
    """Warp the source onto a target's `landmarks`, triangle by triangle: (H, W, 3) uint8, as large as `region`.

    `region` (H, W) uint8 is above 0 where the result will be used. Raises `Unfit` if more than the share `MAX_FOLDED`
    of it would be mirrored or come from outside the source's image, because the poses differ too much.
    """
    at, turned = triangle_map(
        mesh_points(landmarks, region.shape), mesh_points(source.landmarks, source.image.shape), region.shape
    )
    height, width = source.image.shape[:2]
    outside = (at < 0).any(axis=2) | (at[..., 0] > width - 1) | (at[..., 1] > height - 1)
    used = region > 0
    if used.any() and (turned | outside)[used].mean() > MAX_FOLDED:
        raise Unfit("the two poses differ too much for a warp")
    return resample(source.image, at)


def similarity(here: Points, there: Points) -> NDArray[np.float64]:
    """Similarity transform (2, 3) without mirroring (rotation, scale, shift) of points (N, 2) `here` to `there`.

    It is the least-squares solution.
    """
    x, y = np.asarray(here, dtype=np.float64).T
    ones, zeros = np.ones_like(x), np.zeros_like(x)
    rows = np.concatenate([np.stack([x, -y, ones, zeros], axis=1), np.stack([y, x, zeros, ones], axis=1)])
    a, b, move_x, move_y = np.linalg.lstsq(rows, np.asarray(there, dtype=np.float64).T.ravel(), rcond=None)[0]
    return np.array([[a, -b, move_x], [b, a, move_y]])


def transform(points: Points, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points (N, 2) moved by an affine matrix (2, 3)."""
    return np.asarray(points, dtype=np.float64) @ matrix[:, :2].T + matrix[:, 2]
