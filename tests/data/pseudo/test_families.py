"""Families of pseudo-deepfakes: what of a twin is in the fake, and what its real face went through."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from difffake.data.pseudo import PseudoConfig, pseudo_deepfake, pseudo_of_family
from difffake.data.pseudo.families import to_size
from difffake.data.pseudo.twin_cache import TwinCache, write_twin
from difffake.drawn.people import Identity
from difffake.drawn.render import render_face
from difffake.errors import UserError
from difffake.randomness import generator

FACE, LANDMARKS = render_face(Identity.sample(np.random.default_rng(3)), size=160)


def inverted(crop: np.ndarray) -> np.ndarray:
    """A "twin" that is easy to tell: the crop at 96 px with inverted levels."""
    return 255 - to_size(crop, 96)


def back(image: np.ndarray) -> np.ndarray:
    return cv2.resize(image, (160, 160), interpolation=cv2.INTER_CUBIC)


def test_blends_alone_are_as_without_families() -> None:
    for config in (PseudoConfig(), PseudoConfig(family_weights={"blends": 2.0, "twins": 0.0})):
        made, plain = (make(FACE, LANDMARKS, generator(7), config) for make in (pseudo_of_family, pseudo_deepfake))
        np.testing.assert_array_equal(made.fake, plain.fake)


@pytest.mark.parametrize("scaled", [0.0, 1.0])
def test_a_coarse_blend_is_a_blend_with_a_source_of_less_detail(scaled: float) -> None:
    settings = {"source_probability": 1.0, "downscale_probability": 1.0, "alphas": (1.0,)}
    config = PseudoConfig(coarse_source=(0.25, 0.25), coarse_scaled=scaled, coarse_target=(0.5, 0.5), **settings)
    made = pseudo_of_family(FACE, LANDMARKS, generator(2), config, family="coarse", hull="facehull", whole=True)
    np.testing.assert_array_equal(made.target, back(to_size(FACE, 80)) if scaled else FACE)
    rng = generator(2)
    rng.uniform(0, 1, 2), rng.random()
    blend = pseudo_deepfake(
        back(to_size(FACE, 40)), LANDMARKS, rng, PseudoConfig(**settings, downscale_factors=(1,)), hull="facehull",
        whole=True,
    )  # fmt: skip
    np.testing.assert_array_equal(made.source, blend.source)
    np.testing.assert_array_equal(made.fake[made.mask == 0], made.target[made.mask == 0])

    def detail(image: np.ndarray) -> float:
        return float(cv2.Laplacian(image, cv2.CV_32F)[made.mask == 1].std())

    assert detail(made.fake) < 0.7 * detail(made.target)


def test_a_whole_twin_and_its_real_face_went_through_the_same_scaling() -> None:
    made = pseudo_of_family(FACE, LANDMARKS, generator(1), PseudoConfig(twin_whole=1.0), inverted, "twins")
    assert made.region == "whole"
    np.testing.assert_array_equal(made.target, back(to_size(FACE, 96)))
    np.testing.assert_array_equal(made.fake, back(inverted(FACE)))


@pytest.mark.parametrize("scaled", [0.0, 1.0])
def test_a_twin_inside_a_region_changes_nothing_outside(scaled: float) -> None:
    config = PseudoConfig(twin_whole=0.0, twin_scaled=scaled, twin_coarser=(1.5, 1.5))
    made = pseudo_of_family(FACE, LANDMARKS, generator(2), config, inverted, "twins", "mouth", whole=True)
    np.testing.assert_array_equal(made.target, back(to_size(FACE, 64)) if scaled else FACE)
    np.testing.assert_array_equal(made.fake[made.mask == 0], made.target[made.mask == 0])
    np.testing.assert_array_equal(made.fake[made.mask == 1], back(inverted(FACE))[made.mask == 1])
    assert (made.mask == 1).any()


def test_a_blended_twin_is_moved_and_recolored_as_a_blend() -> None:
    config = PseudoConfig(twin_scaled=0.0, source_probability=1.0)
    made = pseudo_of_family(FACE, LANDMARKS, generator(2), config, inverted, "blended_twins", whole=True)
    rng = generator(2)
    rng.random(2), rng.uniform(1, 2)
    blend = pseudo_deepfake(back(inverted(FACE)), LANDMARKS, rng, config, whole=True)
    np.testing.assert_array_equal(made.source, blend.source)
    np.testing.assert_array_equal(made.target, FACE)


def test_families_are_drawn_by_weight() -> None:
    config = PseudoConfig(family_weights={"blends": 1, "twins": 2, "blended_twins": 1}, twin_whole=1.0)
    made = [pseudo_of_family(FACE, LANDMARKS, generator(index), config, inverted).region for index in range(200)]
    assert np.mean([region == "whole" for region in made]) == pytest.approx(0.5, abs=0.12)
    with pytest.raises(UserError, match="need twins"):
        pseudo_of_family(FACE, LANDMARKS, generator(0), config, None, "twins")


def test_twins_are_stored_by_the_content_of_their_crop(tmp_path: Path) -> None:
    cache = TwinCache([tmp_path / "a", tmp_path / "b"], "model", [96, 64, 256])
    name, size = cache.name(FACE)
    assert size in (64, 96)  # 256 is too large for a crop of 160
    write_twin(cache.folders[1], name, inverted(FACE)[:size, :size])
    np.testing.assert_array_equal(cache(FACE), inverted(FACE)[:size, :size])
    other = FACE.copy()
    other[0, 0, 0] ^= 1
    with pytest.raises(UserError, match="is not in"):
        cache(other)
    sizes = {cache.name(np.roll(FACE, shift, 0))[1] for shift in range(20)}
    assert sizes == {64, 96}
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"--data\.pseudo\.twin_folder"):
        write_twin(tmp_path / "file", name, FACE)
