"""Moving a face onto other landmarks: triangle by triangle, or by one similarity."""

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import Delaunay

from difffake.data.pseudo.regions import raise_brows
from difffake.forge.tools.face import FaceImage, Image, Points, Unfit

MAX_FOLDED = 0.03
"""Largest share of a face that may be mirrored by a warp, as it is where a cheek turns away in one of the images."""


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
    """For each pixel of an image of `shape`, the point that it shows: (H, W, 2) float32, x and y; and what is mirrored.

    `here` and `there` are corresponding points (N, 2); in each Delaunay triangle of `here` the map is the affine one
    to the same triangle of `there`. Outside all triangles it goes on as in the nearest one drawn, which no pixel needs
    if `here` has the image's corners. The second result, (H, W) bool, marks triangles that are turned over.
    """
    triangles = Delaunay(here).simplices
    label = np.zeros(shape[:2], dtype=np.int32)
    corners = np.round(here[triangles] * 16).astype(np.int32)
    for number, corner in enumerate(corners):
        cv2.fillConvexPoly(label, corner, number, cv2.LINE_8, 4)
    # Affine of each triangle: [x y 1] of three corners times (3, 2) gives the corners there.
    matrices = np.linalg.solve(np.dstack([here[triangles], np.ones((len(triangles), 3))]), there[triangles])
    turned = np.linalg.det(matrices[:, :2]) <= 0
    of_pixel = matrices.astype(np.float32)[label]
    y, x = np.indices(shape[:2], dtype=np.float32)
    return x[..., None] * of_pixel[..., 0, :] + y[..., None] * of_pixel[..., 1, :] + of_pixel[..., 2, :], turned[label]


def resample(image: Image, at: NDArray[np.float32]) -> Image:
    """`image` at the points (H, W, 2), by cubics; beyond its edge it is mirrored."""
    return cv2.remap(image, at, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)


def warped_onto(source: FaceImage, landmarks: Points, region: Image) -> Image:
    """The source moved onto a target's `landmarks`, triangle by triangle: (H, W, 3) uint8, as large as `region`.

    `region` (H, W) uint8 is above 0 where the result will be used. Raises `Unfit` if more than `MAX_FOLDED` of that
    would be mirrored or come from outside the source's image, because the poses differ too much.
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
    """Similarity transform (2, 3), turning and scaling and moving, that takes points (N, 2) `here` nearest to `there`.

    Least squares; no mirroring.
    """
    x, y = np.asarray(here, dtype=np.float64).T
    ones, zeros = np.ones_like(x), np.zeros_like(x)
    rows = np.concatenate([np.stack([x, -y, ones, zeros], axis=1), np.stack([y, x, zeros, ones], axis=1)])
    a, b, move_x, move_y = np.linalg.lstsq(rows, np.asarray(there, dtype=np.float64).T.ravel(), rcond=None)[0]
    return np.array([[a, -b, move_x], [b, a, move_y]])


def transform(points: Points, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points (N, 2) moved by an affine matrix (2, 3)."""
    return np.asarray(points, dtype=np.float64) @ matrix[:, :2].T + matrix[:, 2]
