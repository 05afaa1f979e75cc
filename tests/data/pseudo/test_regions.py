"""The regions against geometry worked out from the method's index lists."""

import numpy as np
import pytest
from scipy.spatial import ConvexHull

from difffake.data.pseudo.config import Hull, Region
from difffake.data.pseudo.regions import raise_brows, region_parts


def index_set(landmarks: np.ndarray, part: np.ndarray) -> set[int]:
    """Which landmarks a part is made of (all landmarks of the layout differ)."""
    return {int(np.flatnonzero((landmarks == point).all(axis=1))[0]) for point in part}


@pytest.mark.parametrize(
    ("region", "indices"),
    [
        ("eyes", [*range(17, 27), *range(36, 48), 0, 1, 14, 15]),
        ("mouth", [*range(48, 68), *range(4, 13), *range(31, 36)]),
        ("lower_head", [*range(1, 16), 29, 30]),
    ],
)
def test_local_regions_are_one_hull_of_the_listed_points(
    landmarks: np.ndarray, region: Region, indices: list[int]
) -> None:
    (part,) = region_parts(landmarks, region, None)
    assert index_set(landmarks, part) == set(indices)


@pytest.mark.parametrize(("hull", "parts"), [("facehull", 1), ("dfl_full", 3), ("components", 8), ("extended", 8)])
def test_whole_face_hulls_lie_within_the_hull_of_all_points(landmarks: np.ndarray, hull: Hull, parts: int) -> None:
    found = region_parts(landmarks, "face", hull)
    assert len(found) == parts
    bound = landmarks if hull != "extended" else np.concatenate([landmarks, raise_brows(landmarks)])
    largest = ConvexHull(bound).volume  # in two dimensions SciPy calls the area volume
    assert ConvexHull(np.concatenate(found)).volume == pytest.approx(largest)


def test_dfl_full_is_jaw_with_mouth_nose_and_eyes_with_brows(landmarks: np.ndarray) -> None:
    jaw, nose, eyes = (index_set(landmarks, part) for part in region_parts(landmarks, "face", "dfl_full"))
    assert jaw == {*range(17), *range(48, 68)}
    assert nose == {27, 28, 29, 30, 33}
    assert eyes == {*range(17, 27), 0, 16, 27, 33}


def test_extended_raises_the_brows_by_half_of_their_distance_from_the_lids(landmarks: np.ndarray) -> None:
    raised = raise_brows(landmarks)
    # The inner end of the left brow is at (108, 85), the eye's inner corner at (102, 110).
    assert raised[21] == pytest.approx([111, 72.5])
    # Its middle three are above the corner and the upper lid: (72, 85) above (70, 110).
    assert raised[18] == pytest.approx([73, 72.5])
    assert raised[19] == pytest.approx([86, 75.5])
    # The outer end is above the point a quarter of the way from the corner (70, 110) to the jaw's end (45, 110).
    assert raised[17] == pytest.approx([60 - (63.75 - 60) / 2, 72.5])
    assert raised[22:27] == pytest.approx(np.array([250, 0]) + raised[21:16:-1] * [-1, 1])  # mirrored
    others = np.r_[0:17, 27:68]
    assert (raised[others] == landmarks[others]).all()


def test_landmarks_are_left_as_they_are(landmarks: np.ndarray) -> None:
    before = landmarks.copy()
    region_parts(landmarks, "face", "extended")
    assert (landmarks == before).all()
