"""What is drawn, and how often, against the numbers of the method (DiffFake, arXiv 2502.16247)."""

from collections import Counter
from typing import Any

import numpy as np
import pytest

from difffake.data.pseudo import PseudoConfig
from difffake.data.pseudo.config import Parameters, sample_parameters
from difffake.errors import UserError
from difffake.randomness import generator

DRAWS = 6000
THREE_SIGMA = 3 * 0.5 / np.sqrt(DRAWS)  # of an observed frequency, at worst; times 1.5 below, as many are looked at


@pytest.fixture(scope="module")
def drawn() -> list[Parameters]:
    config = PseudoConfig()
    return [sample_parameters(generator(0, index), config) for index in range(DRAWS)]


def assert_frequencies(values: list[Any], expected: dict[Any, float]) -> None:
    counts = Counter(values)
    assert set(counts) == set(expected)
    for value, frequency in expected.items():
        assert counts[value] / len(values) == pytest.approx(frequency, abs=1.5 * THREE_SIGMA), value


def assert_uniform(values: list[float], low: float, high: float) -> None:
    """Inside [low, high], close to both ends, and with a uniform's mean and deviation."""
    width = high - low
    assert low <= min(values) < low + 0.01 * width
    assert high - 0.01 * width < max(values) <= high
    assert np.mean(values) == pytest.approx((low + high) / 2, abs=0.03 * width)
    assert np.std(values) == pytest.approx(width / np.sqrt(12), rel=0.04)


def test_source_or_target_is_recolored_half_of_the_time(drawn: list[Parameters]) -> None:
    assert_frequencies([p.recolor_source for p in drawn], {True: 1 / 2, False: 1 / 2})


def test_regions_and_hulls(drawn: list[Parameters]) -> None:
    assert_frequencies([p.region for p in drawn], {"face": 1 / 2, "eyes": 1 / 6, "mouth": 1 / 6, "lower_head": 1 / 6})
    assert_frequencies(
        [p.hull for p in drawn],
        {"facehull": 1 / 8, "dfl_full": 1 / 8, "components": 1 / 8, "extended": 1 / 8, None: 1 / 2},
    )
    assert all((p.region == "face") == (p.hull is not None) for p in drawn)


def test_color_transforms(drawn: list[Parameters]) -> None:
    colors = [p.color for p in drawn]
    assert_frequencies([c.rgb_shift is not None for c in colors], {True: 0.3, False: 0.7})
    assert all(c.hsv_shift is not None for c in colors)
    for channel in range(3):
        assert_uniform([c.rgb_shift[channel] for c in colors if c.rgb_shift], -20, 20)
        assert_uniform([c.hsv_shift[channel] for c in colors if c.hsv_shift], -0.3, 0.3)
    assert_uniform([c.gain for c in colors], 0.9, 1.1)
    assert_uniform([c.offset for c in colors], -25.5, 25.5)
    assert_frequencies([c.downscale for c in colors], {None: 1 / 2, 2: 1 / 4, 4: 1 / 4})
    assert_uniform([c.sharpen_alpha for c in colors], 0.2, 0.5)
    assert_uniform([c.sharpen_lightness for c in colors], 0.5, 1)


def test_hsv_as_a_fraction_of_the_range() -> None:
    config = PseudoConfig(hsv_unit="fraction")
    colors = [sample_parameters(generator(1, index), config).color for index in range(2000)]
    for channel, full in enumerate((180, 255, 255)):
        assert_uniform([c.hsv_shift[channel] for c in colors if c.hsv_shift], -0.3 * full, 0.3 * full)


def test_affine_and_smoothing(drawn: list[Parameters]) -> None:
    masks = [p.mask for p in drawn]
    assert_uniform([m.shift[0] for m in masks], -0.03, 0.03)
    assert_uniform([m.shift[1] for m in masks], -0.015, 0.015)
    for axis in range(2):
        assert_uniform([m.scale[axis] for m in masks], 0.95, 1 / 0.95)
        assert {m.grid[axis] for m in masks} == set(range(192, 257))
    assert abs(np.corrcoef([m.scale for m in masks], rowvar=False)[0, 1]) < 0.05  # each axis by itself
    odd = dict.fromkeys(range(5, 26, 2), 1 / 11)
    assert_frequencies([m.shrink_kernel for m in masks], odd)
    assert_frequencies([m.feather_kernel for m in masks], odd)
    assert_frequencies([m.feather_sigma for m in masks], dict.fromkeys(range(5, 46), 1 / 41))


def test_blending_factor(drawn: list[Parameters]) -> None:
    assert_frequencies([p.alpha for p in drawn], {0.25: 1 / 6, 0.5: 1 / 6, 0.75: 1 / 6, 1.0: 1 / 2})


def test_a_given_region_and_hull_are_taken() -> None:
    config = PseudoConfig()
    assert {sample_parameters(generator(i), config, region="eyes").region for i in range(20)} == {"eyes"}
    of_hull = [sample_parameters(generator(i), config, hull="dfl_full") for i in range(20)]
    assert {(p.region, p.hull) for p in of_hull} == {("face", "dfl_full")}


def test_a_region_without_weight_is_never_drawn() -> None:
    config = PseudoConfig(region_weights={"mouth": 1.0, "face": 0.0})
    assert {sample_parameters(generator(i), config).region for i in range(50)} == {"mouth"}


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"source_probability": 1.2}, "source_probability"),
        ({"rgb_shift": -1.0}, "rgb_shift"),
        ({"scale": (1.1, 0.9)}, "scale"),
        ({"scale": (0.0, 1.0)}, "scale"),
        ({"hsv_unit": "degree"}, "hsv_unit"),
        ({"shrink_kernel": (4, 25)}, "shrink_kernel"),
        ({"smoothing_size": (20, 30)}, "smoothing_size"),
        ({"elastic_sigma": 0.5}, "elastic_sigma"),
        ({"elastic_alpha": 99.0}, "elastic_alpha"),
        ({"downscale_factors": ()}, "downscale_factors"),
        ({"alphas": (0.5, 1.5)}, "alphas"),
        ({"region_weights": {"ears": 1.0}}, "region_weights"),
        ({"hull_weights": {"facehull": 0.0}}, "hull_weights"),
        ({"family_weights": {"puppets": 1.0}}, "family_weights"),
        ({"twin_sizes": (60,)}, "twin_sizes"),
        ({"twin_whole": 1.5}, "twin_whole"),
        ({"twin_coarser": (0.5, 2.0)}, "twin_coarser"),
    ],
)
def test_wrong_settings_are_named(wrong: dict[str, Any], named: str) -> None:
    with pytest.raises(UserError, match=named):
        PseudoConfig(**wrong)


def test_unknown_region_is_named() -> None:
    with pytest.raises(UserError, match="region is ears"):
        sample_parameters(generator(0), PseudoConfig(), region="ears")  # type: ignore[arg-type]
    with pytest.raises(UserError, match="face if a hull is given"):
        sample_parameters(generator(0), PseudoConfig(), region="eyes", hull="facehull")
