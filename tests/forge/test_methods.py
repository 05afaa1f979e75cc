"""The methods that need no network: what they change, what they leave, and where they refuse."""

from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from faces import drawn, photographs

from difffake.drawn.people import Expression, Pose
from difffake.errors import UserError
from difffake.forge import methods
from difffake.forge.method import Method
from difffake.forge.methods import METHODS
from difffake.forge.methods.autoencoder import autoencoder
from difffake.forge.tools.bottleneck import Bottleneck
from difffake.forge.tools.face import FaceImage, Forged, Forgery, Unfit, face_width
from difffake.forge.tools.regions import hull
from difffake.randomness import generator


def network(decoders: int) -> Bottleneck:
    torch.manual_seed(0)
    return Bottleneck(8, 4, decoders).eval()


def ready(method: Method) -> Forgery:
    """A method's function with its network, if it has one, untrained."""
    if method.network is None:
        return method.forge
    return partial(method.forge, network=network(1 if method.network.for_pair is None else 2))


ALL = {name: ready(method) for name, method in METHODS.items() if not method.diffusion}
EVERY = pytest.mark.parametrize(("name", "method"), ALL.items())
SWAPS = pytest.mark.parametrize("method", [ALL["faceswap"], ALL["alpha_swap"]])
PLAIN = ("faceswap", "alpha_swap", "reenact")


def forge(method: Forgery, target: FaceImage, source: FaceImage, seed: int = 3) -> Forged:
    return method(target, source, generator(seed), generator(seed, 1))


@pytest.fixture(scope="module")
def pair() -> tuple[FaceImage, FaceImage]:
    """Other people, poses, expressions and sizes."""
    target = drawn(0, pose=Pose(yaw=0.1))
    return target, drawn(1, Expression(smile=0.6, mouth_open=0.6), Pose(-0.05), size=200)


def test_every_file_of_the_folder_is_one_method() -> None:
    files = {path.stem for path in Path(methods.__file__).parent.glob("[!_]*.py")}
    assert set(METHODS) == files >= {"alpha_swap", "reenact", "mouth_texture", "synthesis"}
    assert {name for name, method in METHODS.items() if method.sourceless} == {"mouth_texture", "synthesis"}


@EVERY
def test_outside_the_mask_the_target_is_untouched_and_inside_it_is_not(
    name: str, method: Forgery, pair: tuple[FaceImage, FaceImage]
) -> None:
    target = pair[0].image
    before = [array.copy() for face in pair for array in face]
    forged = forge(method, *pair)
    assert forged.image.dtype == np.uint8
    assert forged.mask.dtype == np.float32
    assert (forged.mask.shape, forged.image.shape) == (target.shape[:2], target.shape)
    assert forged.mask.min() == 0
    assert 0.99 <= forged.mask.max() <= 1
    np.testing.assert_array_equal(forged.image[forged.mask == 0], target[forged.mask == 0])
    assert (forged.image != target).any(axis=2)[forged.mask > 0.9].mean() > 0.5
    for array, kept in zip((array for face in pair for array in face), before, strict=True):
        np.testing.assert_array_equal(array, kept, "the arguments are not written to")


@EVERY
def test_the_mask_covers_what_the_method_replaces(
    name: str, method: Forgery, pair: tuple[FaceImage, FaceImage]
) -> None:
    points = pair[0].landmarks
    mask = forge(method, *pair).mask
    shape = mask.shape
    assert mask[hull(points[48:60], shape) > 0].mean() > 0.8
    eyes = np.maximum(hull(points[36:42], shape), hull(points[42:48], shape)) > 0
    if name == "mouth_texture":
        assert mask[eyes].max() == 0
    elif name != "reenact":  # which moves only what the source's expression moves
        assert mask[eyes].mean() > 0.8
        face = cv2.dilate(hull(points, shape), np.ones((5, 5)))
        raised = face_width(points) / 8  # the region begins a little above the brows
        above = np.indices(shape)[0] < points[17:27, 1].min() - raised
        assert not mask[(face == 0) & above].any()
        assert not mask[(face == 0) & (np.indices(shape)[0] > points[27, 1])].any()


@EVERY
def test_equal_generators_forge_equal_bytes(name: str, method: Forgery, pair: tuple[FaceImage, FaceImage]) -> None:
    first = forge(method, *pair)
    assert forge(method, *pair).image.tobytes() == first.image.tobytes()
    other = forge(method, *pair, seed=4)
    assert other.image.tobytes() != first.image.tobytes()
    assert other.parameters.keys() == first.parameters.keys()
    assert other.parameters != first.parameters


@SWAPS
def test_a_source_equal_to_the_target_changes_next_to_nothing(method: Forgery) -> None:
    # Aligned, matched and blended with itself: only rounding and resampling are left.
    target = drawn(0)
    forged = forge(method, target, target)
    assert np.abs(forged.image.astype(int) - target.image)[forged.mask > 0].mean() < 1.5


@SWAPS
def test_the_source_is_moved_onto_the_targets_landmarks(method: Forgery) -> None:
    # The target's own picture, turned and scaled by a known map, must come back to where it was.
    target = drawn(0)
    known = np.array([[1.2, 0.15, 9.0], [-0.15, 1.2, 30.0]])
    moved = cv2.warpAffine(target.image, known, (240, 240), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    source = FaceImage(moved, target.landmarks @ known[:, :2].T + known[:, 2])
    forged = forge(method, target, source)
    assert np.abs(forged.image.astype(int) - target.image)[forged.mask > 0.9].mean() < 3


@SWAPS
def test_colors_of_the_source_are_matched(method: Forgery) -> None:
    target, source = drawn(0), drawn(1)
    green = FaceImage(np.clip(source.image * [0.6, 1.2, 0.6], 0, 255).astype(np.uint8), source.landmarks)
    forged = forge(method, target, green)
    inside = forged.mask > 0.9
    assert np.abs(forged.image[inside].mean(axis=0) - target.image[inside].mean(axis=0)).max() < 12
    assert np.abs(green.image.mean(axis=(0, 1)) - target.image.mean(axis=(0, 1))).max() > 25


@SWAPS
def test_poses_that_differ_too_much_are_refused(method: Forgery) -> None:
    with pytest.raises(Unfit, match="poses differ too much"):
        forge(method, drawn(0, pose=Pose(yaw=-0.75)), drawn(1, pose=Pose(yaw=0.75)))


def test_reenactment_takes_the_sources_expression_and_the_targets_skin() -> None:
    closed, opened = drawn(0), drawn(1, Expression(mouth_open=0.9))
    forged = forge(ALL["reenact"], closed, opened)

    def opening(points: np.ndarray) -> float:
        return float(np.linalg.norm(points[62] - points[66]) / face_width(points))

    assert opening(closed.landmarks) < 0.5 * opening(opened.landmarks)
    assert opening(forged.landmarks) > 0.6 * opening(opened.landmarks)
    # What the mouth shows has opened too: it is darker or lighter than skin, where skin was before.
    inside = hull(forged.landmarks[60:68], closed.image.shape) > 127
    assert np.abs(forged.image.astype(int) - closed.image)[inside].mean() > 20
    # Another skin of the source changes nothing but the inside of the mouth.
    red = FaceImage(np.clip(opened.image * [1.3, 0.7, 0.7], 0, 255).astype(np.uint8), opened.landmarks)
    other = forge(ALL["reenact"], closed, red)
    away = cv2.dilate(inside.astype(np.uint8), np.ones((7, 7))) == 0
    np.testing.assert_array_equal(other.image[away], forged.image[away])


def test_reenactment_leaves_the_background_where_it_is() -> None:
    target = drawn(0)
    mask = forge(ALL["reenact"], target, drawn(1, Expression(mouth_open=0.9, smile=0.4))).mask
    rim = np.ones_like(mask, dtype=bool)
    rim[4:-4, 4:-4] = False
    assert mask[rim].mean() < 0.1


def test_reenactment_of_ones_own_expression_is_refused() -> None:
    with pytest.raises(Unfit, match="same expression"):
        forge(ALL["reenact"], drawn(0), drawn(0))


@EVERY
def test_wrong_faces_are_the_users_mistake(name: str, method: Forgery) -> None:
    face = drawn(0)
    for wrong in (
        face._replace(landmarks=face.landmarks[:5]),
        face._replace(landmarks=face.landmarks * np.nan),
        face._replace(image=face.image.astype(np.float32)),
    ):
        with pytest.raises(UserError, match="a forgery needs"):
            forge(method, wrong, drawn(1))


def test_the_autoencoder_draws_with_the_sources_decoder(pair: tuple[FaceImage, FaceImage]) -> None:
    def forged_with(changed: int | None) -> bytes:
        two = network(2)
        if changed is not None:
            torch.nn.init.constant_(two.decoders[changed][-2].bias, 0.5)
        return forge(partial(autoencoder, network=two), *pair).image.tobytes()

    assert forged_with(0) == forged_with(None)  # the target's decoder
    assert forged_with(1) != forged_with(None)


@pytest.mark.parametrize("name", PLAIN)
def test_photographs_are_forged_without_a_seam(name: str, shared_data: Path, landmarker: Path) -> None:
    target, source = photographs(shared_data, landmarker, 2)
    forged = forge(ALL[name], target, source)
    difference = np.abs(forged.image.astype(int) - target.image).mean(axis=2)
    assert difference[forged.mask == 0].max() == 0
    assert 2 < difference[forged.mask > 0.9].mean() < 40, "changed, but still a face of the same tone"
    # Across the mask's edge the step is no larger than it was in the photograph, but for a little.
    edge = cv2.morphologyEx((forged.mask > 0.5).astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3))) > 0

    def steps(image: np.ndarray) -> float:
        return float(np.abs(cv2.Laplacian(image.astype(np.float32).mean(axis=2), cv2.CV_32F))[edge].mean())

    assert steps(forged.image) < 1.35 * steps(target.image) + 1
