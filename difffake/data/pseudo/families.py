"""The families of pseudo-deepfakes: blends, coarse blends, autoencoder twins, and blends of a face with its twin.

Most face swaps come from an autoencoder that rebuilds the inner face at a low resolution. A twin is a real face that
was rebuilt by an autoencoder, so its traces are those of the network, and nothing else in the picture changes.
"""

from collections.abc import Callable
from typing import cast

import cv2
import numpy as np

from difffake.data.pseudo.blend import DEFAULTS, PseudoDeepfake, check_image, pseudo_deepfake
from difffake.data.pseudo.config import Family, Hull, PseudoConfig, Region, weighted
from difffake.data.pseudo.window import Window
from difffake.errors import UserError

Twins = Callable[[np.ndarray], np.ndarray]
"""Gives the twin (S, S, 3) uint8 of a crop (H, W, 3) uint8, rebuilt at its working size S."""


def pseudo_of_family(
    image: np.ndarray,
    landmarks: np.ndarray | None,
    rng: np.random.Generator,
    config: PseudoConfig = DEFAULTS,
    twins: Twins | None = None,
    family: Family | None = None,
    region: Region | None = None,
    hull: Hull | None = None,
    whole: bool = False,
) -> PseudoDeepfake:
    """Make a pseudo-deepfake of a real face, of a random family.

    - `blends`: see `pseudo_deepfake`.
    - `coarse`: as a blend, but with a source of less detail, and without the scaling or sharpening of its recoloring in
      the share `downscale_probability`.
    - `twins`: the face's twin, as a whole or blended in under a soft mask of a region; nothing is moved or recolored.
    - `blended_twins`: as a blend, with the twin in place of the source's copy, so it is recolored and moved as well.

    A twin is scaled back to the size of the crop. A real face of a whole twin went through the same two scalings, so it
    differs from the twin by the autoencoder alone. That of another twin is scaled too with the probability
    `twin_scaled`.

    Args:
        image: (H, W, 3) uint8 RGB, as for `pseudo_deepfake`.
        landmarks: (68, 2) x and y in pixels, iBUG order.
        rng: source of random numbers.
        config: probabilities and ranges.
        twins: gives the twin of the image; not needed for blends and coarse blends.
        family: family to use instead of a random one.
        region: region to use instead of a random one; a twin is then not rebuilt as a whole.
        hull: hull of the whole face to use instead of a random one.
        whole: make source and mask for the whole image, for pictures.

    Raises:
        UserError: as `pseudo_deepfake`; or there are no twins.
    """
    if family is None:
        used = {name: weight for name, weight in config.family_weights.items() if weight > 0}
        # One family takes no random number, so that blends alone are the same as without families.
        family = cast(Family, next(iter(used)) if len(used) == 1 else weighted(rng.random, used))
    if family == "blends":
        return pseudo_deepfake(image, landmarks, rng, config, region, hull, whole)
    if family == "coarse":
        check_image(image)
        inner, outer = rng.uniform(*config.coarse_source), rng.uniform(*config.coarse_target)
        scaled = rng.random() < config.coarse_scaled
        target = _through(image, _share(image, outer)) if scaled else image
        rebuilt = _through(image, _share(image, inner))
        return pseudo_deepfake(target, landmarks, rng, config.coarse, region, hull, whole, inner=rebuilt)
    if twins is None:
        raise UserError(f"pseudo-deepfakes of the family {family} need twins, which are made at the start of training")
    check_image(image)
    twin = twins(image)
    size = twin.shape[0]
    rebuilt = _scaled_back(twin, image)
    everything, scaled = rng.random(2) < (config.twin_whole, config.twin_scaled)
    coarser = rng.uniform(*config.twin_coarser)
    if family == "twins" and everything and region is None:
        height, width = image.shape[:2]
        mask = np.ones((height, width), dtype=np.float32)
        window = None if whole else Window(0, 0, width, height)
        return PseudoDeepfake(rebuilt, _through(image, size), rebuilt, mask, 1.0, "whole", None, window)
    target = _through(image, round(size / coarser)) if scaled else image
    own = config.still if family == "twins" else config
    return pseudo_deepfake(target, landmarks, rng, own, region, hull, whole, inner=rebuilt)


def to_size(image: np.ndarray, size: int) -> np.ndarray:
    """Scale a crop (H, W, 3) uint8 to (size, size, 3), which is what the autoencoder sees."""
    smaller = size < max(image.shape[:2])
    return cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC)


def _share(image: np.ndarray, share: float) -> int:
    """A share of the larger side of an image in pixels."""
    return max(8, round(share * max(image.shape[:2])))


def _through(image: np.ndarray, size: int) -> np.ndarray:
    """Scale an image to a size, such as that of its twin, and back."""
    return _scaled_back(to_size(image, size), image)


def _scaled_back(twin: np.ndarray, image: np.ndarray) -> np.ndarray:
    height, width = image.shape[:2]
    smaller = twin.shape[0] > max(height, width)
    return cv2.resize(twin, (width, height), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC)
