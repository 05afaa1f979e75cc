"""Colors and movement against the same arithmetic in NumPy."""

import colorsys
import itertools

import cv2
import numpy as np
import pytest

from difffake.data.pseudo.config import ColorParameters, MaskParameters
from difffake.data.pseudo.transforms import affine_matrix, move, origin_of
from difffake.data.pseudo.transforms import recolor as recolor_window
from difffake.data.pseudo.window import Window

UNCHANGED = ColorParameters(None, None, 1.0, 0.0, 1, 0.2, 1.0)  # down-scaled by 1


def whole(image: np.ndarray) -> Window:
    return Window(0, 0, image.shape[1], image.shape[0])


def recolor(image: np.ndarray, color: ColorParameters) -> np.ndarray:
    return recolor_window(image, color, whole(image))


def test_nothing_drawn_changes_nothing(image: np.ndarray) -> None:
    assert (recolor(image, UNCHANGED) == image).all()


def test_rgb_shift_then_gain_and_offset(image: np.ndarray) -> None:
    shift, gain, offset = np.array([12.0, -19.0, 3.0]), 1.07, -21.0
    expected = np.clip(gain * np.clip(image + shift, 0, 255) + offset, 0, 255)
    seen = recolor(image, UNCHANGED._replace(rgb_shift=tuple(shift), gain=gain, offset=offset))
    assert np.abs(seen - expected).max() <= 0.501


def test_hsv_shift_in_levels_of_the_reference_is_next_to_nothing(image: np.ndarray) -> None:
    seen = recolor(image, UNCHANGED._replace(hsv_shift=(0.29, 0.29, 0.29)))
    # Only the rounding of hue to 2 degrees and back is left.
    assert 0 < np.abs(seen.astype(int) - image).max() <= 6
    # Below zero, all three channels lose one level.
    darker = recolor(image, UNCHANGED._replace(hsv_shift=(0.1, 0.1, -0.1)))
    assert (seen.max(axis=2).astype(int) - darker.max(axis=2) == 1).mean() > 0.99


@pytest.mark.parametrize("shift", [(60, 0, 0), (-170, 0, 0), (0, 40, 0), (0, 0, -30)])
def test_hsv_shift_of_one_color(shift: tuple[float, float, float]) -> None:
    """Against Python's colorsys; the values survive OpenCV's rounding to 180 hues."""
    color = (200, 100, 50)
    h, s, v = colorsys.rgb_to_hsv(*(c / 255 for c in color))
    h, s, v = (h + shift[0] / 180) % 1, s + shift[1] / 255, v + shift[2] / 255
    expected = 255 * np.array(colorsys.hsv_to_rgb(h, s, v))
    seen = recolor(np.full((4, 4, 3), color, np.uint8), UNCHANGED._replace(hsv_shift=shift))
    assert seen[0, 0] == pytest.approx(expected, abs=3)


def test_hsv_shift_in_levels_is_cut_off_as_a_table_would() -> None:
    """Against NumPy's arithmetic on OpenCV's HSV, on all hues; 0 less a little is 179."""
    colors = np.stack(np.meshgrid(*[np.arange(0, 256, 5)] * 3), axis=-1).astype(np.uint8).reshape(1, -1, 3)
    levels = cv2.cvtColor(colors, cv2.COLOR_RGB2HSV).astype(np.float64)
    by = (-0.3, 0.0, 0.3)
    for shift in itertools.product(by, by, by):
        h, s, v = np.moveaxis(levels + shift, -1, 0)
        cut_off = np.stack([h % 180, s.clip(0, 255), v.clip(0, 255)], axis=-1).astype(np.uint8)
        expected = cv2.cvtColor(cut_off, cv2.COLOR_HSV2RGB)
        assert (recolor(colors, UNCHANGED._replace(hsv_shift=shift)) == expected).all()


def test_hsv_leaves_no_stripe_at_the_right() -> None:
    """OpenCV rounds what remains of a row after whole vectors otherwise than the rest."""
    column = np.random.default_rng(0).integers(0, 256, (40, 1, 3), dtype=np.uint8)
    seen = recolor(np.repeat(column, 77, axis=1), UNCHANGED._replace(hsv_shift=(0.1, 0.1, 0.1)))
    assert (seen[:-1] == seen[:-1, :1]).all()


@pytest.mark.parametrize("downscale", [None, 2, 4])
def test_a_window_is_cut_from_the_recolored_image(image: np.ndarray, downscale: int | None) -> None:
    color = ColorParameters((12.0, -19.0, 3.0), None, 1.07, -21.0, downscale, 0.4, 0.7)
    all_of_it, with_hsv = recolor(image, color), recolor(image, color._replace(hsv_shift=(-0.1, 0.1, 0.1)))
    for window in (Window(0, 0, 60, 70), Window(31, 100, 250, 171), Window(90, 5, 91, 250), whole(image)):
        assert (recolor_window(image, color, window) == all_of_it[window.cut]).all()
        seen = recolor_window(image, color._replace(hsv_shift=(-0.1, 0.1, 0.1)), window)
        assert (seen != with_hsv[window.cut]).any(axis=-1).sum() <= 64  # the last vector of each


def test_gray_stays_gray_when_saturation_rises() -> None:
    gray = np.full((4, 4, 3), 90, np.uint8)
    assert (recolor(gray, UNCHANGED._replace(hsv_shift=(0.0, 60.0, 0.0))) == gray).all()


@pytest.mark.parametrize("factor", [2, 4])
def test_downscaling_leaves_one_pixel_of_each_block(image: np.ndarray, factor: int) -> None:
    seen = recolor(image[:248, :248], UNCHANGED._replace(downscale=factor))
    # Linear interpolation reaches every small pixel's value nearest to its center.
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
    seen = recolor(image, UNCHANGED._replace(downscale=None, sharpen_alpha=alpha, sharpen_lightness=lightness))
    assert np.abs(seen - expected)[1:-1, 1:-1].max() <= 0.51


def test_affine_scales_about_the_center_and_shifts() -> None:
    mask = MaskParameters((0.03, -0.015), (1.04, 0.97), (200, 200), 5, 5, 5)
    matrix = affine_matrix(mask, height=101, width=201)
    assert matrix @ [100, 50, 1] == pytest.approx([100 + 0.03 * 201, 50 - 0.015 * 101])
    assert matrix @ [110, 60, 1] - matrix @ [100, 50, 1] == pytest.approx([10.4, 9.7])


def test_move_brings_each_point_where_the_matrix_says() -> None:
    image = np.zeros((120, 160, 3), np.uint8)
    image[40:43, 50:53] = 255
    matrix = affine_matrix(MaskParameters((0.02, 0.015), (1.0, 1.0), (200, 200), 5, 5, 5), 120, 160)
    seen = move(image, matrix, whole(image), whole(image))[..., 0].astype(float)
    y, x = np.mgrid[0:120, 0:160]
    center = [(seen * x).sum() / seen.sum(), (seen * y).sum() / seen.sum()]
    assert center == pytest.approx(matrix @ [51, 41, 1], abs=0.05)


def test_move_leaves_no_black_edge() -> None:
    bright = np.full((80, 80, 3), 200, np.uint8)
    matrix = affine_matrix(MaskParameters((0.03, 0.015), (0.95, 0.95), (200, 200), 5, 5, 5), 80, 80)
    assert (move(bright, matrix, whole(bright), whole(bright)) == 200).all()


@pytest.mark.parametrize("scale", [0.95, 1.0, 1.05])
def test_a_window_is_cut_from_the_moved_image(image: np.ndarray, scale: float) -> None:
    """At the edges too, where the image is mirrored, and from no more of it than `origin_of` says."""
    matrix = affine_matrix(MaskParameters((-0.03, 0.015), (scale, 1 / scale), (200, 200), 5, 5, 5), 250, 250)
    all_of_it = move(image, matrix, whole(image), whole(image)).astype(int)
    for window in (Window(0, 0, 3, 9), Window(246, 245, 250, 250), Window(60, 90, 180, 200), whole(image)):
        origin = origin_of(window, matrix, 250, 250)
        seen = move(image[origin.cut], matrix, origin, window)
        assert np.abs(seen - all_of_it[window.cut]).max() <= 1
        assert (seen != all_of_it[window.cut]).mean() < 0.01
