"""One pseudo-deepfake as a whole."""

import hashlib
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from difffake.data.pseudo import PseudoConfig, pseudo_deepfake
from difffake.data.pseudo.blend import blend
from difffake.data.pseudo.config import REGIONS, Region
from difffake.drawn.people import Identity
from difffake.drawn.render import render_face
from difffake.errors import UserError
from difffake.faces.images import read_image
from difffake.randomness import generator


def test_the_fake_is_source_blended_into_target(image: np.ndarray, landmarks: np.ndarray) -> None:
    for index in range(20):
        made = pseudo_deepfake(image, landmarks, generator(0, index), whole=True)
        weight = made.alpha * made.mask[..., None].astype(np.float64)
        expected = weight * made.source + (1 - weight) * made.target
        assert np.abs(made.fake - expected).max() <= 0.51  # rounded
        assert made.fake.dtype == made.source.dtype == made.target.dtype == np.uint8
        assert made.mask.dtype == np.float32
        assert 0 <= made.mask.min() <= made.mask.max() <= 1
        assert (made.fake[made.mask == 0] == made.target[made.mask == 0]).all()
        assert (made.fake != made.target).any()


def test_source_and_mask_are_made_where_they_are_needed(image: np.ndarray, landmarks: np.ndarray) -> None:
    for index in range(40):
        made = pseudo_deepfake(image, landmarks, generator(0, index))
        whole = pseudo_deepfake(image, landmarks, generator(0, index), whole=True)
        assert made.window is not None
        assert whole.window is None
        assert (made.target == whole.target).all()
        # Single levels differ where OpenCV rounds otherwise; sharpening makes up to seven of one.
        different = made.fake != whole.fake
        assert different.mean() < 2e-3
        assert np.abs(made.fake.astype(int) - whole.fake).max() <= 7
        rest = whole.mask.copy()
        assert (rest[made.window.cut] == made.mask).all()
        rest[made.window.cut] = 0
        assert not rest.any()
        # And the window is no larger than that.
        assert made.mask[2:-2, 2:-2].size <= (whole.mask > 0).sum() * 2
        assert (np.abs(made.source.astype(int) - whole.source[made.window.cut]) > 1).mean() < 2e-3


def test_one_of_the_two_is_recolored(image: np.ndarray, landmarks: np.ndarray) -> None:
    source_recolored = PseudoConfig(source_probability=1)
    made = pseudo_deepfake(image, landmarks, generator(0), source_recolored, whole=True)
    assert (made.target == image).all()
    assert made.target is not image  # so that augmenting it in place does not change the caller's
    still = PseudoConfig(source_probability=0, shift_x=0, shift_y=0, scale=(1, 1))
    made = pseudo_deepfake(image, landmarks, generator(0), still, whole=True)
    assert (made.source == image).all()
    assert (made.target != image).any()


def test_source_and_mask_move_together(landmarks: np.ndarray) -> None:
    black = np.zeros((250, 250, 3), np.uint8)
    cv2.circle(black, (125, 140), 12, (255, 255, 255), -1)
    config = PseudoConfig(scale=(1, 1), elastic_alpha=0, source_probability=0)
    still = replace(config, shift_x=0, shift_y=0)
    moved = []
    for index in range(6):
        made, unmoved = (pseudo_deepfake(black, landmarks, generator(1, index), c, whole=True) for c in (config, still))
        by = centroid(made.source[..., 0]) - centroid(black[..., 0])
        # The shrinking kernel works on whole cells of its grid, which are up to 250 / 192 pixels.
        assert centroid(made.mask) - centroid(unmoved.mask) == pytest.approx(by, abs=0.7)
        moved.append(np.abs(by))
    assert np.mean(moved, axis=0)[0] > 1.5
    assert np.max(moved, axis=0) == pytest.approx([0.03 * 250, 0.015 * 250], rel=0.5)


def centroid(picture: np.ndarray) -> np.ndarray:
    """Center of mass (x, y) of an (H, W) picture."""
    y, x = np.indices(picture.shape)
    weight = picture.astype(np.float64)
    return np.array([(weight * x).sum(), (weight * y).sum()]) / weight.sum()


def test_blend_by_hand() -> None:
    source, target = np.full((1, 3, 3), 200, np.uint8), np.full((1, 3, 3), 100, np.uint8)
    mask = np.array([[0, 0.5, 1]], np.float32)
    assert blend(source, target, mask, 1.0)[0, :, 0].tolist() == [100, 150, 200]
    assert blend(source, target, mask, 0.5)[0, :, 0].tolist() == [100, 125, 150]


@pytest.mark.parametrize("region", REGIONS)
def test_masks_lie_on_their_part_of_the_face(image: np.ndarray, landmarks: np.ndarray, region: Region) -> None:
    rows = {"face": (80, 215), "eyes": (80, 150), "mouth": (140, 215), "lower_head": (105, 215)}[region]
    for index in range(10):
        mask = pseudo_deepfake(image, landmarks, generator(3, index), region=region, whole=True).mask
        inside = np.flatnonzero((mask > 0.5).any(axis=1))
        assert inside.min() >= rows[0] - 10
        assert inside.max() <= rows[1] + 10


@pytest.mark.parametrize("shape", [(64, 64), (64, 200), (333, 250), (900, 1200)])
def test_any_size(image: np.ndarray, landmarks: np.ndarray, shape: tuple[int, int]) -> None:
    height, width = shape
    resized = cv2.resize(image, (width, height))
    points = landmarks * [width / 250, height / 250]
    for index, region in enumerate(REGIONS):
        made = pseudo_deepfake(resized, points, generator(0, index), region=region, whole=True)
        assert made.fake.shape == (height, width, 3)
        assert made.mask.shape == shape
        assert made.mask.max() > 0.8


def test_the_input_is_left_as_it_is(image: np.ndarray, landmarks: np.ndarray) -> None:
    before, points = image.copy(), landmarks.copy()
    for index in range(10):
        pseudo_deepfake(image, landmarks, generator(index))
    assert (image == before).all()
    assert (landmarks == points).all()


PRINT_DIGEST = """
import hashlib
from difffake.faces.images import read_image
from difffake.drawn.render import render_face
from difffake.drawn.people import Identity
from difffake.data.pseudo import pseudo_deepfake
from difffake.randomness import generator
image, landmarks = render_face(Identity.sample(generator(1)), size=128)
made = [pseudo_deepfake(image, landmarks, generator(5, 2, index)) for index in range(12)]
print(hashlib.sha256(b"".join(m.fake.tobytes() + m.mask.tobytes() for m in made)).hexdigest())
"""


def test_the_same_seed_epoch_and_index_give_the_same_bytes_in_another_process() -> None:
    image, landmarks = render_face(Identity.sample(generator(1)), size=128)
    # In another order, and each one twice.
    made = {i: pseudo_deepfake(image, landmarks, generator(5, 2, i)) for i in [*range(11, -1, -1), *range(12)]}
    here = hashlib.sha256(b"".join(made[i].fake.tobytes() + made[i].mask.tobytes() for i in range(12))).hexdigest()
    there = subprocess.run([sys.executable, "-c", PRINT_DIGEST], capture_output=True, text=True, check=True)
    assert there.stdout.strip() == here
    other_epoch = pseudo_deepfake(image, landmarks, generator(5, 3, 0))
    assert (other_epoch.fake != made[0].fake).any()


def test_a_region_outside_of_the_image_is_replaced_by_the_face(image: np.ndarray, landmarks: np.ndarray) -> None:
    moved = landmarks - [0, 170]  # all but the chin above the upper edge
    made = pseudo_deepfake(image, moved, generator(0), region="eyes")
    assert (made.region, made.hull) == ("face", "facehull")
    assert made.mask.any()


def test_a_wild_landmark_costs_no_memory(image: np.ndarray, landmarks: np.ndarray) -> None:
    wild = landmarks.copy()
    wild[8] = (125, 1e9)
    made = pseudo_deepfake(image, wild, generator(0), region="face", hull="facehull", whole=True)
    assert made.mask[240, 125] > 0.9  # the chin is below the image


def test_mistakes_are_named(image: np.ndarray, landmarks: np.ndarray) -> None:
    rng = generator(0)
    with pytest.raises(UserError, match="no landmarks"):
        pseudo_deepfake(image, None, rng)
    with pytest.raises(UserError, match="68 finite points"):
        pseudo_deepfake(image, landmarks[:5], rng)
    with pytest.raises(UserError, match="68 finite points"):
        pseudo_deepfake(image, np.full((68, 2), np.nan), rng)
    with pytest.raises(UserError, match="one place or on one line"):
        pseudo_deepfake(image, np.full((68, 2), 100.0), rng)
    with pytest.raises(UserError, match="outside the 250x250 image"):
        pseudo_deepfake(image, landmarks + 400, rng)
    with pytest.raises(UserError, match="uint8 RGB"):
        pseudo_deepfake(image.astype(np.float32), landmarks, rng)
    with pytest.raises(UserError, match="63x63"):
        pseudo_deepfake(image[:63, :63], landmarks / 4, rng)


def test_on_a_real_face(shared_data: Path, landmarks: np.ndarray) -> None:
    """On a London face, with the layout brought onto its hand-placed pupils, only the eyes' surroundings change."""
    portrait = min((shared_data / "london").glob("*/neutral.jpg"))
    image = read_image(portrait)
    pupils = np.loadtxt(portrait.with_name("neutral.landmarks189.csv"), delimiter=",")[:2]
    # The layout's eyes are at (86, 110) and (164, 110), its pupils' middle at (125, 110).
    scale = np.linalg.norm(pupils[1] - pupils[0]) / (164 - 86)
    points = (landmarks - [125, 110]) * scale + pupils.mean(axis=0)
    made = pseudo_deepfake(
        image,
        points,
        generator(0),
        PseudoConfig(shrink_kernel=(5, 5), feather_kernel=(5, 5)),
        region="eyes",
        whole=True,
    )
    for x, y in np.round(pupils).astype(int):
        assert made.mask[y, x] > 0.9
    changed = np.abs(made.fake.astype(int) - made.target).sum(axis=2)
    assert changed[made.mask > 0.5].mean() > 1
    assert changed[made.mask == 0].max() == 0
    assert (made.mask > 0).mean() < 0.2
