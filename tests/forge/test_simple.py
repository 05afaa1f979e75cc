from pathlib import Path

import cv2
import numpy as np
import pytest

from difffake.data.procedural import render_face
from difffake.data.procedural_people import Expression, Identity, Pose
from difffake.errors import UserError
from difffake.forge.simple import SIMPLE_FORGERIES, SOURCELESS, Forgery
from difffake.randomness import generator

FORGERIES = pytest.mark.parametrize(("name", "forge"), SIMPLE_FORGERIES.items())


@pytest.fixture(scope="module")
def pair() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Target image and landmarks, source image and landmarks: other people, poses and sizes."""
    target = render_face(Identity.sample(generator(0)), pose=Pose(yaw=0.1), size=160)
    source = render_face(Identity.sample(generator(1)), Expression(smile=0.6, mouth_open=0.6), Pose(-0.1), size=200)
    return *target, *source


def polygon(points: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    mask = np.zeros(shape[:2], np.uint8)
    cv2.fillConvexPoly(mask, cv2.convexHull(np.round(points).astype(np.int32)), 1)
    return mask.astype(bool)


@FORGERIES
def test_outside_the_mask_the_target_is_untouched_and_inside_it_is_not(
    name: str, forge: Forgery, pair: tuple[np.ndarray, ...]
) -> None:
    target = pair[0]
    before = [array.copy() for array in pair]
    forged, mask = forge(*pair, generator(3))
    assert forged.dtype == np.uint8
    assert mask.dtype == np.float32
    assert (mask.shape, forged.shape) == (target.shape[:2], target.shape)
    assert mask.min() == 0
    assert 0.99 <= mask.max() <= 1
    np.testing.assert_array_equal(forged[mask == 0], target[mask == 0])
    changed = (forged != target).any(axis=2)
    assert changed[mask > 0.9].mean() > 0.8
    for array, kept in zip(pair, before, strict=True):
        np.testing.assert_array_equal(array, kept, "the arguments are not written to")


@FORGERIES
def test_the_mask_is_in_the_face_and_covers_what_it_should(
    name: str, forge: Forgery, pair: tuple[np.ndarray, ...]
) -> None:
    points = pair[1]
    _, mask = forge(*pair, generator(3))
    face = cv2.dilate(polygon(points, mask.shape).astype(np.uint8), np.ones((5, 5)))  # edges are anti-aliased
    assert not mask[face == 0].any()
    assert mask[polygon(points[48:60], mask.shape)].mean() > 0.8
    eyes = polygon(points[36:42], mask.shape) | polygon(points[42:48], mask.shape)
    if name == "mouth":
        assert mask[eyes].max() == 0
    else:
        assert mask[eyes].mean() > 0.8


@FORGERIES
def test_equal_generators_forge_equal_bytes(name: str, forge: Forgery, pair: tuple[np.ndarray, ...]) -> None:
    assert forge(*pair, generator(3))[0].tobytes() == forge(*pair, generator(3))[0].tobytes()
    assert forge(*pair, generator(3))[0].tobytes() != forge(*pair, generator(4))[0].tobytes()


@FORGERIES
def test_the_source_matters_except_where_it_is_said_not_to(
    name: str, forge: Forgery, pair: tuple[np.ndarray, ...]
) -> None:
    target, points = pair[:2]
    other, other_points = render_face(Identity.sample(generator(7)), size=160)
    same = np.array_equal(forge(*pair, generator(0))[0], forge(target, points, other, other_points, generator(0))[0])
    assert same == (name in SOURCELESS)


@pytest.mark.parametrize("name", ["paste", "poisson", "mouth"])
def test_a_source_equal_to_the_target_changes_next_to_nothing(name: str, pair: tuple[np.ndarray, ...]) -> None:
    # Aligned, colour-matched and blended with itself: only rounding and resampling are left.
    target, points = pair[:2]
    forged, mask = SIMPLE_FORGERIES[name](target, points, target, points, generator(0))
    assert np.abs(forged.astype(int) - target)[mask > 0].mean() < 1


def test_the_source_is_moved_onto_the_targets_landmarks(pair: tuple[np.ndarray, ...]) -> None:
    # The target's own picture, moved and scaled by a known map, must come back to where it was.
    target, points = pair[:2]
    known = np.array([[1.2, 0.15, 9.0], [-0.15, 1.2, 30.0]])
    moved = cv2.warpAffine(target, known, (240, 240), flags=cv2.INTER_CUBIC)
    forged, mask = SIMPLE_FORGERIES["paste"](target, points, moved, points @ known[:, :2].T + known[:, 2], generator(0))
    assert np.abs(forged.astype(int) - target)[mask > 0.9].mean() < 3


def test_smooth_takes_details_away_and_keeps_the_tones(pair: tuple[np.ndarray, ...]) -> None:
    target = pair[0]
    forged, mask = SIMPLE_FORGERIES["smooth"](*pair, generator(0))
    inside = mask > 0.9

    def details(image: np.ndarray) -> float:
        return float(np.abs(cv2.Laplacian(image.mean(axis=2), cv2.CV_64F))[inside].mean())

    assert details(forged) < 0.6 * details(target)
    assert np.abs(forged[inside].mean(axis=0) - target[inside].mean(axis=0)).max() < 10


def test_wrong_landmarks_are_the_users_mistake(pair: tuple[np.ndarray, ...]) -> None:
    target, points, source, source_points = pair
    with pytest.raises(UserError, match="68 landmarks"):
        SIMPLE_FORGERIES["paste"](target, points[:5], source, source_points, generator(0))
    with pytest.raises(UserError, match="68 landmarks"):
        SIMPLE_FORGERIES["smooth"](target, points * np.nan, source, source_points, generator(0))


@FORGERIES
def test_photographs_are_forged_too(name: str, forge: Forgery, shared_data: Path) -> None:
    from difffake.data.faces import LandmarkDetector
    from difffake.data.images import read_image

    model = shared_data.parent / "models" / "face_landmarker.task"
    if not model.is_file():
        pytest.skip("needs MediaPipe's landmark model in ../shared/models")
    people = sorted(p for p in (shared_data / "london").iterdir() if p.is_dir())[:2]
    with LandmarkDetector(model) as detect:
        images = [read_image(folder / "neutral.jpg") for folder in people]
        faces = [detect(image)[0].landmarks for image in images]
    forged, mask = forge(images[0], faces[0], images[1], faces[1], generator(0))
    np.testing.assert_array_equal(forged[mask == 0], images[0][mask == 0])
    difference = np.abs(forged.astype(int) - images[0])[mask > 0.9].mean()
    assert 0.5 < difference < 40, "changed, but still a face of the same tone"
