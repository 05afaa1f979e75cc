"""Landmarks and crops."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from difffake.errors import UserError
from difffake.faces.crops import crop_face
from difffake.faces.detection import HALVINGS, Face, LandmarkDetector, landmarks_68
from difffake.faces.images import read_image
from difffake.faces.squares import square_box
from difffake.faces.video import read_clip


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


@pytest.fixture(scope="module")
def detector(landmarker: Path) -> Iterator[LandmarkDetector]:
    with LandmarkDetector(landmarker) as detector:
        yield detector


def scene(height: int, width: int, portraits: list[tuple[np.ndarray, float, int, int]]) -> np.ndarray:
    """A frame of smooth noise with portraits in it, each scaled by a factor, at x and y."""
    noise = np.random.default_rng(0).normal(128, 60, (height // 16, width // 16, 3)).clip(0, 255).astype(np.uint8)
    frame = cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    for image, scale, x, y in portraits:
        small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        frame[y : y + small.shape[0], x : x + small.shape[1]] = small
    return frame


@pytest.mark.parametrize(("height", "width"), [(360, 640), (720, 1280), (1080, 1920)])
@pytest.mark.parametrize("size", [40, 64, 100])
def test_small_faces_are_found_where_they_are(
    shared_data: Path, detector: LandmarkDetector, height: int, width: int, size: int
) -> None:
    """In the corners, in the middle and between; landmarks as those of the large photograph, scaled."""
    image = read_image(shared_data / "london" / "002" / "neutral.jpg")
    (large,) = detector(image)
    scale = size / float(max(large.box[2:] - large.box[:2]))
    room = np.array([width, height]) - int(np.ceil(512 * scale))
    for share in ((0.0, 0.0), (0.5, 0.5), (1.0, 0.3), (0.63, 1.0)):
        x, y = (int(v) for v in room * share)
        (face,) = detector(scene(height, width, [(image, scale, x, y)]))
        expected = large.landmarks * scale + (x, y)
        assert np.linalg.norm(face.landmarks - expected, axis=1).mean() < 0.03 * size
        np.testing.assert_allclose(face.box, large.box * scale + np.tile([x, y], 2), atol=0.08 * size)


def test_faces_that_need_no_search_stay_bit_for_bit(shared_data: Path, detector: LandmarkDetector) -> None:
    """As MediaPipe gives them, whatever was seen before."""
    image = read_image(shared_data / "london" / "001" / "neutral.jpg")
    mesh = detector._models.landmarker.detect(detector._models.wrap(image)).face_landmarks[0]
    expected = landmarks_68(np.array([(p.x * 512, p.y * 512) for p in mesh], dtype=np.float32))
    (face,) = detector(image)
    np.testing.assert_array_equal(face.landmarks, expected)
    elsewhere = Face(face.landmarks, np.array([0, 400, 60, 460], np.float32))
    for last in ([face], [elsewhere]):
        (followed,) = detector.follow(image, last)
        np.testing.assert_array_equal(followed.landmarks, expected)


@pytest.mark.parametrize("axis", [0, 1], ids=["above each other", "side by side"])
def test_images_joined_at_their_sides_keep_their_faces(
    shared_data: Path, detector: LandmarkDetector, axis: int
) -> None:
    """Two and four photographs of one size; MediaPipe alone sees the joined image at a lower resolution."""
    images = [read_image(shared_data / "london" / person / "neutral.jpg") for person in ("001", "002", "009", "016")]
    for count in (2, 4):
        faces = sorted(detector(np.concatenate(images[:count], axis)), key=lambda face: face.box[1 - axis])
        assert len(faces) == count
        for place, (face, image) in enumerate(zip(faces, images, strict=False)):
            (alone,) = detector(image)
            corner = np.array([place * 512, 0] if axis else [0, place * 512], np.float32)
            np.testing.assert_allclose(face.landmarks, alone.landmarks + corner, atol=1e-3)


def test_a_face_on_the_cut_between_two_halves_is_one_and_whole(shared_data: Path, detector: LandmarkDetector) -> None:
    """Each half would show a part of it; the whole image says where it is."""
    image = read_image(shared_data / "london" / "001" / "neutral.jpg")
    (alone,) = detector(image)
    for x in (180, 330, 345, 390, 480, 690):  # left of the cut at 690, on it, right of it
        (face,) = detector(scene(512, 1380, [(image, 1.0, x, 0)]))
        assert np.linalg.norm(face.landmarks - alone.landmarks - (x, 0), axis=1).mean() < 1


def test_a_face_in_a_half_does_not_end_the_search_for_others(shared_data: Path, detector: LandmarkDetector) -> None:
    """MediaPipe sees none of them in the whole image, and in the halves only the first."""
    images = [read_image(shared_data / "london" / person / "neutral.jpg") for person in ("001", "009")]
    on_the_cut = scene(804, 1920, [(images[0], 0.66, 200, 200), (images[1], 0.66, 790, 200)])
    small = scene(804, 1920, [(images[0], 0.66, 200, 200), (images[1], 0.33, 1600, 100)])
    for frame in (on_the_cut, small):
        assert not detector._landmarks(frame)
        assert len(detector._with_halves(frame, [], HALVINGS)) == 1
        assert len(detector(frame)) == 2


def test_sides_that_end_mediapipes_process_are_refused(detector: LandmarkDetector) -> None:
    for shape in ((2, 32_766), (32_766, 2), (2, 30_000)):  # the last would be too long with its border
        assert not detector(np.zeros((*shape, 3), np.uint8))
    for shape in ((1, 32_767), (1_000_000, 1)):
        with pytest.raises(UserError, match=rf"{shape[1]} x {shape[0]} pixels: .* no side has more than 32766"):
            detector(np.zeros((*shape, 3), np.uint8))


@pytest.mark.parametrize(
    ("shape", "parts"), [((3, 30_000), 0), ((30_000, 3), 0), ((50, 30_000), 2 + 4 + 8), ((50, 100), 2), ((50, 99), 0)]
)
def test_a_strip_is_not_halved_without_end(
    detector: LandmarkDetector, shape: tuple[int, int], parts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Halves, quarters and eighths at most, and none that are too narrow for a face."""
    seen: list[tuple[int, ...]] = []
    monkeypatch.setattr(detector, "_landmarks", lambda image: seen.append(image.shape) or [])
    detector._with_halves(np.zeros((*shape, 3), np.uint8), [], HALVINGS)
    assert len(seen) == parts


def test_a_face_that_mediapipe_finds_twice_is_one(shared_data: Path, detector: LandmarkDetector) -> None:
    """At the limit of what it finds: here the chin of one mesh is 23 pixels below that of the other."""
    image = read_image(shared_data / "london" / "001" / "neutral.jpg")
    frame = np.full((816, 1920, 3), 127, np.uint8)
    frame[100:612, 100:612] = image
    seen = detector._models.landmarker.detect(detector._models.wrap(frame)).face_landmarks
    assert [len(seen), len(detector._landmarks(frame)), len(detector(frame))] == [2, 1, 1]


def test_two_small_faces_are_two(shared_data: Path, detector: LandmarkDetector) -> None:
    images = [read_image(shared_data / "london" / person / "neutral.jpg") for person in ("001", "009")]
    frame = scene(720, 1280, [(images[0], 0.45, 100, 300), (images[1], 0.35, 700, 100)])
    faces = detector(frame)
    assert [round(float(face.box[0])) // 400 for face in faces] == [0, 1]
    assert faces[0].area > faces[1].area


def test_a_followed_face_is_not_searched(
    shared_data: Path, detector: LandmarkDetector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor lost while a larger one is seen; who is lost is searched for everywhere."""
    images = [read_image(shared_data / "london" / person / "neutral.jpg") for person in ("001", "009")]
    last = detector(scene(720, 1280, [(images[0], 0.3, 300, 300)]))
    moved = scene(720, 1280, [(images[0], 0.3, 340, 280)])
    (expected,) = detector(moved)
    searches = []
    search = LandmarkDetector._search
    monkeypatch.setattr(LandmarkDetector, "_search", lambda *args: searches.append(1) or search(*args))
    (face,) = detector.follow(moved, last)
    assert not searches
    assert np.linalg.norm(face.landmarks - expected.landmarks, axis=1).mean() < 0.02 * (face.area**0.5)

    both = detector.follow(scene(720, 1280, [(images[0], 0.3, 340, 280), (images[1], 1.2, 640, 50)]), last)
    assert len(both) == 2
    assert not searches
    np.testing.assert_allclose(both[1].box, face.box, atol=3)

    (jumped,) = detector.follow(scene(720, 1280, [(images[0], 0.3, 1000, 50)]), last)
    assert searches
    assert jumped.box[0] > 1000


def test_nothing_is_found_where_nothing_is(detector: LandmarkDetector) -> None:
    random = np.random.default_rng(1)
    for step in (1, 4, 16, 64):
        noise = random.integers(0, 256, (720 // step, 1280 // step, 3), dtype=np.uint8)
        assert not detector(cv2.resize(noise, (1280, 720), interpolation=cv2.INTER_CUBIC))
    assert not detector(np.zeros((3, 5, 3), np.uint8))


def test_clips_with_small_faces_lose_no_frame(shared_data: Path, detector: LandmarkDetector) -> None:
    """Of FaceForensics++; MediaPipe alone finds no face in any of them."""
    for name in ("033", "648", "712"):
        clip = read_clip(shared_data / "ffpp" / "original_sequences" / "youtube" / "c23" / "videos" / f"{name}.mp4", 4)
        last: list[Face] = []
        for frame in clip.frames:
            last = detector.follow(frame.image, last)
            assert len(last) == 1, (name, frame.number)


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
