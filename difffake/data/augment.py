"""Augmentations that a real face and its forgery share."""

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from difffake.errors import UsageError


@dataclass(frozen=True)
class AugmentConfig:
    """Probabilities and ranges. The paper of DiffusionFake uses flips and cutout, its code flips, rotation, cropping,
    gray and noise; SBI's code, on which DiffFake builds, uses JPEG.

    Args:
        flip: probability of a horizontal flip.
        mirror_faces: mirror the faces for a frozen diffusion model where the image is mirrored. False: they stay as
            they are, as in the published code of DiffusionFake.
        rotate: probability of a rotation about the center; what comes into the image is mirrored at its edge.
        rotate_degrees: largest angle in degrees, to either side.
        crop: probability of cutting out a random part and scaling it to the image's size.
        crop_area: smallest and largest area of the part, as a share of the image; its width is 3/4 to 4/3 of its
            height.
        gray: probability that the colors are removed.
        noise: probability of adding independent Gaussian noise to each level.
        noise_deviation: smallest and largest standard deviation of the noise, in levels (0-255).
        color: probability of another brightness, contrast, gamma and tint, as from another camera or in other light.
        color_strength: how much: contrast changes by up to this share, brightness by 0.4 of it and each of red, green
            and blue by 0.16 of it (as shares of 255), and the logarithm of gamma by 1.5 times it.
        downscale: probability of scaling down and back, before JPEG, as in video of low quality.
        downscale_factor: smallest and largest factor by which an image is scaled down.
        jpeg: probability of encoding and decoding as JPEG.
        jpeg_quality: smallest and largest JPEG quality, both included.
        cutout: probability that squares of the image are set to gray.
        cutout_holes: number of such squares.
        cutout_size: side of a square as a share of the image's side.
    """

    flip: float = 0.5
    mirror_faces: bool = True
    rotate: float = 0.0
    rotate_degrees: float = 30.0
    crop: float = 0.0
    crop_area: tuple[float, float] = (0.5, 1.0)
    gray: float = 0.0
    noise: float = 0.0
    noise_deviation: tuple[float, float] = (10**0.5, 50**0.5)
    color: float = 0.0
    color_strength: float = 0.3
    downscale: float = 0.0
    downscale_factor: tuple[float, float] = (1.0, 3.0)
    jpeg: float = 0.5
    jpeg_quality: tuple[int, int] = (40, 100)
    cutout: float = 0.0
    cutout_holes: int = 1
    cutout_size: float = 0.3

    def __post_init__(self) -> None:
        for name in (
            "flip",
            "rotate",
            "crop",
            "gray",
            "noise",
            "color",
            "color_strength",
            "downscale",
            "jpeg",
            "cutout",
            "cutout_size",
        ):
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"augment.{name} = {getattr(self, name)} must be between 0 and 1")
        if not 0 < self.crop_area[0] <= self.crop_area[1] <= 1:
            raise UsageError(f"augment.crop_area = {list(self.crop_area)} must be an increasing pair between 0 and 1")
        if not 0 <= self.noise_deviation[0] <= self.noise_deviation[1]:
            raise UsageError(f"augment.noise_deviation = {self.noise_deviation} must be an increasing pair from 0")
        if not 1 <= self.downscale_factor[0] <= self.downscale_factor[1]:
            raise UsageError(
                f"augment.downscale_factor = {list(self.downscale_factor)} must be an increasing pair from 1"
            )
        low, high = self.jpeg_quality
        if not 1 <= low <= high <= 100:
            raise UsageError(f"augment.jpeg_quality = {[low, high]} must be an increasing pair between 1 and 100")


def augment(images: list[np.ndarray], config: AugmentConfig, rng: np.random.Generator) -> tuple[list[np.ndarray], bool]:
    """Change all images in the same way, so that the change is independent of the label.

    Args:
        images: images (H, W, 3) uint8.
        config: probabilities and ranges.
        rng: source of random numbers.

    Returns:
        The changed images, and whether faces for a frozen diffusion model must be mirrored too; the other changes do
        not apply to them.
    """
    # All numbers are always drawn, so that switching one augmentation off does not change the others.
    flip, smaller, jpeg, cutout = rng.random(4) < (config.flip, config.downscale, config.jpeg, config.cutout)
    factor = float(rng.uniform(*config.downscale_factor))
    quality = int(rng.integers(config.jpeg_quality[0], config.jpeg_quality[1] + 1))
    corners = rng.random((config.cutout_holes, 2))
    rotate, crop, gray, noise = rng.random(4) < (config.rotate, config.crop, config.gray, config.noise)
    angle = float(rng.uniform(-1, 1)) * config.rotate_degrees
    part = _draw_part(config.crop_area, rng)
    deviation, noise_seed = float(rng.uniform(*config.noise_deviation)), int(rng.integers(2**63))
    color, look = rng.random() < config.color, _draw_look(config.color_strength, rng)
    if flip:
        images = [np.ascontiguousarray(image[:, ::-1]) for image in images]
    if rotate:
        images = [_rotated(image, angle) for image in images]
    if crop:
        images = [_cropped(image, part) for image in images]
    if gray:
        images = [np.repeat(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[:, :, None], 3, axis=2) for image in images]
    if color:
        images = [_recolored(image, look) for image in images]
    if noise:
        images = [_noisy(image, deviation, noise_seed) for image in images]
    if smaller:
        images = [downscale(image, factor) for image in images]
    if jpeg:
        images = [jpeg_round_trip(image, quality) for image in images]
    if cutout:
        images = [_cut_out(image, corners, config.cutout_size) for image in images]
    return images, bool(flip) and config.mirror_faces


def jpeg_round_trip(image: np.ndarray, quality: int) -> np.ndarray:
    """Encode (H, W, 3) uint8 RGB as JPEG of a quality in 1..100 and decode it again."""
    data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def downscale(image: np.ndarray, factor: float) -> np.ndarray:
    """Scale (H, W, 3) uint8 down by a factor, and back to its size."""
    size = image.shape[1::-1]
    small = cv2.resize(image, None, fx=1 / factor, fy=1 / factor, interpolation=cv2.INTER_AREA)
    return cv2.resize(small, size, interpolation=cv2.INTER_LINEAR)


def _cut_out(image: np.ndarray, corners: np.ndarray, size: float) -> np.ndarray:
    """Set N squares to mid-gray. `corners` (N, 2) in [0, 1] are relative to the range that keeps squares inside."""
    image = image.copy()
    side = round(size * min(image.shape[:2]))
    for y, x in (corners * (np.array(image.shape[:2]) - side)).astype(int):
        image[y : y + side, x : x + side] = 128
    return image


class _Look(NamedTuple):
    """A change of all levels: factor and offset of each channel (3,), then an exponent; levels are in [0, 1]."""

    gain: float
    offset: np.ndarray
    gamma: float


def _draw_look(strength: float, rng: np.random.Generator) -> _Look:
    gain, brightness, gamma = rng.uniform(-strength, strength, 3) * (1.0, 0.4, 1.5)
    return _Look(1 + float(gain), brightness + 0.16 * rng.uniform(-strength, strength, 3), float(np.exp(gamma)))


def _recolored(image: np.ndarray, look: _Look) -> np.ndarray:
    """Change the levels of (H, W, 3) uint8 by a table."""
    levels = np.linspace(0, 1, 256)[:, None] * look.gain + look.offset
    table = np.round(255 * np.clip(levels, 0, 1) ** look.gamma).astype(np.uint8)
    return cv2.LUT(image, table[None])


class _Part(NamedTuple):
    """A part of an image: position of its left upper corner, width and height, as shares of the image."""

    x: float
    y: float
    width: float
    height: float


_TRIES = 10
"""Random shapes of a part; where none of them fits into the image, the part is the whole image."""


def _draw_part(area: tuple[float, float], rng: np.random.Generator) -> _Part:
    """Draw a part: its area uniformly, and the logarithm of its aspect ratio, as Inception's crops (torchvision's)."""
    areas, ratios = rng.uniform(*area, _TRIES), np.exp(rng.uniform(np.log(3 / 4), np.log(4 / 3), _TRIES))
    x, y = rng.random(2)
    for width, height in zip(np.sqrt(areas * ratios), np.sqrt(areas / ratios), strict=True):
        if max(width, height) <= 1:
            return _Part(x * (1 - width), y * (1 - height), width, height)
    return _Part(0.0, 0.0, 1.0, 1.0)


def _rotated(image: np.ndarray, angle: float) -> np.ndarray:
    """Turn (H, W, 3) uint8 by an angle in degrees about its center."""
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2 - 0.5, height / 2 - 0.5), angle, 1.0)
    return cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)


def _cropped(image: np.ndarray, part: _Part) -> np.ndarray:
    """Scale a part of (H, W, 3) uint8 to the size of the image."""
    height, width = image.shape[:2]
    left, top = round(part.x * width), round(part.y * height)
    cut = image[top : top + max(1, round(part.height * height)), left : left + max(1, round(part.width * width))]
    return cv2.resize(cut, (width, height), interpolation=cv2.INTER_LINEAR)


def _noisy(image: np.ndarray, deviation: float, seed: int) -> np.ndarray:
    """Add Gaussian noise with a standard deviation in levels to (H, W, 3) uint8; one seed gives one noise."""
    noise = np.random.default_rng(seed).standard_normal(image.shape, np.float32) * np.float32(deviation)
    return np.clip(np.rint(image + noise), 0, 255).astype(np.uint8)
