"""Masks against SciPy's filters, hand-drawn shapes and the published steps taken one by one."""

from typing import Any

import cv2
import numpy as np
import pytest
from scipy.spatial import ConvexHull

from difffake.data.pseudo.config import MaskParameters
from difffake.data.pseudo.elastic import displacement_deviation
from difffake.data.pseudo.masks import blend_mask, feather, fill, shrink
from difffake.data.pseudo.regions import region_parts
from difffake.data.pseudo.transforms import affine_matrix
from difffake.data.pseudo.window import Window
from difffake.randomness import generator

STILL = MaskParameters((0.0, 0.0), (1.0, 1.0), (250, 250), 5, 5, 5)


def whole_mask(*arguments: Any) -> np.ndarray:
    """`blend_mask` of a (250, 250) image, with all the zeros around it."""
    made = blend_mask(*arguments)
    assert made is not None
    mask = np.zeros((250, 250), np.float32)
    mask[made.window.cut] = made.values
    return mask


def published_smoothing(mask: np.ndarray, first: int, second: int, sigma: float) -> np.ndarray:
    """The steps as SBI and DiffFake write them, on a mask in [0, 1]; 1 - 1e-6 for 1, as sums are rounded."""
    blurred = cv2.GaussianBlur(mask, (first, first), 0)
    blurred = blurred / blurred.max()
    core = np.where(blurred < 1 - 1e-6, 0, blurred)
    soft = cv2.GaussianBlur(core, (second, second), sigma)
    return soft / soft.max()


@pytest.mark.parametrize(("first", "second", "sigma"), [(5, 5, 5), (15, 9, 20), (25, 25, 45)])
def test_smoothing_is_the_published_one(first: int, second: int, sigma: float) -> None:
    mask = np.zeros((200, 220), np.uint8)
    cv2.ellipse(mask, (120, 90), (60, 40), 20, 0, 360, 255, -1)
    mask[:30, :60] = 255  # a second part, at the grid's edge
    mask[100, 100] = 0  # and a hole
    expected = published_smoothing(mask.astype(np.float32) / 255, first, second, sigma)
    assert feather(shrink(mask, first), second, sigma) == pytest.approx(expected, abs=1e-4)


def test_smoothing_of_a_mask_that_the_kernel_does_not_fit_into() -> None:
    mask = np.zeros((200, 200), np.uint8)
    mask[100:103, 60:140] = 255  # three rows, but a kernel of 25
    mask[101, 90:94] = 255
    blurred = cv2.GaussianBlur(mask.astype(np.float32) / 255, (25, 25), 0)
    found = feather(shrink(mask, 25), 5, 5)
    assert found.max() == 1
    assert np.argwhere(found > 0.9).mean(axis=0) == pytest.approx(
        np.argwhere(blurred > blurred.max() - 1e-6).mean(axis=0), abs=3
    )


def test_smoothing_of_nothing_is_nothing() -> None:
    assert not feather(shrink(np.zeros((200, 200), np.uint8), 5), 5, 5).any()


def test_area_is_the_hulls_area_less_what_the_kernels_take(landmarks: np.ndarray) -> None:
    parts = region_parts(landmarks, "face", "facehull")
    matrix = affine_matrix(STILL, 250, 250)
    mask = whole_mask(parts, (250, 250), matrix, STILL, 0, 7, generator(0))
    hull = ConvexHull(landmarks)
    lengths = np.linalg.norm(np.diff(landmarks[hull.simplices], axis=1)[:, 0], axis=1)
    slant = np.abs(hull.equations[:, :2])  # of each edge's normal
    # The area at half height is that of the core. The kernel, a square of 5, takes 2 pixels of upright edges and more
    # of slanted ones; of these, `fill` takes a little too.
    lost = (lengths * (2 * slant.sum(axis=1) + 0.5 * slant.min(axis=1))).sum()
    assert (mask > 0.5).sum() == pytest.approx(hull.volume - lost, rel=0.005)  # SciPy: volume is the area
    assert mask[150, 125] == 1
    assert mask.min() == 0


def test_fused_steps_are_the_published_ones(landmarks: np.ndarray) -> None:
    """Drawing the moved hull on the smoothing grid against: draw, warp, resize, smooth, resize back."""
    parameters = MaskParameters((0.03, -0.01), (1.05, 0.96), (197, 249), 11, 15, 20)
    parts = region_parts(landmarks, "face", "components")
    matrix = affine_matrix(parameters, 250, 250)
    seen = whole_mask(parts, (250, 250), matrix, parameters, 0, 7, generator(0))

    drawn = np.zeros((250, 250), np.float32)
    for part in parts:
        cv2.fillConvexPoly(drawn, cv2.convexHull(np.round(part).astype(np.int32)), 1.0)
    warped = cv2.warpAffine(drawn, matrix, (250, 250))
    resized = cv2.resize(warped, (249, 197))
    expected = cv2.resize(published_smoothing(resized, 11, 15, 20), (250, 250))
    assert np.abs(seen - expected).mean() < 0.01  # about half a pixel along the edge
    assert np.abs(seen - expected).max() < 0.25


def test_elastic_deformation_bends_the_edge_by_its_deviation() -> None:
    """The left edge of a tall box wanders by the deviation of the displacements, and stays where it is on average."""
    box = np.array([(60.5, -50.0), (190.5, -50.0), (190.5, 300.0), (60.5, 300.0)])
    matrix = affine_matrix(STILL, 250, 250)
    edges = []
    for index in range(40):
        mask = whole_mask([box], (250, 250), matrix, STILL, 50, 7, generator(2, index))
        edges.append(np.argmax(mask[40:210] > 0.5, axis=1))
    still = np.argmax(whole_mask([box], (250, 250), matrix, STILL, 0, 7, generator(0))[125] > 0.5)
    # The shrinking kernel keeps the innermost of 5 rows, so that the mean moves in by less than a deviation.
    assert 0 <= np.mean(edges) - still < displacement_deviation(50, 7)
    assert np.std(edges) == pytest.approx(displacement_deviation(50, 7), rel=0.15)


def test_a_hull_outside_gives_an_empty_mask() -> None:
    far = np.array([(-90.0, -90.0), (-60.0, -90.0), (-60.0, -60.0)])
    assert blend_mask([far], (250, 250), affine_matrix(STILL, 250, 250), STILL, 50, 7, generator(0)) is None


def test_fill_takes_cells_by_their_centers() -> None:
    """A box to the cell; of a disc, the area; and overlapping polygons unite."""
    window = Window(10, 20, 50, 60)
    box = np.array([(15.3, 25.6), (30.2, 25.6), (30.2, 40.4), (15.3, 40.4)], np.float32)
    expected = np.zeros((40, 40), np.uint8)
    expected[6:21, 6:21] = 255  # x 16 to 30, y 26 to 40
    assert (fill(box, [4], window) == expected).all()
    turn = np.linspace(0, 2 * np.pi, 100, endpoint=False)
    disc = (np.stack([np.cos(turn), np.sin(turn)], axis=1) * 15 + [30.3, 40.7]).astype(np.float32)
    # On slanted edges, up to a third of a cell is lost.
    assert np.pi * 14.6**2 < (fill(disc, [100], window) > 0).sum() <= np.pi * 15**2
    both = fill(np.concatenate([box, disc]), [4, 100], window)
    assert (both == np.maximum(fill(disc, [100], window), expected)).all()


def test_fill_keeps_a_sliver() -> None:
    sliver = np.array([(5.0, 5.4), (15.0, 5.4), (10.0, 5.5)], np.float32)
    assert fill(sliver, [3], Window(0, 0, 20, 20)).any()


@pytest.mark.parametrize("shape", [(250, 250), (64, 80), (900, 700)])
def test_the_window_is_the_resized_grid(landmarks: np.ndarray, shape: tuple[int, int]) -> None:
    """The mask of a region that touches three edges, from a window of the grid, against all of the grid resized."""
    height, width = shape
    box = np.array([(-20.0, 40.0), (300.0, 40.0), (300.0, 300.0), (-20.0, 300.0)]) * [width / 250, height / 250]
    parameters = MaskParameters((0.0, 0.0), (1.0, 1.0), (200, 222), 7, 21, 30)
    made = blend_mask([box], shape, affine_matrix(parameters, *shape), parameters, 0, 7, generator(0))
    assert made is not None
    drawn = np.zeros((200, 222), np.uint8)
    drawn[round((box[0, 1] + 0.5) * 200 / height) :] = 255
    expected = cv2.resize(feather(shrink(drawn, 7), 21, 30), (width, height))
    seen = np.zeros(shape, np.float32)
    seen[made.window.cut] = made.values
    assert seen == pytest.approx(expected, abs=1e-4)
