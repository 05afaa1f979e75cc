"""Displacements against SciPy's filters, and deformed outlines against deformed pictures."""

from typing import Any

import cv2
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from difffake.data.pseudo import elastic
from difffake.data.pseudo.elastic import (
    deform,
    displacement_deviation,
    displacement_nodes,
    displacements_at,
    subdivide,
)
from difffake.data.pseudo.masks import fill
from difffake.data.pseudo.regions import region_parts
from difffake.data.pseudo.window import Window
from difffake.randomness import generator

SPARE = 3  # nodes around what is sampled, as `deform` has them


def displacement_field(size: int, alpha: float, sigma: float, rng: np.random.Generator) -> np.ndarray:
    """Displacements at every pixel, (2, size, size) in pixels: x, then y."""
    spacing = sigma / 2
    count = int(np.ceil(size / spacing)) + 2 * SPARE
    nodes = displacement_nodes((count, count), alpha, sigma, rng)
    x, y = np.meshgrid(np.arange(size), np.arange(size))
    points = (np.stack([x, y], axis=-1) / spacing + SPARE).astype(np.float32)
    return spacing * displacements_at(nodes, points).transpose(2, 0, 1)


def test_displacements_are_those_of_full_resolution_noise() -> None:
    """Deviation and correlation against Simard's recipe: SciPy's Gaussian on noise at every pixel."""
    alpha, sigma, size, count = 50.0, 7.0, 128, 80
    rng = generator(0)
    ours = np.concatenate([displacement_field(size, alpha, sigma, rng) for _ in range(count)])
    edge = 30
    noise = rng.uniform(-1, 1, (2 * count, size + 2 * edge, size + 2 * edge))
    full = alpha * gaussian_filter(noise, (0, sigma, sigma))[:, edge:-edge, edge:-edge]

    assert displacement_deviation(alpha, sigma) == pytest.approx(full.std(), rel=0.03)
    assert ours.std() == pytest.approx(full.std(), rel=0.04)
    assert abs(ours.mean()) < 0.1 * full.std()
    assert ours[:, :3].std() == pytest.approx(full.std(), rel=0.1)  # no weaker at the edge
    slope = np.diff(full, axis=1).std()
    # And no flatter, over two nodes: cubics are a little steeper at them than between.
    assert np.diff(ours[:, :8], axis=1).std() == pytest.approx(slope, rel=0.1)
    assert np.diff(ours[..., -8:], axis=2).std() == pytest.approx(slope, rel=0.1)
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


@pytest.mark.parametrize(("alpha", "sigma"), [(50.0, 7.0), (98.0, 7.0), (200.0, 14.0)])
def test_a_deformed_outline_bounds_the_deformed_picture(
    landmarks: np.ndarray, monkeypatch: pytest.MonkeyPatch, alpha: float, sigma: float
) -> None:
    """The same noise moves the pixels of the drawn region, as the published code does, and its outline."""
    drawn_nodes = []

    def remember(*arguments: Any) -> np.ndarray:
        drawn_nodes.append(displacement_nodes(*arguments))
        return drawn_nodes[-1]

    monkeypatch.setattr(elastic, "displacement_nodes", remember)
    hulls = [cv2.convexHull(part.astype(np.float32))[:, 0] for part in region_parts(landmarks, "face", "extended")]
    corners, corner_counts = np.concatenate(hulls), [len(hull) for hull in hulls]
    outline, counts = subdivide(corners, corner_counts, sigma / 2)
    image = Window(0, 0, 250, 250)
    picture = np.zeros((250, 250), np.uint8)
    for hull in hulls:
        cv2.fillConvexPoly(picture, np.round(hull * 16).astype(np.int32), 255, cv2.LINE_8, 4)
    still = fill(corners, corner_counts, image)
    pixels = np.stack(np.meshgrid(np.arange(250), np.arange(250)), axis=-1).astype(np.float32)
    for index in range(6):
        seen = fill(deform(outline, alpha, sigma, generator(index)), counts, image)
        spacing, first = sigma / 2, Window.bounding(outline)[:2]
        at = ((pixels - np.array(first)) / spacing + SPARE).astype(np.float32)
        moved = pixels + np.float32(spacing) * displacements_at(drawn_nodes[-1], at)
        expected = cv2.remap(picture, moved, None, cv2.INTER_LINEAR) == 255
        overlap = intersection_over_union(seen > 0, expected)
        assert overlap > 0.98
        # So it is the noise that they share.
        assert 1 - overlap < (1 - intersection_over_union(still > 0, expected)) / 2


def intersection_over_union(one: np.ndarray, other: np.ndarray) -> float:
    return float((one & other).sum() / (one | other).sum())


def test_subdividing_keeps_corners_and_shape() -> None:
    corners = np.array([(0, 0), (10, 0), (10, 5), (30, 30), (33, 34), (30, 34)], np.float32)
    points, counts = subdivide(corners, [3, 3], 2.5)
    # By hand: edges of 10, 5, 11.2 and of 5, 3, 4.
    assert counts == [4 + 2 + 5, 2 + 2 + 2]
    assert points[:6].tolist() == [[0, 0], [2.5, 0], [5, 0], [7.5, 0], [10, 0], [10, 2.5]]
    assert points[6:11] == pytest.approx(np.linspace((10, 5), (2, 1), 5))
    assert points[11:] == pytest.approx(
        np.array([(30, 30), (31.5, 32), (33, 34), (31.5, 34), (30, 34), (30, 32)], np.float32)
    )
