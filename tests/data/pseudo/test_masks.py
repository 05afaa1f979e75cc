"""Masks against SciPy's filters, hand-drawn shapes and the published steps taken one by one."""

import cv2
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.spatial import ConvexHull

from difffake.data.pseudo.config import MaskParameters
from difffake.data.pseudo.masks import blend_mask, displacement_deviation, displacement_field, smooth
from difffake.data.pseudo.regions import region_parts
from difffake.data.pseudo.transforms import affine_matrix
from difffake.randomness import generator

STILL = MaskParameters((0.0, 0.0), (1.0, 1.0), (250, 250), 5, 5, 5)


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
    assert smooth(mask, first, second, sigma) == pytest.approx(expected, abs=1e-4)


def test_smoothing_of_a_mask_that_the_kernel_does_not_fit_into() -> None:
    mask = np.zeros((200, 200), np.uint8)
    mask[100:103, 60:140] = 255  # three rows, but a kernel of 25
    mask[101, 90:94] = 255
    blurred = cv2.GaussianBlur(mask.astype(np.float32) / 255, (25, 25), 0)
    found = smooth(mask, 25, 5, 5)
    assert found.max() == 1
    assert np.argwhere(found > 0.9).mean(axis=0) == pytest.approx(
        np.argwhere(blurred > blurred.max() - 1e-6).mean(axis=0), abs=3
    )


def test_smoothing_of_nothing_is_nothing() -> None:
    assert not smooth(np.zeros((200, 200), np.uint8), 5, 5, 5).any()


def test_displacements_are_those_of_full_resolution_noise() -> None:
    """Deviation and correlation against Simard's recipe: SciPy's Gaussian on noise at every pixel."""
    alpha, sigma, size, count = 50.0, 7.0, 128, 80
    rng = generator(0)
    ours = np.concatenate([displacement_field((size, size), np.ones(2), alpha, sigma, rng) for _ in range(count)])
    edge = 30
    noise = rng.uniform(-1, 1, (2 * count, size + 2 * edge, size + 2 * edge))
    full = alpha * gaussian_filter(noise, (0, sigma, sigma))[:, edge:-edge, edge:-edge]

    assert displacement_deviation(alpha, sigma) == pytest.approx(full.std(), rel=0.03)
    assert ours.std() == pytest.approx(full.std(), rel=0.04)
    assert ours[:, :3].std() == pytest.approx(full.std(), rel=0.1)  # no weaker at the edge
    slope = np.diff(full, axis=1).std()
    assert np.diff(ours[:, :2], axis=1).std() == pytest.approx(slope, rel=0.1)  # and no flatter
    assert np.diff(ours[..., -2:], axis=2).std() == pytest.approx(slope, rel=0.1)
    for distance in (3, 7, 14, 21):
        down = (ours[:, distance:] * ours[:, :-distance]).mean() / (ours**2).mean()
        across = (ours[..., distance:] * ours[..., :-distance]).mean() / (ours**2).mean()
        expected = (full[:, distance:] * full[:, :-distance]).mean() / (full**2).mean()
        assert down == pytest.approx(expected, abs=0.03)
        assert across == pytest.approx(expected, abs=0.03)
    # The two directions are independent, and values are Gaussian.
    x, y = ours.reshape(count, 2, -1)[:, 0], ours.reshape(count, 2, -1)[:, 1]
    assert abs(np.corrcoef(x.ravel(), y.ravel())[0, 1]) < 0.05
    assert (np.abs(ours) > 2 * ours.std()).mean() == pytest.approx(0.0455, abs=0.005)


def test_displacements_on_a_finer_or_coarser_grid_are_the_same_in_the_image() -> None:
    rng, per_pixel = generator(1), np.array([0.5, 2.0])
    fields = np.array([displacement_field((160, 100), per_pixel, 50, 7, rng) for _ in range(60)])
    for axis, cells in enumerate(per_pixel):
        assert fields[:, axis].std() == pytest.approx(cells * displacement_deviation(50, 7), rel=0.04)
    x = fields[:, 0]
    expected = np.exp(-(10**2) / (4 * 7**2))  # at 10 pixels: 5 cells across, 20 down
    assert (x[..., 5:] * x[..., :-5]).mean() / (x**2).mean() == pytest.approx(expected, abs=0.03)
    assert (x[:, 20:] * x[:, :-20]).mean() / (x**2).mean() == pytest.approx(expected, abs=0.03)


def test_area_is_the_hulls_area_less_what_the_kernels_take(landmarks: np.ndarray) -> None:
    parts = region_parts(landmarks, "face", "facehull")
    matrix = affine_matrix(STILL, 250, 250)
    mask = blend_mask(parts, (250, 250), matrix, STILL, 0, 7, generator(0))
    hull = ConvexHull(landmarks)
    # Kernel 5 takes 2 pixels of every side; the area at half height is that of the core. (SciPy: area = perimeter.)
    expected = hull.volume - (2 - 0.5) * hull.area
    assert (mask > 0.5).sum() == pytest.approx(expected, rel=0.02)
    assert mask[150, 125] == 1
    assert mask.min() == 0


def test_fused_steps_are_the_published_ones(landmarks: np.ndarray) -> None:
    """Drawing the moved hull on the smoothing grid against: draw, warp, resize, smooth, resize back."""
    parameters = MaskParameters((0.03, -0.01), (1.05, 0.96), (197, 249), 11, 15, 20)
    parts = region_parts(landmarks, "face", "components")
    matrix = affine_matrix(parameters, 250, 250)
    seen = blend_mask(parts, (250, 250), matrix, parameters, 0, 7, generator(0))

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
    box = np.array([(60.0, -50.0), (190.0, -50.0), (190.0, 300.0), (60.0, 300.0)])
    matrix = affine_matrix(STILL, 250, 250)
    edges = []
    for index in range(40):
        mask = blend_mask([box], (250, 250), matrix, STILL, 50, 7, generator(2, index))
        edges.append(np.argmax(mask[40:210] > 0.5, axis=1))
    still = np.argmax(blend_mask([box], (250, 250), matrix, STILL, 0, 7, generator(0))[125] > 0.5)
    # The shrinking kernel keeps the innermost of 5 rows, so that the mean moves in by less than a deviation.
    assert 0 <= np.mean(edges) - still < displacement_deviation(50, 7)
    assert np.std(edges) == pytest.approx(displacement_deviation(50, 7), rel=0.15)


def test_a_hull_outside_gives_an_empty_mask() -> None:
    far = np.array([(-90.0, -90.0), (-60.0, -90.0), (-60.0, -60.0)])
    mask = blend_mask([far], (250, 250), affine_matrix(STILL, 250, 250), STILL, 50, 7, generator(0))
    assert mask.shape == (250, 250)
    assert not mask.any()
