"""Speed of the pseudo-deepfakes against the same steps written with albumentations, as SBI and DiffFake do them.

    pip install pydantic
    pip install --no-deps albumentations==2.0.8 albucore==0.0.24 stringzilla simsimd
    python benchmarks/pseudo_deepfakes.py

`--no-deps`, because albumentations would bring a second OpenCV, which overwrites the first one's files. Both sides run
on one core, on the same drawn faces with the same ranges, in turns; the reference reads landmarks and draws masks with
the same slices. The published code builds its albumentations transforms anew for every image; the ratio is taken to a
reference that builds them once, and `ratio_to_rebuilt` to one that does as published. The last line is a JSON object.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial

import cv2
import numpy as np

from difffake.data.pseudo import PseudoConfig, pseudo_deepfake
from difffake.data.pseudo.config import HULLS, Region
from difffake.data.pseudo.regions import region_parts
from difffake.drawn.people import Identity
from difffake.drawn.render import render_face
from difffake.randomness import generator

os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"  # it would ask the network for a newer version
try:
    import albumentations
except ImportError:
    sys.exit(
        "albumentations is missing: pip install pydantic && "
        "pip install --no-deps albumentations==2.0.8 albucore==0.0.24 stringzilla simsimd"
    )

SIZE = 250
CONFIG = PseudoConfig()
REGIONS: tuple[Region, ...] = ("face", "face", "face", "eyes", "mouth", "lower_head")
Face = tuple[np.ndarray, np.ndarray]


class AlbumentationsReference:
    """One fake from (H, W, 3) uint8 RGB and landmarks (68, 2); library defaults wherever the papers' code has them."""

    def __init__(self) -> None:
        self.rng = generator(0)
        hsv = (-CONFIG.hsv_shift, CONFIG.hsv_shift)
        rgb = (-CONFIG.rgb_shift, CONFIG.rgb_shift)
        self.recolor = albumentations.Compose(
            [
                albumentations.RGBShift(rgb, rgb, rgb, p=CONFIG.rgb_probability),
                albumentations.HueSaturationValue(hsv, hsv, hsv, p=1),
                albumentations.RandomBrightnessContrast(CONFIG.brightness, CONFIG.contrast, p=1),
                albumentations.OneOf(
                    [
                        albumentations.Lambda(image=self.downscale, p=1),
                        albumentations.Sharpen(CONFIG.sharpen_alpha, CONFIG.sharpen_lightness, p=1),
                    ],
                    p=1,
                ),
            ],
            seed=0,
        )
        shift = {"x": (-CONFIG.shift_x, CONFIG.shift_x), "y": (-CONFIG.shift_y, CONFIG.shift_y)}
        self.affine = albumentations.Affine(translate_percent=shift, scale=CONFIG.scale, fit_output=False, p=1)
        self.elastic = albumentations.ElasticTransform(
            alpha=CONFIG.elastic_alpha, sigma=CONFIG.elastic_sigma, noise_distribution="uniform", p=1
        )

    def downscale(self, image: np.ndarray, **_: object) -> np.ndarray:
        """Down to the nearest pixel and back, linearly."""
        height, width = image.shape[:2]
        factor = int(self.rng.choice(CONFIG.downscale_factors))
        small = cv2.resize(image, (width // factor, height // factor), interpolation=cv2.INTER_NEAREST)
        return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)

    def smooth(self, mask: np.ndarray) -> np.ndarray:
        """Shrink and feather a mask (H, W) float32."""
        height, width = mask.shape
        rows, columns = self.rng.integers(192, 257, size=2).tolist()
        first, second = (2 * self.rng.integers(2, 13, size=2) + 1).tolist()
        mask = cv2.resize(mask, (columns, rows))
        mask = cv2.GaussianBlur(mask, (first, first), 0)
        mask = mask / mask.max()
        mask[mask < 1] = 0
        mask = cv2.GaussianBlur(mask, (second, second), int(self.rng.integers(5, 46)))
        mask = mask / mask.max()
        return cv2.resize(mask, (width, height))

    def __call__(self, image: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
        """Make one fake."""
        source, target = image, image
        if self.rng.random() < CONFIG.source_probability:
            source = self.recolor(image=image)["image"]
        else:
            target = self.recolor(image=image)["image"]
        region = REGIONS[int(self.rng.integers(len(REGIONS)))]
        hull = HULLS[int(self.rng.integers(len(HULLS)))] if region == "face" else None
        mask = np.zeros(image.shape[:2], dtype=np.float32)
        for part in region_parts(landmarks, region, hull):
            cv2.fillConvexPoly(mask, cv2.convexHull(part.astype(np.int32)), 1.0)
        moved = self.affine(image=source, mask=mask)
        mask = self.elastic(image=moved["mask"])["image"]
        mask = self.smooth(mask) * self.rng.choice(CONFIG.alphas)
        blended = moved["image"] * mask[..., None] + target * (1 - mask[..., None])
        return blended.astype(np.uint8)


def rate(make: Callable[[int, Face], object], faces: list[Face], count: int) -> float:
    """Images per second of `count` calls."""
    start = time.perf_counter()
    for index in range(count):
        make(index, faces[index % len(faces)])
    return count / (time.perf_counter() - start)


def ours(index: int, face: Face) -> object:
    """One pseudo-deepfake with a generator of its own, as the training draws it."""
    return pseudo_deepfake(*face, generator(0, 0, index), CONFIG)


def plain(make: AlbumentationsReference, index: int, face: Face) -> object:
    """One fake of the reference, which keeps one generator."""
    return make(*face)


def rebuilt(index: int, face: Face) -> object:
    """One fake of the reference, whose transforms are built for every image, as DiffFake's code does."""
    return AlbumentationsReference()(*face)


def main() -> None:
    """Measure both sides in turns and print rates, spread and ratio."""
    parser = argparse.ArgumentParser(description="Speed of the pseudo-deepfakes.")
    parser.add_argument("--images", type=int, default=100, help="images per repetition")
    parser.add_argument("--repeats", type=int, default=9, help="repeats of each side")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # keeps the linear algebra on one core too
    faces = [render_face(Identity.sample(generator(index)), size=SIZE) for index in range(8)]
    sides: dict[str, Callable[[int, Face], object]] = {
        "difffake": ours,
        "albumentations": partial(plain, AlbumentationsReference()),
        "albumentations, rebuilt": rebuilt,
    }
    rates: dict[str, list[float]] = {name: [] for name in sides}
    for make in sides.values():
        rate(make, faces, 10)
    for _ in range(options.repeats):
        for name, make in sides.items():
            rates[name].append(rate(make, faces, options.images))

    machine = (
        f"one core of {platform.processor() or platform.machine()}, OpenCV {cv2.__version__}, NumPy {np.__version__}"
    )
    print(f"{SIZE} px, {options.repeats} repeats of {options.images} images in turns; {machine}")
    for name, values in rates.items():
        middle = statistics.median(values)
        print(f"{name:24s} {middle:7.1f} images/s (lowest {min(values):.1f}, highest {max(values):.1f})")
    ratios, ratios_rebuilt = (
        [mine / other for mine, other in zip(rates["difffake"], rates[name], strict=True)]
        for name in ("albumentations", "albumentations, rebuilt")
    )
    result = {
        "benchmark": "pseudo_deepfakes",
        "ratio": round(statistics.median(ratios), 2),
        "ratio_low": round(min(ratios), 2),
        "ratio_high": round(max(ratios), 2),
        "ratio_to_rebuilt": round(statistics.median(ratios_rebuilt), 2),
        "images_per_second": round(statistics.median(rates["difffake"]), 1),
        "reference_images_per_second": round(statistics.median(rates["albumentations"]), 1),
        "reference": f"albumentations {albumentations.__version__}, transforms built once",
        "size": SIZE,
        "cores": 1,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
