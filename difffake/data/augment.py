"""Augmentations that a real face and its forgery share."""

from dataclasses import dataclass

import cv2
import numpy as np

from difffake.errors import UsageError


@dataclass(frozen=True)
class AugmentConfig:
    """Probabilities and ranges. DiffusionFake uses flips and cutout; SBI's code, on which DiffFake builds, uses JPEG.

    Args:
        flip: probability of a horizontal flip.
        downscale: probability of scaling down and back, before JPEG, as in video of low quality.
        downscale_factor: smallest and largest factor by which an image is scaled down.
        jpeg: probability of encoding and decoding as JPEG.
        jpeg_quality: smallest and largest JPEG quality, both included.
        cutout: probability that squares of the image are set to gray.
        cutout_holes: number of such squares.
        cutout_size: side of a square as a share of the image's side.
    """

    flip: float = 0.5
    downscale: float = 0.0
    downscale_factor: tuple[float, float] = (1.0, 3.0)
    jpeg: float = 0.5
    jpeg_quality: tuple[int, int] = (40, 100)
    cutout: float = 0.0
    cutout_holes: int = 1
    cutout_size: float = 0.3

    def __post_init__(self) -> None:
        for name in ("flip", "downscale", "jpeg", "cutout", "cutout_size"):
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"augment.{name} = {getattr(self, name)} must be between 0 and 1")
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
        The changed images, and whether they were mirrored. Faces for a frozen diffusion model are mirrored too; the
        other changes do not apply to them.
    """
    # All numbers are always drawn, so that switching one augmentation off does not change the others.
    flip, smaller, jpeg, cutout = rng.random(4) < (config.flip, config.downscale, config.jpeg, config.cutout)
    factor = float(rng.uniform(*config.downscale_factor))
    quality = int(rng.integers(config.jpeg_quality[0], config.jpeg_quality[1] + 1))
    corners = rng.random((config.cutout_holes, 2))
    if flip:
        images = [np.ascontiguousarray(image[:, ::-1]) for image in images]
    if smaller:
        images = [downscale(image, factor) for image in images]
    if jpeg:
        images = [jpeg_round_trip(image, quality) for image in images]
    if cutout:
        images = [_cut_out(image, corners, config.cutout_size) for image in images]
    return images, bool(flip)


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
