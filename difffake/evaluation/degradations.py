"""Degradations of face crops, each at five strengths: what happens to pictures before a detector sees them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torchvision.transforms.v2 import functional as transforms

from difffake.data.augment import downscale, jpeg_round_trip
from difffake.forge.tools.compression import compress

Image = NDArray[np.uint8]
"""A crop (H, W, 3), RGB."""
Generators = Sequence[np.random.Generator]

SIDE = 224
"""Side of a crop in pixels that the strength of the blur is for; on others, it is scaled with the side."""
_SCREENSHOTS = {0.9: (0.02, 90), 0.8: (0.04, 80), 0.65: (0.06, 70), 0.5: (0.08, 60), 0.35: (0.10, 50)}
"""Of a screenshot, by the scale at which the picture is shown: largest share of the side that is cut off at each edge,
and JPEG quality."""


@dataclass(frozen=True)
class Degradation:
    """A kind of degradation."""

    title: str
    parameter: str
    """Name of the number that says how strong it is."""
    unit: str
    values: tuple[float, float, float, float, float]
    """The number at the strengths 1 to 5."""
    apply: Callable[[Sequence[Image], float, Generators], list[Image]]
    """Degrades the crops of a person in a video, in their order, or one still; called with crops, value and a generator
    of random numbers for each crop."""
    same_for_all: bool = True
    """Whether the crops of a person in a video get the same random numbers."""
    whole_clip: bool = False
    """Whether a crop depends on the others."""

    @property
    def described(self) -> str:
        """The title, the parameter and its unit."""
        return f"{self.title}, {self.parameter}" + (f" in {self.unit}" if self.unit else "")


def _each(
    change: Callable[[Image, float, np.random.Generator], Image],
) -> Callable[[Sequence[Image], float, Generators], list[Image]]:
    """A change of single crops as a change of several."""

    def apply(crops: Sequence[Image], value: float, rngs: Generators) -> list[Image]:
        return [change(crop, value, rng) for crop, rng in zip(crops, rngs, strict=True)]

    return apply


def _jpeg(crop: Image, quality: float, _: np.random.Generator) -> Image:
    return np.asarray(jpeg_round_trip(crop, int(quality)), np.uint8)


def _h264(crops: Sequence[Image], crf: float, _: Generators) -> list[Image]:
    """One clip; smaller crops are filled up to the size of the largest by repeating their edges, and cut again."""
    height, width = (2 * -(-max(crop.shape[axis] for crop in crops) // 2) for axis in (0, 1))
    filled = [
        cv2.copyMakeBorder(crop, 0, height - crop.shape[0], 0, width - crop.shape[1], cv2.BORDER_REPLICATE)
        for crop in crops
    ]
    decoded = compress(filled, int(crf))
    return [
        np.ascontiguousarray(image[: crop.shape[0], : crop.shape[1]])
        for image, crop in zip(decoded, crops, strict=True)
    ]


def _blur(crop: Image, sigma: float, _: np.random.Generator) -> Image:
    return np.asarray(cv2.GaussianBlur(crop, (0, 0), sigma * crop.shape[0] / SIDE), np.uint8)


def _noise(crop: Image, deviation: float, rng: np.random.Generator) -> Image:
    return np.clip(np.rint(crop + rng.normal(0, deviation, crop.shape)), 0, 255).astype(np.uint8)


def _resize(crop: Image, factor: float, _: np.random.Generator) -> Image:
    return np.asarray(downscale(crop, factor), np.uint8)


def _brightness(crop: Image, change: float, rng: np.random.Generator) -> Image:
    return _tensor_change(transforms.adjust_brightness, crop, 1 + rng.choice([-1, 1]) * change / 100)


def _contrast(crop: Image, change: float, rng: np.random.Generator) -> Image:
    return _tensor_change(transforms.adjust_contrast, crop, 1 + rng.choice([-1, 1]) * change / 100)


def _tensor_change(change: Callable[[torch.Tensor, float], torch.Tensor], crop: Image, factor: float) -> Image:
    changed = change(torch.from_numpy(crop).permute(2, 0, 1), factor)
    return np.ascontiguousarray(changed.permute(1, 2, 0).numpy())


def _screenshot(crop: Image, scale: float, rng: np.random.Generator) -> Image:
    """The crop as shown at a scale, cut by hand at all four edges, and saved as JPEG."""
    cut, quality = _SCREENSHOTS[scale]
    shown = cv2.resize(crop, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
    height, width = shown.shape[:2]
    top, bottom, left, right = (rng.uniform(0, cut, 4) * (height, height, width, width)).astype(int)
    return np.asarray(jpeg_round_trip(shown[top : height - bottom, left : width - right], quality), np.uint8)


DEGRADATIONS = {
    "jpeg": Degradation("JPEG", "quality", "", (90, 70, 50, 30, 10), _each(_jpeg)),
    "h264": Degradation("H.264", "CRF", "", (18, 23, 30, 35, 40), _h264, whole_clip=True),
    "blur": Degradation("Gaussian blur", "standard deviation", f"px of {SIDE}", (1, 2, 3, 4, 6), _each(_blur)),
    "noise": Degradation(
        "Gaussian noise", "standard deviation", "gray levels of 255", (2, 5, 10, 20, 40), _each(_noise), False
    ),
    "resize": Degradation("Resizing", "factor down and back", "", (1.5, 2, 3, 4, 6), _each(_resize)),
    "brightness": Degradation("Brightness", "change up or down", "%", (10, 20, 30, 40, 50), _each(_brightness)),
    "contrast": Degradation("Contrast", "change up or down", "%", (10, 20, 30, 40, 50), _each(_contrast)),
    "screenshot": Degradation(
        "Screenshot", "scale, with cut and JPEG", "", (0.9, 0.8, 0.65, 0.5, 0.35), _each(_screenshot)
    ),
}
"""All kinds by name."""
