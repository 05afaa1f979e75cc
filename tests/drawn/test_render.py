import cv2
import numpy as np
import pytest
from scipy.interpolate import CubicHermiteSpline

from difffake.drawn.geometry import Camera, landmarks, lift
from difffake.drawn.paint import smooth_curve
from difffake.drawn.people import PHONE, STUDIO, Expression, Identity, Light, Pose
from difffake.drawn.render import camera, render_face
from difffake.drawn.videos import render_video
from difffake.randomness import generator

SIZE = 256
POSES = (Pose(), Pose(yaw=0.25, pitch=0.1, roll=0.1), Pose(yaw=-0.25, pitch=-0.1, shift_x=0.03, scale=0.95))


def person(seed: int) -> Identity:
    return Identity.sample(generator(seed))


def shaved(seed: int) -> Identity:
    """A person without hair or beard over the face's outline."""
    rng = generator(seed)
    while True:
        identity = Identity.sample(rng)
        if identity.hair_style == "shaved" and identity.beard == 0:
            return identity


def color_at(image: np.ndarray, point: np.ndarray) -> np.ndarray:
    """Mean RGB of the 3 x 3 pixels around a point."""
    x, y = (round(float(v)) for v in point)
    return image[y - 1 : y + 2, x - 1 : x + 2].reshape(-1, 3).mean(axis=0)


def polygon(points: np.ndarray) -> np.ndarray:
    mask = np.zeros((SIZE, SIZE), np.uint8)
    cv2.fillPoly(mask, [np.round(points).astype(np.int32)], 1)
    return mask.astype(bool)


def test_equal_arguments_give_equal_bytes_and_other_people_look_different() -> None:
    first, points = render_face(person(0), Expression(smile=0.5), POSES[1])
    again, same_points = render_face(person(0), Expression(smile=0.5), POSES[1])
    other, _ = render_face(person(1), Expression(smile=0.5), POSES[1])
    assert first.shape == (128, 128, 3)
    assert first.dtype == np.uint8
    assert points.shape == (68, 2)
    assert points.dtype == np.float32
    assert first.tobytes() == again.tobytes()
    np.testing.assert_array_equal(points, same_points)
    assert np.abs(first.astype(int) - other).mean() > 5


@pytest.mark.parametrize("pose", POSES)
@pytest.mark.parametrize("seed", range(4))
def test_pupils_are_between_the_lids(seed: int, pose: Pose) -> None:
    image, points = render_face(person(seed), pose=pose, size=SIZE)
    for eye in (points[36:42], points[42:48]):
        pupil = eye.mean(axis=0)
        for corner in (eye[0], eye[3]):
            white = color_at(image, 0.3 * pupil + 0.7 * corner)
            assert color_at(image, pupil).mean() < 0.6 * white.mean()


@pytest.mark.parametrize("pose", POSES)
@pytest.mark.parametrize("seed", range(4))
def test_lips_are_inside_their_landmarks(seed: int, pose: Pose) -> None:
    image, points = render_face(shaved(seed), pose=pose, size=SIZE)
    lips = polygon(points[48:60])
    around = cv2.dilate(lips.astype(np.uint8), np.ones((15, 15))).astype(bool)
    around &= ~cv2.dilate(lips.astype(np.uint8), np.ones((5, 5))).astype(bool)
    redness = image[..., 0] / np.maximum(image[..., 1], 1.0)
    assert np.median(redness[lips]) > 1.15 * np.median(redness[around])


def test_an_open_mouth_shows_its_inside_between_the_inner_lips() -> None:
    identity = shaved(3)
    image, points = render_face(identity, Expression(mouth_open=1.0), size=SIZE)
    _, closed_points = render_face(identity, size=SIZE)
    tongue = points[66] - [0, 3]
    assert color_at(image, tongue).mean() < 0.5 * color_at(image, (points[66] + points[57]) / 2).mean()
    assert points[66, 1] - points[62, 1] > 5 > closed_points[66, 1] - closed_points[62, 1]
    assert points[8, 1] > closed_points[8, 1] + 3, "the chin goes down with the jaw"


@pytest.mark.parametrize("pose", POSES)
def test_brows_are_darker_than_the_skin_below_them(pose: Pose) -> None:
    for seed in range(4):
        image, points = render_face(shaved(seed), pose=pose, size=SIZE)
        for brow in (19, 24):
            below = points[brow] + 0.3 * (points[27] - (points[21] + points[22]) / 2)
            assert color_at(image, points[brow]).mean() < 0.9 * color_at(image, below).mean()


@pytest.mark.parametrize("pose", POSES)
def test_the_jaw_landmarks_are_the_outline(pose: Pose) -> None:
    # Whatever changes with the backdrop is not face.
    identity = shaved(0)
    first, points = render_face(identity, pose=pose, light=Light(backdrop_seed=1), size=SIZE)
    second, _ = render_face(identity, pose=pose, light=Light(backdrop_seed=2), size=SIZE)
    changed = np.abs(first.astype(int) - second).sum(axis=2) > 0
    for jaw in (2, 3, 4, 12, 13, 14):  # away from the ears and the neck
        outwards = points[jaw] - points[30]
        outwards /= np.linalg.norm(outwards)
        (x_in, y_in), (x_out, y_out) = (np.round(points[jaw] + d * outwards).astype(int) for d in (-2.5, 2.5))
        assert not changed[y_in, x_in]
        assert changed[y_out, x_out]


def test_the_side_towards_the_lamp_is_brighter() -> None:
    for seed in range(3):
        left, points = render_face(person(seed), light=Light(direction=(-1, 0, 0.6)), size=SIZE)
        right, _ = render_face(person(seed), light=Light(direction=(1, 0, 0.6)), size=SIZE)
        left_cheek, right_cheek = (points[2] + points[30]) / 2, (points[14] + points[30]) / 2
        assert color_at(left, left_cheek).mean() > 1.15 * color_at(left, right_cheek).mean()
        assert color_at(right, right_cheek).mean() > 1.15 * color_at(right, left_cheek).mean()


def test_positive_yaw_pitch_and_roll_turn_as_documented() -> None:
    identity = person(0)
    nose = {pose: render_face(identity, pose=pose)[1] for pose in (Pose(), Pose(yaw=0.2), Pose(pitch=0.2))}
    still = nose[Pose()]
    assert nose[Pose(yaw=0.2)][30, 0] > still[30, 0] + 1, "the tip of the nose moves to the right"
    assert nose[Pose(pitch=0.2)][30, 1] > still[30, 1] + 1, "and down"
    mirrored = still[[16, 8, 0]] * [-1, 1] + [127, 0]
    np.testing.assert_allclose(still[[0, 8, 16]], mirrored, atol=1e-3, err_msg="a frontal face is symmetric")


def test_surface_coordinates_undo_the_projection() -> None:
    identity = person(2)
    view = Camera.of(POSES[1], SIZE)
    points = landmarks(identity, Expression())
    pixels = view.project(points)
    x, y = view.surface_coordinates(identity, pixels[:, 0], pixels[:, 1])
    np.testing.assert_allclose(np.column_stack([x, y]), points[:, :2], atol=0.01)
    np.testing.assert_allclose(lift(identity, points[:, :2]), points)


def test_smooth_curve_is_the_catmull_rom_spline() -> None:
    points = np.array([[0, 0], [1, 2], [3, 1], [4, 4], [6, 3]], float)
    ends = np.concatenate([2 * points[:1] - points[1:2], points, 2 * points[-1:] - points[-2:-1]])
    reference = CubicHermiteSpline(np.arange(5), points, (ends[2:] - ends[:-2]) / 2)
    np.testing.assert_allclose(smooth_curve(points, steps=6), reference(np.linspace(0, 4, 25)), atol=1e-12)


def test_the_camera_keeps_the_picture_and_the_phone_keeps_less_of_it() -> None:
    image, _ = render_face(person(4), size=160)
    lost = {}
    for name, style in (("studio", STUDIO), ("phone", PHONE)):
        shots = [camera(image, style, generator(0, i)) for i in range(8)]
        assert shots[0].tobytes() == camera(image, style, generator(0, 0)).tobytes()
        lost[name] = np.mean([np.abs(shot.astype(float) - image).mean() for shot in shots])
    assert 0.5 < lost["studio"] < lost["phone"] < 12


def test_a_video_moves_smoothly_and_keeps_its_person() -> None:
    frames = render_video(person(5), STUDIO, 16, generator(1), size=128)
    assert len(frames) == 16
    track = np.stack([points for _, points in frames])
    steps = np.linalg.norm(np.diff(track[:, [30, 0, 16]], axis=0), axis=2)
    assert steps.mean() > 0.05
    assert steps.max() < 6
    cheeks = np.array([color_at(image, (points[2] + points[30]) / 2) for image, points in frames])
    assert cheeks.std(axis=0).max() < 12
