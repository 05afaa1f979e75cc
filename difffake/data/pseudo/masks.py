"""From landmarks to the soft mask that blends source into target."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from difffake.data.pseudo.config import MaskParameters
from difffake.data.pseudo.elastic import deform, subdivide
from difffake.data.pseudo.window import Window

_SUBPIXEL_BITS = 4
_INSIDE = 255
_TINY = float(np.finfo(np.float32).tiny)
_SQUARE_OF_2 = np.ones((2, 2), dtype=np.uint8)


class BlendMask(NamedTuple):
    """The part of a soft mask that is above 0, and its position; elsewhere the mask is 0."""

    values: np.ndarray  # (h, w) float32 in [0, 1]
    window: Window


def blend_mask(
    parts: Sequence[np.ndarray],
    shape: tuple[int, int],
    matrix: np.ndarray,
    parameters: MaskParameters,
    elastic_alpha: float,
    elastic_sigma: float,
    rng: np.random.Generator,
) -> BlendMask | None:
    """Make the mask of the united convex hulls of `parts`, moved, deformed and smoothed.

    The steps are those of DiffFake (after SBI): hull, affine transform, elastic deformation, resizing, smoothing,
    resizing back. Here, the first four steps are applied to the outlines, not to a picture of them. The moved and
    deformed outlines are drawn on the smoothing grid, which saves three resamplings. `deform` and `fill` describe the
    differences.

    Args:
        parts: point sets (N_i, 2) in pixels of the image.
        shape: height and width of the image.
        matrix: affine transform (2, 3) of source and mask.
        parameters: size of the smoothing grid, and kernels.
        elastic_alpha: strength of the elastic deformation, in pixels of the image.
        elastic_sigma: smoothing of the elastic deformation, in pixels of the image.
        rng: source of the deformation's noise.

    Returns:
        The mask; None if no part of it is inside the image.
    """
    height, width = shape
    rows, columns = parameters.grid
    hulls = [cv2.convexHull(part.astype(np.float32))[:, 0] for part in parts]
    counts = [len(hull) for hull in hulls]
    outline = _transform(np.concatenate(hulls), matrix)
    if elastic_alpha > 0:
        # More points are not needed: the displacements have no detail finer than sigma.
        outline, counts = subdivide(outline, counts, elastic_sigma / 2)
        outline = deform(outline, elastic_alpha, elastic_sigma, rng)
    across, down = columns / width, rows / height
    to_grid = np.array([[across, 0, (across - 1) / 2], [0, down, (down - 1) / 2]])  # (x + 0.5) * across - 0.5
    outline = _transform(outline, to_grid)

    # Work only around the outline: beyond this margin, both kernels see only zeros.
    margin = max(parameters.shrink_kernel, parameters.feather_kernel) // 2 + 2
    drawn = Window.bounding(outline).grown(margin, rows, columns)
    if min(drawn.size) <= 0:
        return None
    core = shrink(fill(outline, counts, drawn), parameters.shrink_kernel)
    found = Window.bounding(core)
    if min(found.size) <= 0:
        return None
    # Feathering ends one cell before the edge of its window, unless that is the edge of the grid.
    place = found.grown(parameters.feather_kernel // 2 + 1, *core.shape)
    soft = feather(core[place.cut], parameters.feather_kernel, parameters.feather_sigma)
    return _to_image(soft, place.moved(drawn.left, drawn.top), to_grid)


def _transform(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Affine transform (2, 3) of points (N, 2) float32."""
    return cv2.transform(points[None], matrix)[0]


def _to_image(soft: np.ndarray, place: Window, to_grid: np.ndarray) -> BlendMask:
    """Resize the grid (`soft` at `place`, 0 elsewhere) linearly to the image, and return the part above 0."""
    (across, _, _), (_, down, _) = to_grid.tolist()
    window = Window(
        math.ceil(place.left / across - 0.5),
        math.ceil(place.top / down - 0.5),
        math.floor(place.right / across - 0.5) + 1,
        math.floor(place.bottom / down - 0.5) + 1,
    )
    matrix = to_grid.copy()
    matrix[:, 2] += (across * window.left - place.left, down * window.top - place.top)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    # The border repeats the zeros at the edge of `soft`, or the edge of the grid, as resizing does.
    return BlendMask(cv2.warpAffine(soft, matrix, window.size, flags=flags, borderMode=cv2.BORDER_REPLICATE), window)


def fill(outline: np.ndarray, counts: Sequence[int], window: Window) -> np.ndarray:
    """Fill polygons on a grid of cells.

    A cell counts as inside if its center is inside; at slanted edges, up to a third of a cell further inside. On
    average, this is the same as resampling a filled polygon linearly and keeping only the cells that are still 255.

    Args:
        outline: (sum of `counts`, 2) x and y in cells, one polygon after the other.
        counts: number of points of each polygon.
        window: cells to fill.

    Returns:
        (h, w) uint8: 255 inside any of the polygons, otherwise 0.
    """
    columns, rows = window.size
    canvas = np.zeros((rows, columns), dtype=np.uint8)
    # OpenCV paints every cell that a polygon touches, half a cell too much on each side. After a shift by half a cell,
    # the excess is on the right and below, where an erosion with a square of two cells removes it.
    shift = 0.5 - np.array([window.left, window.top], dtype=np.float32)
    fixed = np.round((outline + shift) * 2**_SUBPIXEL_BITS).astype(np.int32)
    start = 0
    for count in counts:
        # One polygon per call: several in one call would cancel each other where they overlap.
        cv2.fillPoly(canvas, [fixed[start : start + count]], _INSIDE, cv2.LINE_8, _SUBPIXEL_BITS)
        start += count
    inside = cv2.erode(canvas, _SQUARE_OF_2, anchor=(0, 0))
    return inside if cv2.hasNonZero(inside) else canvas  # for a very thin polygon, keep the cells that it touches


def shrink(mask: np.ndarray, kernel: int) -> np.ndarray:
    """Shrink a mask (H, W) uint8, 255 inside, to its core of the same form.

    DiffFake applies a Gaussian, divides by the maximum and sets values below 1 to zero. This keeps the pixels with only
    255 under the kernel, so it is an erosion, which is computed here. Only if the kernel fits nowhere into the mask is
    the maximum below 1; then the pixels of that maximum are kept.
    """
    core = cv2.erode(mask, np.ones((kernel, kernel), dtype=np.uint8))
    if not cv2.hasNonZero(core):
        blurred = cv2.GaussianBlur(mask.astype(np.float32), (kernel, kernel), 0)
        core = cv2.compare(blurred, max(cv2.norm(blurred, cv2.NORM_INF), _TINY), cv2.CMP_GE)
    return core


def feather(core: np.ndarray, kernel: int, sigma: float) -> np.ndarray:
    """Soften the edge of a core (H, W) uint8: Gaussian, divided by its maximum; (H, W) float32 in [0, 1]."""
    weights = cv2.getGaussianKernel(kernel, sigma, cv2.CV_32F)
    soft = cv2.sepFilter2D(core, cv2.CV_32F, weights, weights)
    return soft * np.float32(1 / max(cv2.norm(soft, cv2.NORM_INF), _TINY))
