"""Landmarks and crops."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from difffake.faces.crops import crop_face, square_box
from difffake.faces.detection import Face, LandmarkDetector, landmarks_68
from difffake.faces.images import read_image


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((40, 40, 60, 60), (37, 37, 63, 63)),  # 20 px times 1.3 around the middle
        ((40, 30, 50, 50), (32, 27, 58, 53)),  # the longer side counts
        ((0, 40, 20, 60), (0, 37, 26, 63)),  # moved inwards, not cut
        ((90, 90, 120, 120), (61, 61, 100, 100)),
        ((0, 0, 100, 100), (0, 0, 100, 100)),  # larger than the image: as large as it goes
    ],
)
def test_crop_box_is_square_and_inside(box: tuple[int, ...], expected: tuple[int, ...]) -> None:
    assert square_box(np.array(box, dtype=float), 1.3, 100, 100) == expected


def test_landmarks_move_with_the_crop() -> None:
    image = np.zeros((600, 800, 3), np.uint8)
    points = np.tile([[400.0, 300.0]], (68, 1)).astype(np.float32)
    image[300, 400] = 255
    face = Face(points, np.array([250, 150, 550, 450], dtype=np.float32))
    crop, landmarks, box = crop_face(image, face, margin=1.3, max_size=384)
    assert crop.shape == (384, 384, 3)
    assert box == (205, 105, 595, 495)
    brightest = np.unravel_index(crop[..., 0].argmax(), crop.shape[:2])
    np.testing.assert_allclose(landmarks[0], brightest[::-1], atol=1)
    small, landmarks, _ = crop_face(image, face, max_size=500)
    assert small.shape == (390, 390, 3)  # never enlarged
    assert tuple(small[int(landmarks[0, 1]), int(landmarks[0, 0])]) == (255, 255, 255)


def test_jaw_is_spaced_evenly_with_the_chin_in_the_middle() -> None:
    mesh = np.random.default_rng(0).random((478, 2))
    oval = [127, 234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 361, 323]
    for number, index in enumerate([*oval, 454, 356]):
        angle = np.pi * (number / 22) ** 1.3  # a half circle with uneven points
        mesh[index] = -np.cos(angle), np.sin(angle)
    points = landmarks_68(mesh)
    np.testing.assert_allclose(points[8], mesh[152], rtol=1e-6)
    np.testing.assert_allclose(points[[0, 16]], mesh[[127, 356]], rtol=1e-6)
    steps = np.linalg.norm(np.diff(points[:17], axis=0), axis=1)
    assert np.ptp(steps[:8]) < 0.01 * steps.mean()
    assert np.ptp(steps[8:]) < 0.01 * steps.mean()


def test_pupils_agree_with_points_placed_by_hand(shared_data: Path, landmarker: Path) -> None:
    """London Set faces, 512 px: the middle of each eye's contour against the hand-placed pupil."""
    errors = []
    with LandmarkDetector(landmarker) as detector:
        for person in ("001", "002", "009", "016", "024"):
            folder = shared_data / "london" / person
            by_hand = np.loadtxt(folder / "neutral.landmarks189.csv", delimiter=",")[:2]
            (face,) = detector(read_image(folder / "neutral.jpg"))
            eyes = np.stack([face.landmarks[36:42].mean(axis=0), face.landmarks[42:48].mean(axis=0)])
            errors += np.linalg.norm(eyes - by_hand, axis=1).tolist()
    assert max(errors) < 6
    assert np.mean(errors) < 3


def test_a_face_that_fills_the_image_is_found(shared_data: Path, landmarker: Path) -> None:
    image = read_image(shared_data / "london" / "001" / "neutral.jpg")
    with LandmarkDetector(landmarker) as detector:
        (face,) = detector(image)
        x0, y0, x1, y1 = square_box(face.box, 1.0, *image.shape[:2])
        (tight,) = detector(image[y0:y1, x0:x1])
        assert not detector(np.full((200, 200, 3), 127, np.uint8))
    moved = tight.landmarks + (x0, y0)
    assert np.linalg.norm(moved - face.landmarks, axis=1).mean() < 0.03 * (x1 - x0)


def test_detection_survives_those_who_put_signal_handlers_back(shared_data: Path, landmarker: Path) -> None:
    """As Lightning does after a fit; MediaPipe's profiling timer would end the process."""
    code = f"""
import signal, time
from pathlib import Path
from difffake.faces.detection import LandmarkDetector
from difffake.faces.images import read_image
signal.signal(signal.SIGPROF, signal.SIG_DFL)  # as in a fresh process; ignored signals are inherited
image = read_image(Path({str(shared_data / "london" / "001" / "neutral.jpg")!r}))
for _ in range(2):
    with LandmarkDetector(Path({str(landmarker)!r})) as detector:
        detector(image)
    signal.signal(signal.SIGPROF, signal.getsignal(signal.SIGPROF))
    start = time.process_time()
    while time.process_time() - start < 1:  # what a fit would do
        sum(range(10000))
print("alive")
"""
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert answer.stdout == "alive\n", answer
