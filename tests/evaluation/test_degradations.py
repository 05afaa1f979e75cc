"""Degradations against the libraries that they call, applied by hand; and what their random numbers depend on."""

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageEnhance
from rows import fake, manifest_of, row
from scipy.ndimage import gaussian_filter

from difffake.data.manifest import Manifest
from difffake.drawn.people import Identity
from difffake.drawn.render import render_face
from difffake.evaluation.degradations import DEGRADATIONS
from difffake.evaluation.degraded import CLIP, Clips, Degraded
from difffake.faces.images import write_png


@pytest.fixture(scope="module")
def face() -> NDArray[np.uint8]:
    """A drawn face of an odd size."""
    return render_face(Identity.sample(np.random.default_rng(0)), size=111)[0]


def once(kind: str, crop: NDArray[np.uint8], value: float, seed: int = 0) -> NDArray[np.uint8]:
    return DEGRADATIONS[kind].apply([crop], value, [np.random.default_rng(seed)])[0]


def error(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> float:
    if first.shape != second.shape:
        second = cv2.resize(second, first.shape[1::-1])
    return float(np.sqrt(np.mean((first.astype(float) - second) ** 2)))


@pytest.mark.parametrize("kind", DEGRADATIONS)
def test_each_strength_is_worse_than_the_one_before(face: NDArray[np.uint8], kind: str) -> None:
    errors = [error(face, once(kind, face, value)) for value in DEGRADATIONS[kind].values]
    assert errors[0] > 0
    assert errors == sorted(errors)


@pytest.mark.parametrize("kind", sorted(set(DEGRADATIONS) - {"screenshot"}))
def test_the_size_stays(face: NDArray[np.uint8], kind: str) -> None:
    degraded = once(kind, face, DEGRADATIONS[kind].values[2])
    assert (degraded.shape, degraded.dtype) == (face.shape, np.uint8)


def test_jpeg_is_of_the_quality(face: NDArray[np.uint8]) -> None:
    """Pillow's decoder gives the same as OpenCV's, from the file that OpenCV writes."""
    file = cv2.imencode(".jpg", face[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 30])[1].tobytes()
    expected = np.asarray(Image.open(io.BytesIO(file)))
    assert np.abs(once("jpeg", face, 30).astype(int) - expected).max() <= 2


def test_blur_is_scipys_and_follows_the_size(face: NDArray[np.uint8]) -> None:
    sigma = 2 * len(face) / 224
    expected = gaussian_filter(face.astype(float), (sigma, sigma, 0), mode="mirror", truncate=4)
    assert error(once("blur", face, 2), np.rint(expected).astype(np.uint8)) < 1


def test_noise_has_the_deviation() -> None:
    gray = np.full((200, 200, 3), 128, np.uint8)
    noise = once("noise", gray, 10).astype(float) - 128
    assert noise.std() == pytest.approx(10, rel=0.02)
    assert noise.mean() == pytest.approx(0, abs=0.2)
    assert abs(np.corrcoef(noise[..., 0].ravel(), noise[..., 1].ravel())[0, 1]) < 0.02


@pytest.mark.parametrize(
    ("kind", "enhance"), [("brightness", ImageEnhance.Brightness), ("contrast", ImageEnhance.Contrast)]
)
def test_brightness_and_contrast_are_pillows_up_and_down(
    face: NDArray[np.uint8], kind: str, enhance: type[ImageEnhance.Brightness | ImageEnhance.Contrast]
) -> None:
    found = [once(kind, face, 30, seed) for seed in range(12)]
    expected = [np.asarray(enhance(Image.fromarray(face)).enhance(factor)) for factor in (0.7, 1.3)]
    nearest = [min((error(image, other), number) for number, other in enumerate(expected)) for image in found]
    assert max(distance for distance, _ in nearest) < 1
    assert {number for _, number in nearest} == {0, 1}


def test_frames_of_a_clip_help_each_other(face: NDArray[np.uint8]) -> None:
    """Crops of several odd sizes come back with their own sizes; one clip is not many clips of one frame."""
    crops = [face, np.ascontiguousarray(face[:97, :95]), face]
    rngs = [np.random.default_rng(0)] * 3
    together = DEGRADATIONS["h264"].apply(crops, 30, rngs)
    assert [image.shape for image in together] == [crop.shape for crop in crops]
    assert all(error(a, b) < 8 for a, b in zip(crops, together, strict=True))
    assert error(together[2], once("h264", face, 30)) > 0


@pytest.fixture
def people(tmp_path: Path, face: NDArray[np.uint8]) -> Manifest:
    """Forty frames of one video out of order, three of another, and two stills."""
    frames = [row(f"crops/a/{n}.png", video="a", frame=n) for n in np.random.default_rng(0).permutation(40).tolist()]
    frames += [fake(f"crops/b/{n}.png", video="b", frame=n) for n in range(3)]
    manifest = manifest_of(*frames, row("crops/1.png"), fake("crops/2.png"), root=tmp_path)
    for number, path in enumerate(manifest.table["path"]):
        write_png(tmp_path / path, np.roll(face, number % 5, axis=1))
    return manifest


def test_clips_are_frames_in_order(people: Manifest) -> None:
    clips = Clips(people)
    frame = people.table["frame"].to_numpy()
    first = next(row for row in range(40) if frame[row] == 0)
    assert frame[clips.rows[first]].tolist() == list(range(CLIP))
    last = next(row for row in range(40) if frame[row] == 39)
    assert frame[clips.rows[last]].tolist() == list(range(CLIP, 40))
    assert [clips.rows[row] for row in range(40, 45)] == [[40, 41, 42]] * 3 + [[43], [44]]


@pytest.mark.parametrize("kind", ["h264", "noise", "screenshot"])
def test_neither_order_nor_other_rows_change_a_crop(people: Manifest, kind: str) -> None:
    value = DEGRADATIONS[kind].values[2]
    degraded = Degraded(people, Clips(people), kind, value, 0)
    forward = {str(people.table["path"].iat[row]): degraded(row) for row in range(40, 45)}
    order = np.r_[44, 42, 43, 40, 41]
    fewer = Manifest(people.table.iloc[order], people.root)
    again = Degraded(fewer, Clips(fewer), kind, value, 0)
    for number in range(5):
        np.testing.assert_array_equal(again(number), forward[str(fewer.table["path"].iat[number])])
    other = Degraded(people, Clips(people), kind, value, 1)
    assert (kind == "h264") == all(
        np.array_equal(other(row), forward[str(people.table["path"].iat[row])]) for row in range(40, 45)
    )


def test_a_person_has_one_screenshot_and_each_frame_its_noise(people: Manifest) -> None:
    clips = Clips(people)  # the frames 0 and 5 of the table have one picture
    shot, noise = (Degraded(people, clips, kind, value, 0) for kind, value in (("screenshot", 0.5), ("noise", 5)))
    np.testing.assert_array_equal(shot(0), shot(5))
    assert not np.array_equal(noise(0), noise(5))
