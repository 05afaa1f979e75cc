"""Colours and movement against the same arithmetic in NumPy."""

import colorsys

import numpy as np
import pytest

from difffake.data.pseudo.config import ColourParameters, MaskParameters
from difffake.data.pseudo.transforms import affine_matrix, move, recolour

UNCHANGED = ColourParameters(None, None, 1.0, 0.0, 1, 0.2, 1.0)  # down-scaled by 1


def test_nothing_drawn_changes_nothing(image: np.ndarray) -> None:
    assert (recolour(image, UNCHANGED) == image).all()


def test_rgb_shift_then_gain_and_offset(image: np.ndarray) -> None:
    shift, gain, offset = np.array([12.0, -19.0, 3.0]), 1.07, -21.0
    expected = np.clip(gain * np.clip(image + shift, 0, 255) + offset, 0, 255)
    seen = recolour(image, UNCHANGED._replace(rgb_shift=tuple(shift), gain=gain, offset=offset))
    assert np.abs(seen - expected).max() <= 0.501


def test_hsv_shift_in_levels_of_the_reference_is_next_to_nothing(image: np.ndarray) -> None:
    seen = recolour(image, UNCHANGED._replace(hsv_shift=(0.29, 0.29, 0.29)))
    # Only the rounding of hue to 2 degrees and back is left.
    assert 0 < np.abs(seen.astype(int) - image).max() <= 6
    # Below zero, all three channels lose one level.
    darker = recolour(image, UNCHANGED._replace(hsv_shift=(0.1, 0.1, -0.1)))
    assert (seen.max(axis=2).astype(int) - darker.max(axis=2) == 1).mean() > 0.99


@pytest.mark.parametrize("shift", [(60, 0, 0), (-170, 0, 0), (0, 40, 0), (0, 0, -30)])
def test_hsv_shift_of_one_colour(shift: tuple[float, float, float]) -> None:
    """Against Python's colorsys; the values survive OpenCV's rounding to 180 hues."""
    colour = (200, 100, 50)
    h, s, v = colorsys.rgb_to_hsv(*(c / 255 for c in colour))
    h, s, v = (h + shift[0] / 180) % 1, s + shift[1] / 255, v + shift[2] / 255
    expected = 255 * np.array(colorsys.hsv_to_rgb(h, s, v))
    seen = recolour(np.full((4, 4, 3), colour, np.uint8), UNCHANGED._replace(hsv_shift=shift))
    assert seen[0, 0] == pytest.approx(expected, abs=3)


def test_grey_stays_grey_when_saturation_rises() -> None:
    grey = np.full((4, 4, 3), 90, np.uint8)
    assert (recolour(grey, UNCHANGED._replace(hsv_shift=(0.0, 60.0, 0.0))) == grey).all()


@pytest.mark.parametrize("factor", [2, 4])
def test_downscaling_leaves_one_pixel_of_each_block(image: np.ndarray, factor: int) -> None:
    seen = recolour(image[:248, :248], UNCHANGED._replace(downscale=factor))
    # Linear interpolation reaches every small pixel's value nearest to its centre.
    small = image[:248:factor, :248:factor].astype(int)
    corner = seen[factor // 2 - 1 :: factor, factor // 2 - 1 :: factor].astype(int)
    assert np.abs(corner - small).mean() < 0.35 * np.abs(np.diff(small, axis=0)).mean() + 1
    assert len(np.unique(np.abs(np.diff(seen[0, :, 0].astype(int), n=2)))) > 1
    fine = np.abs(np.diff(seen.astype(int), axis=1)).mean()
    assert fine < 0.75 * np.abs(np.diff(image.astype(int), axis=1)).mean()


def test_sharpening_is_the_mix_of_image_and_laplacian(image: np.ndarray) -> None:
    alpha, lightness = 0.4, 0.7
    x = image.astype(float)
    around = sum(np.roll(x, (dy, dx), axis=(0, 1)) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if (dy, dx) != (0, 0))
    expected = np.clip((1 - alpha) * x + alpha * ((8 + lightness) * x - around), 0, 255)
    seen = recolour(image, UNCHANGED._replace(downscale=None, sharpen_alpha=alpha, sharpen_lightness=lightness))
    assert np.abs(seen - expected)[1:-1, 1:-1].max() <= 0.51


def test_affine_scales_about_the_centre_and_shifts() -> None:
    mask = MaskParameters((0.03, -0.015), (1.04, 0.97), (200, 200), 5, 5, 5)
    matrix = affine_matrix(mask, height=101, width=201)
    assert matrix @ [100, 50, 1] == pytest.approx([100 + 0.03 * 201, 50 - 0.015 * 101])
    assert matrix @ [110, 60, 1] - matrix @ [100, 50, 1] == pytest.approx([10.4, 9.7])


def test_move_brings_each_point_where_the_matrix_says() -> None:
    image = np.zeros((120, 160, 3), np.uint8)
    image[40:43, 50:53] = 255
    matrix = affine_matrix(MaskParameters((0.02, 0.015), (1.0, 1.0), (200, 200), 5, 5, 5), 120, 160)
    seen = move(image, matrix)[..., 0].astype(float)
    y, x = np.mgrid[0:120, 0:160]
    centre = [(seen * x).sum() / seen.sum(), (seen * y).sum() / seen.sum()]
    assert centre == pytest.approx(matrix @ [51, 41, 1], abs=0.05)


def test_move_leaves_no_black_edge() -> None:
    bright = np.full((80, 80, 3), 200, np.uint8)
    matrix = affine_matrix(MaskParameters((0.03, 0.015), (0.95, 0.95), (200, 200), 5, 5, 5), 80, 80)
    assert (move(bright, matrix) == 200).all()
