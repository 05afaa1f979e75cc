"""Warps against SciPy's interpolation and OpenCV's estimate."""

import cv2
import numpy as np
import pytest
from faces import drawn
from scipy.interpolate import LinearNDInterpolator

from difffake.drawn.people import Pose
from difffake.forge.tools.face import Unfit
from difffake.forge.tools.warp import mesh_points, similarity, transform, triangle_map, warped_onto

FULL = np.full((160, 160), 255, np.uint8)


def test_the_map_is_scipys_linear_interpolation_over_the_same_triangles() -> None:
    here, there = (
        mesh_points(drawn(0).landmarks, (160, 160)),
        mesh_points(drawn(1, pose=Pose(0.1)).landmarks, (160, 160)),
    )
    found, turned = triangle_map(here, there, (160, 160))
    y, x = np.indices((160, 160))
    expected = LinearNDInterpolator(here, there)(x, y)
    # A pixel on the line between two triangles may fall to either, whose maps are continuous but differ beside it.
    distance = np.linalg.norm(found - expected, axis=2)
    assert np.nanmedian(distance) < 1e-3
    assert np.nanquantile(distance, 0.99) < 0.3
    assert not turned[40:120, 40:120].any()


def test_the_identity_leaves_the_image_as_it_is() -> None:
    face = drawn(0)
    np.testing.assert_array_equal(warped_onto(face, face.landmarks, FULL), face.image)


def test_landmarks_outside_the_image_are_no_trouble() -> None:
    face = drawn(0)
    moved = face._replace(landmarks=face.landmarks + [60, 0])
    region = np.zeros((160, 160), np.uint8)
    region[60:90, 60:80] = 255
    assert warped_onto(face, moved.landmarks, region).shape == (160, 160, 3)


def test_turned_triangles_are_found() -> None:
    here = np.array([[0, 0], [20, 0], [0, 20], [20, 20], [10, 10]], float)
    there = here.copy()
    there[4] = (30, 10)  # beyond the right edge: the triangle to the right is turned over
    _, turned = triangle_map(here, there, (21, 21))
    assert turned[10, 17]
    assert not turned[10, 3]


def test_a_source_cut_off_by_its_image_is_refused() -> None:
    face = drawn(0)
    cut = face._replace(image=face.image[:, :90].copy())
    with pytest.raises(Unfit):
        warped_onto(cut, face.landmarks, FULL)


def test_similarity_is_opencvs() -> None:
    rng = np.random.default_rng(0)
    here = rng.uniform(0, 100, (40, 2))
    there = transform(here, np.array([[0.8, -0.3, 5], [0.3, 0.8, -7]])) + rng.normal(0, 0.01, (40, 2))
    expected, _ = cv2.estimateAffinePartial2D(here, there, method=cv2.LMEDS)
    np.testing.assert_allclose(similarity(here, there), expected, atol=0.01)
    mirrored = similarity(here, here * [-1, 1])
    assert np.linalg.det(mirrored[:, :2]) >= 0
