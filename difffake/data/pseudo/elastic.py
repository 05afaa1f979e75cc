"""Elastic deformation of outlines."""

import math
from collections.abc import Sequence

import cv2
import numpy as np

from difffake.data.pseudo.window import Window

_NODES_PER_SIGMA = 2
_SPARE_NODES = 3  # nodes around the outline, for the movement of points and for cubic interpolation
_RADIUS = 3 * _NODES_PER_SIGMA
_KERNEL = cv2.getGaussianKernel(2 * _RADIUS + 1, _NODES_PER_SIGMA, cv2.CV_32F)
_NOISE_LEVELS = 256
_NOISE_MEAN = (_NOISE_LEVELS - 1) / 2
# Standard deviation of the smoothed noise.
_SMOOTHED_DEVIATION = math.sqrt((_NOISE_LEVELS**2 - 1) / 12) * float((_KERNEL**2).sum())
_STEPS = 2


def deform(outline: np.ndarray, alpha: float, sigma: float, rng: np.random.Generator) -> np.ndarray:
    """Deform the outline of a region elastically.

    An elastic deformation d of a picture is `out(p) = in(p + d(p))`. It moves a point q of the outline to the p with
    p + d(p) = q. This p is found by iterating p <- q - d(p). With the usual settings, d differs by 0.12 between
    neighboring pixels, so two steps leave an error of 0.02 pixels. DiffFake deforms a picture of the region instead, by
    linear interpolation, and keeps the pixels that stay at the maximum.

    Args:
        outline: x and y (N, 2) in pixels, of points at most sigma / 2 apart.
        alpha: strength in pixels, see `displacement_nodes`.
        sigma: smoothing in pixels.
        rng: source of the noise.

    Returns:
        The deformed outline (N, 2) float32 in pixels.
    """
    # Positions in nodes; 0 is `_SPARE_NODES` before the first point.
    per_pixel = np.float32(_NODES_PER_SIGMA / sigma)
    left, top, right, bottom = Window.bounding(outline)
    first = np.array([left, top], dtype=np.float32) - _SPARE_NODES / per_pixel
    still = (outline - first) * per_pixel
    columns, rows = (math.ceil(size * per_pixel) + 2 * _SPARE_NODES for size in (right - left, bottom - top))
    nodes = displacement_nodes((rows, columns), alpha, sigma, rng)
    moved = still
    for _ in range(_STEPS):
        moved = still - displacements_at(nodes, moved[None])[0]
    return moved / per_pixel + first


def displacement_nodes(shape: tuple[int, int], alpha: float, sigma: float, rng: np.random.Generator) -> np.ndarray:
    """Random displacements at nodes that are sigma / 2 apart.

    In Simard et al. (2003), noise uniform in [-1, 1] at every pixel is smoothed by a Gaussian of `sigma` pixels and
    multiplied by `alpha` pixels. Each value is a weighted sum of hundreds of independent numbers, so this is a Gaussian
    field with correlation exp(-d^2 / (4 sigma^2)). It has no detail finer than sigma. So it is made at nodes from
    uniform noise (sums of about fifty numbers), scaled to the same variance, and interpolated by cubics. Mean, variance
    and correlation (to 1 %) are the same, from far fewer random numbers. The field is stationary up to its edges,
    because there is noise beyond them.

    Args:
        shape: number of nodes (rows, columns).
        alpha: strength in pixels.
        sigma: smoothing in pixels.
        rng: source of the noise.

    Returns:
        Displacements (rows, columns, 2) float32 in x and y, in steps of the nodes.
    """
    rows, columns = shape
    around = 2 * _RADIUS
    noise = rng.integers(_NOISE_LEVELS, size=(rows + around, columns + around, 2), dtype=np.uint8)
    smoothed = cv2.sepFilter2D(noise, cv2.CV_32F, _KERNEL, _KERNEL)[_RADIUS:-_RADIUS, _RADIUS:-_RADIUS]
    gain = displacement_deviation(alpha, sigma) * _NODES_PER_SIGMA / sigma / _SMOOTHED_DEVIATION
    return (smoothed - np.float32(_NOISE_MEAN)) * np.float32(gain)


def displacements_at(nodes: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Displacements (h, w, 2) at `points` (h, w, 2) float32; all in steps of the nodes."""
    return cv2.remap(nodes, points, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


def displacement_deviation(alpha: float, sigma: float) -> float:
    """Standard deviation, in pixels, of noise uniform in [-1, 1], smoothed by a Gaussian `sigma`, times `alpha`."""
    return alpha / math.sqrt(3) / (2 * math.sqrt(math.pi) * sigma)


def subdivide(corners: np.ndarray, counts: Sequence[int], step: float) -> tuple[np.ndarray, list[int]]:
    """Place points along closed polygons.

    Args:
        corners: (sum of `counts`, 2) float32, one polygon after the other.
        counts: number of corners of each polygon.
        step: largest distance from one point to the next.

    Returns:
        The points (N, 2), and the number of points of each polygon.
    """
    ends = np.cumsum(counts)
    following = np.arange(1, len(corners) + 1)
    following[ends - 1] = ends - counts  # the last corner's edge leads back to the first
    edges = corners[following] - corners
    pieces = np.ceil(np.hypot(edges[:, 0], edges[:, 1]) / step).clip(1).astype(np.intp)
    last = np.cumsum(pieces)
    edge = np.repeat(np.arange(len(corners)), pieces)
    # Share of its edge that is before each point.
    share = (np.arange(last[-1]) - (last - pieces)[edge]) / pieces[edge]
    # `take` is five times as fast as an index in brackets.
    points = corners.take(edge, axis=0) + edges.take(edge, axis=0) * share[:, None].astype(np.float32)
    final = last[ends - 1].tolist()
    return points, [end - start for start, end in zip([0, *final], final, strict=False)]
