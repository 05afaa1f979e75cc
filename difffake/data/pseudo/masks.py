"""From landmarks to the soft mask that blends source into target."""

from collections.abc import Sequence

import cv2
import numpy as np

from difffake.data.pseudo.config import MaskParameters

_SUBPIXEL_BITS = 4
_INSIDE = 255
_NODES_PER_SIGMA = 2
_SPARE_NODES = 4


def blend_mask(
    parts: Sequence[np.ndarray],
    shape: tuple[int, int],
    matrix: np.ndarray,
    parameters: MaskParameters,
    elastic_alpha: float,
    elastic_sigma: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Mask (H, W) float32 in [0, 1] of the united convex hulls of `parts`, moved, deformed and smoothed.

    Args:
        parts: Point sets (N_i, 2) in pixels of the image.
        shape: Height and width of the image.
        matrix: Affine transform (2, 3) of the source, which the mask shares.
        parameters: Size of the grid for smoothing, and kernels.
        elastic_alpha: Strength of the elastic deformation, in pixels of the image.
        elastic_sigma: Smoothing of the elastic deformation, in pixels of the image.
        rng: Source of the deformation's noise.

    The steps are DiffFake's (after SBI): hull, affine, elastic deformation, resize, smoothing, resize back. The first
    four are one here: the moved hull (the hull of the moved points is the same shape) is drawn on the smoothing grid
    and deformed there, which spares three resamplings. An all-zero mask means that the hull lies outside.
    """
    height, width = shape
    rows, columns = parameters.grid
    per_pixel = np.array([columns / width, rows / height])  # grid cells
    moved = [part @ matrix[:, :2].T + matrix[:, 2] for part in parts]
    hulls = [cv2.convexHull(((points + 0.5) * per_pixel - 0.5).astype(np.float32)) for points in moved]

    # Work on a window around the hull: six standard deviations of the deformation and the feathering fit in its margin.
    spread = 6 * displacement_deviation(elastic_alpha, elastic_sigma) * per_pixel
    margin = np.ceil(spread).astype(int) + parameters.feather_kernel // 2 + 2
    corners = np.concatenate(hulls)[:, 0]
    low = np.clip(np.floor(corners.min(axis=0)).astype(int) - margin, 0, [columns, rows])
    high = np.clip(np.ceil(corners.max(axis=0)).astype(int) + 1 + margin, 0, [columns, rows])
    if (high - low).min() <= 0:
        return np.zeros(shape, dtype=np.float32)

    window = np.zeros((high[1] - low[1], high[0] - low[0]), dtype=np.uint8)
    for hull in hulls:
        fixed = np.round((hull - low) * 2**_SUBPIXEL_BITS).astype(np.int32)
        cv2.fillConvexPoly(window, fixed, _INSIDE, cv2.LINE_8, _SUBPIXEL_BITS)
    if elastic_alpha > 0:
        window = _deform(window, per_pixel, elastic_alpha, elastic_sigma, rng)

    grid = np.zeros((rows, columns), dtype=np.float32)
    grid[low[1] : high[1], low[0] : high[0]] = smooth(
        window, parameters.shrink_kernel, parameters.feather_kernel, parameters.feather_sigma
    )
    return cv2.resize(grid, (width, height), interpolation=cv2.INTER_LINEAR)


def displacement_deviation(alpha: float, sigma: float) -> float:
    """Standard deviation, in pixels, of noise uniform in [-1, 1], smoothed by a Gaussian `sigma`, times `alpha`."""
    return alpha / np.sqrt(3) / (2 * np.sqrt(np.pi) * sigma)


def displacement_field(
    shape: tuple[int, int], per_pixel: np.ndarray, alpha: float, sigma: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Displacements in x and in y, each (h, w) float32 in cells, on a grid of `per_pixel` (x, y) cells a pixel.

    Simard et al. (2003): noise uniform in [-1, 1] at every pixel, smoothed by a Gaussian, times alpha. A weighted sum
    of hundreds of independent numbers, that is a Gaussian field with correlation exp(-d^2 / (4 sigma^2)). It has no
    detail finer than sigma, so it is made on nodes sigma / 2 apart, from Gaussian noise scaled to the same variance,
    and interpolated by cubics: the same mean, variance and correlation (to 1 %) from a fraction of the numbers. It is
    stationary up to the edges of the image, as there is noise beyond them.
    """
    cells = sigma / _NODES_PER_SIGMA * per_pixel  # from one node to the next
    rows, columns = shape
    across, down = (np.ceil([columns, rows] / cells)).astype(int) + 2 * _SPARE_NODES
    radius = 4 * _NODES_PER_SIGMA
    noise = rng.standard_normal((down + 2 * radius, across + 2 * radius, 2), dtype=np.float32)
    smoothed = cv2.GaussianBlur(noise, (2 * radius + 1, 2 * radius + 1), _NODES_PER_SIGMA)
    # Smoothing leaves 1 / (2 sqrt(pi) nodes) of the noise's deviation; this brings it to what it should be.
    gain = displacement_deviation(alpha, sigma) * 2 * np.sqrt(np.pi) * _NODES_PER_SIGMA * per_pixel
    # The spare nodes hide the border of the interpolation.
    left, top = np.ceil(_SPARE_NODES / 2 * cells).astype(int)
    x, y = (
        cv2.resize(plane, None, fx=cells[0], fy=cells[1], interpolation=cv2.INTER_CUBIC)
        for plane in cv2.split(smoothed[radius:-radius, radius:-radius] * gain.astype(np.float32))
    )
    return x[top : top + rows, left : left + columns], y[top : top + rows, left : left + columns]


def smooth(mask: np.ndarray, shrink_kernel: int, feather_kernel: int, feather_sigma: float) -> np.ndarray:
    """Shrink a mask (H, W) uint8, 255 inside, and soften its edge: (H, W) float32, at most 1.

    DiffFake: Gaussian, divide by the maximum, zero what is below 1, Gaussian, divide by the maximum. What the first
    three keep are the pixels with nothing but 255 under the kernel: an erosion, which is what is computed. Only where
    the kernel fits nowhere into the mask, the maximum is below 1; then they keep the pixels of that maximum.
    """
    square = np.ones((shrink_kernel, shrink_kernel), dtype=np.uint8)
    core = cv2.erode(cv2.compare(mask, _INSIDE, cv2.CMP_EQ), square)
    if not core.any():
        blurred = cv2.GaussianBlur(mask.astype(np.float32), (shrink_kernel, shrink_kernel), 0)
        core = ((blurred == blurred.max()) & (blurred > 0)).astype(np.uint8)
    soft = cv2.GaussianBlur(core.astype(np.float32), (feather_kernel, feather_kernel), feather_sigma)
    return soft / max(soft.max(), np.finfo(np.float32).tiny)


def _deform(
    window: np.ndarray, per_pixel: np.ndarray, alpha: float, sigma: float, rng: np.random.Generator
) -> np.ndarray:
    """Elastic deformation of a window (h, w) of the grid."""
    rows, columns = window.shape
    x, y = displacement_field((rows, columns), per_pixel, alpha, sigma, rng)
    x += np.arange(columns, dtype=np.float32)
    y += np.arange(rows, dtype=np.float32)[:, None]
    return cv2.remap(window, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
