"""The probabilities and ranges of pseudo-deepfakes, and random parameters from them."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Literal, NamedTuple, cast, get_args

import numpy as np

from difffake.errors import UsageError

Region = Literal["face", "eyes", "mouth", "lower_head"]
Hull = Literal["facehull", "dfl_full", "components", "extended"]
REGIONS: tuple[Region, ...] = get_args(Region)
HULLS: tuple[Hull, ...] = get_args(Hull)
Family = Literal["blends", "coarse", "twins", "blended_twins"]
FAMILIES: tuple[Family, ...] = get_args(Family)

_HSV_RANGE = {"level": (1.0, 1.0, 1.0), "fraction": (180.0, 255.0, 255.0)}
_MOST_NUMBERS = 32  # one pseudo-deepfake needs at most 28
_MIN_SIGMA = 1.0  # below this, the continuous form of a smoothed field (see `elastic`) is not valid


@dataclass(frozen=True)
class PseudoConfig:
    """Settings of the pseudo-deepfakes; the defaults are DiffFake's (arXiv 2502.16247, section 3, and its code).

    Differences between paper, code and this implementation:

    - *Hue, saturation, value.* The code passes +-0.3 to albumentations, which reads it in levels of an 8-bit image. The
      shift is less than one level and is truncated to 0 or -1, so almost only the rounding errors of converting to HSV
      and back remain. `hsv_unit: level` (default) does the same, because the published numbers were made with it.
      `fraction` reads +-0.3 as a share of each channel's range. Then hue is shifted by up to 108 degrees, and a face
      may turn green.
    - *Elastic deformation* is that of Simard (2003): noise uniform in [-1, 1], Gaussian smoothing, times alpha.
      albumentations 2.0.4, which DiffFake's code pins, divides Gaussian noise by its largest value instead and smooths
      it with 17 pixels. Its displacements are smaller, but rougher. On 300 faces of LFW, it changes the finished masks
      by 3.4 % of the region's area; here, `elastic_alpha` 50 changes them by 3.9 %, and 20 would by 1.7 %.
    - *Scale* is drawn separately for each axis, as in the code.

    Args:
        family_weights: relative frequency of each family; one that is left out is never made. `blends` are DiffFake's.
            `coarse` are blends whose source has less detail, as from a network that works at a low resolution.
            `twins` are rebuilt by an autoencoder, as a whole or inside a region, and not otherwise changed.
            `blended_twins` are blends whose source is a twin (`difffake.data.pseudo.families`).
        coarse_source: smallest and largest size of the source of a coarse blend, as a share of the crop's side.
        coarse_scaled: probability that the real face of a coarse blend is scaled down and back itself, so that little
            detail is no proof of a forgery.
        coarse_target: smallest and largest size of that real face, as a share of the crop's side.
        autoencoder: autoencoder of the twins: taef2, or a Stable Diffusion model as in --model.diffusion.name, of which
            the VAE is used, or the folder of such a VAE.
        twin_sizes: sides in pixels at which faces are rebuilt, multiples of 8. Each face has one twin, at one of those
            sizes that are at most a quarter larger than its crop. A size well above the side of the training images
            leaves no traces in them.
        twin_whole: probability that a twin is rebuilt as a whole. Its real face is scaled to the twin's size and back.
        twin_scaled: probability that the real face of another twin, or blended twin, is scaled down and back itself,
            below the twin's size. So either the inner face or its surroundings may have less detail, and a face with
            little detail is no proof of a forgery.
        twin_coarser: smallest and largest ratio of the twin's size to that size of the real face.
        twin_folder: folder where twins are stored; empty for the folder twins/ beside each manifest.
        source_probability: probability that the colors of the source are changed; otherwise those of the target are.
        rgb_shift: largest shift of each of red, green and blue, in levels (0-255).
        rgb_probability: probability of an RGB shift.
        hsv_shift: largest shift of hue, saturation and value, in `hsv_unit`.
        hsv_unit: level (of 8-bit images) or fraction (of a channel's range).
        hsv_probability: probability of an HSV shift.
        brightness: largest offset that is added to all levels, as a share of 255.
        contrast: largest change of the factor of all levels; the factor is 1 without a change.
        brightness_contrast_probability: probability of a change of brightness and contrast.
        downscale_probability: probability of scaling down (nearest) and back (linear); otherwise the image is
            sharpened.
        downscale_factors: factors of scaling down, drawn uniformly.
        sharpen_alpha: smallest and largest weight of the sharpened image.
        sharpen_lightness: smallest and largest lightness of the sharpening kernel.
        region_weights: relative frequency of each region; a region that is left out is never used.
        hull_weights: relative frequency of each hull of a whole face.
        shift_x: largest shift of source and mask, as a share of the width.
        shift_y: largest shift of source and mask, as a share of the height.
        scale: smallest and largest scale of source and mask.
        elastic_alpha: strength of the mask's elastic deformation, in pixels of the image; 0 turns it off, and more than
            2 elastic_sigma^2 would fold the mask.
        elastic_sigma: standard deviation of the deformation's smoothing, in pixels of the image.
        smoothing_size: smallest and largest side of the grid on which the mask is smoothed; height and width are drawn
            separately.
        shrink_kernel: smallest and largest size of the first kernel, which shrinks the mask; odd.
        feather_kernel: smallest and largest size of the second kernel, which softens the edge of the mask; odd.
        feather_sigma: smallest and largest standard deviation of the second kernel, in cells of the grid.
        alphas: blending factors, drawn uniformly; a factor that is listed more often is drawn more often.

    Raises `UserError` for a probability outside [0, 1], an empty range, or an unknown name.
    """

    family_weights: dict[str, float] = field(default_factory=lambda: {"blends": 1.0})
    coarse_source: tuple[float, float] = (0.15, 0.6)
    coarse_scaled: float = 0.7
    coarse_target: tuple[float, float] = (0.15, 0.7)
    autoencoder: str = "taef2"
    twin_sizes: tuple[int, ...] = (64, 96, 128)
    twin_whole: float = 0.3
    twin_scaled: float = 0.5
    twin_coarser: tuple[float, float] = (1.0, 1.6)
    twin_folder: str = ""

    source_probability: float = 0.5

    rgb_shift: float = 20.0
    rgb_probability: float = 0.3
    hsv_shift: float = 0.3
    hsv_unit: Literal["level", "fraction"] = "level"
    hsv_probability: float = 1.0
    brightness: float = 0.1
    contrast: float = 0.1
    brightness_contrast_probability: float = 1.0

    downscale_probability: float = 0.5
    downscale_factors: tuple[int, ...] = (2, 4)
    sharpen_alpha: tuple[float, float] = (0.2, 0.5)
    sharpen_lightness: tuple[float, float] = (0.5, 1.0)

    region_weights: dict[str, float] = field(
        default_factory=lambda: {"face": 3.0, "eyes": 1.0, "mouth": 1.0, "lower_head": 1.0}
    )
    hull_weights: dict[str, float] = field(default_factory=lambda: dict.fromkeys(HULLS, 1.0))

    shift_x: float = 0.03
    shift_y: float = 0.015
    scale: tuple[float, float] = (0.95, 1 / 0.95)

    elastic_alpha: float = 50.0
    elastic_sigma: float = 7.0

    smoothing_size: tuple[int, int] = (192, 256)
    shrink_kernel: tuple[int, int] = (5, 25)
    feather_kernel: tuple[int, int] = (5, 25)
    feather_sigma: tuple[int, int] = (5, 45)

    alphas: tuple[float, ...] = (0.25, 0.5, 0.75, 1.0, 1.0, 1.0)

    def __post_init__(self) -> None:
        chances = [f.name for f in fields(self) if f.name.endswith("probability")]
        for name in (*chances, "coarse_scaled", "twin_whole", "twin_scaled"):
            _require(0 <= getattr(self, name) <= 1, name, getattr(self, name), "a probability in [0, 1]")
        for name in ("rgb_shift", "hsv_shift", "brightness", "contrast", "shift_x", "shift_y", "elastic_alpha"):
            _require(getattr(self, name) >= 0, name, getattr(self, name), "0 or more")
        _require(self.twin_coarser[0] >= 1, "twin_coarser", self.twin_coarser, "at least 1")
        for name in ("coarse_source", "coarse_target"):
            _require_range(self, name)
            _require(getattr(self, name)[0] > 0, name, getattr(self, name), "above 0")
        for name in ("twin_coarser", "sharpen_alpha", "sharpen_lightness", "scale", "smoothing_size"):
            _require_range(self, name)
        for name in ("shrink_kernel", "feather_kernel", "feather_sigma"):
            _require_range(self, name)
        for name in ("shrink_kernel", "feather_kernel"):
            low, high = getattr(self, name)
            _require(low % 2 == high % 2 == 1, name, (low, high), "two odd numbers")
        _require(self.hsv_unit in _HSV_RANGE, "hsv_unit", self.hsv_unit, "level or fraction")
        _require(self.scale[0] > 0, "scale", self.scale, "above 0")
        _require(self.feather_sigma[0] > 0, "feather_sigma", self.feather_sigma, "above 0")
        _require(self.elastic_sigma >= _MIN_SIGMA, "elastic_sigma", self.elastic_sigma, f"at least {_MIN_SIGMA:g}")
        most = 2 * self.elastic_sigma**2
        _require(
            self.elastic_alpha <= most, "elastic_alpha", self.elastic_alpha, f"at most 2 elastic_sigma^2 = {most:g}"
        )
        # The kernels extend half their size beyond the mask; the mirrored edge must not be larger than the grid.
        reach = max(self.shrink_kernel[1], self.feather_kernel[1])
        _require(self.smoothing_size[0] > reach, "smoothing_size", self.smoothing_size, "larger than the kernels")
        factors = self.downscale_factors
        _require(len(factors) > 0 and min(factors) >= 1, "downscale_factors", factors, "one or more, each >= 1")
        alphas = self.alphas
        _require(len(alphas) > 0 and min(alphas) >= 0 and max(alphas) <= 1, "alphas", alphas, "one or more in [0, 1]")
        sizes = self.twin_sizes
        usable = len(sizes) > 0 and all(size >= 32 and size % 8 == 0 for size in sizes)
        _require(usable, "twin_sizes", sizes, "one or more multiples of 8, each >= 32")
        for name, weights, known in (
            ("family_weights", self.family_weights, FAMILIES),
            ("region_weights", self.region_weights, REGIONS),
            ("hull_weights", self.hull_weights, HULLS),
        ):
            usable = set(weights) <= set(known) and all(w >= 0 for w in weights.values()) and any(weights.values())
            _require(usable, name, weights, f"weights >= 0, not all 0, for some of {', '.join(known)}")

    @cached_property
    def coarse(self) -> "PseudoConfig":
        """The settings of coarse blends: their source is not scaled down once more."""
        return replace(self, downscale_factors=(1,))

    @cached_property
    def still(self) -> "PseudoConfig":
        """The settings without movement and recoloring, and with a source that is not mixed with the target."""
        return replace(
            self, source_probability=1.0, rgb_probability=0.0, hsv_probability=0.0,
            brightness_contrast_probability=0.0, downscale_probability=1.0, downscale_factors=(1,), shift_x=0.0,
            shift_y=0.0, scale=(1.0, 1.0), alphas=(1.0,),
        )  # fmt: skip

    @property
    def needs_twins(self) -> bool:
        """Whether some pseudo-deepfakes are made of twins."""
        return any(self.family_weights.get(family, 0) > 0 for family in ("twins", "blended_twins"))


def _require(true: bool, name: str, value: object, expected: str) -> None:
    if not true:
        raise UsageError(f"pseudo-deepfakes: {name} is {value}, but must be {expected}")


def _require_range(config: PseudoConfig, name: str) -> None:
    low, high = getattr(config, name)
    _require(0 <= low <= high, name, (low, high), "a range (low, high) with 0 <= low <= high")


class ColorParameters(NamedTuple):
    """Color changes of one image. Shifts are in levels, hue in OpenCV's 180 levels; None: the step is left out."""

    rgb_shift: tuple[float, float, float] | None
    hsv_shift: tuple[float, float, float] | None
    gain: float
    offset: float
    downscale: int | None  # None: the image is sharpened instead
    sharpen_alpha: float
    sharpen_lightness: float


class MaskParameters(NamedTuple):
    """Movement of source and mask, as shares of the image, and smoothing of the mask, in cells of its grid."""

    shift: tuple[float, float]  # x, y
    scale: tuple[float, float]  # x, y
    grid: tuple[int, int]  # height, width
    shrink_kernel: int
    feather_kernel: int
    feather_sigma: int


class Parameters(NamedTuple):
    """All random parameters of one pseudo-deepfake, except the noise of the elastic deformation."""

    recolor_source: bool
    color: ColorParameters
    region: Region
    hull: Hull | None  # None unless the region is the whole face
    mask: MaskParameters
    alpha: float


def sample_parameters(
    rng: np.random.Generator, config: PseudoConfig, region: Region | None = None, hull: Hull | None = None
) -> Parameters:
    """Draw the parameters of one pseudo-deepfake. A given `region` or `hull` is used instead of a random one.

    Raises `UserError` if the region or hull is unknown, or if a hull is given for another region than the face.
    """
    _require(region is None or region in REGIONS, "region", region, f"one of {', '.join(REGIONS)}")
    _require(hull is None or hull in HULLS, "hull", hull, f"one of {', '.join(HULLS)}")
    _require(hull is None or region in (None, "face"), "region", region, "face if a hull is given")
    uniform = _uniform(rng)
    recolor_source = uniform() < config.source_probability
    color = _sample_color(uniform, config)
    if region is None:
        region = "face" if hull else cast(Region, weighted(uniform, config.region_weights))
    if region == "face" and hull is None:
        hull = cast(Hull, weighted(uniform, config.hull_weights))
    mask = MaskParameters(
        shift=(_around(uniform, config.shift_x), _around(uniform, config.shift_y)),
        scale=(_between(uniform, *config.scale), _between(uniform, *config.scale)),
        grid=(_integer(uniform, config.smoothing_size), _integer(uniform, config.smoothing_size)),
        shrink_kernel=_integer(uniform, config.shrink_kernel, step=2),
        feather_kernel=_integer(uniform, config.feather_kernel, step=2),
        feather_sigma=_integer(uniform, config.feather_sigma),
    )
    alpha = config.alphas[int(uniform() * len(config.alphas))]
    return Parameters(recolor_source, color, region, hull, mask, alpha)


def _uniform(rng: np.random.Generator) -> Callable[[], float]:
    """A function that returns a new random number in [0, 1) at each call."""
    # All numbers are drawn at once: one by one would take as long as recoloring a small image.
    return iter(rng.random(_MOST_NUMBERS).tolist()).__next__


def _sample_color(uniform: Callable[[], float], config: PseudoConfig) -> ColorParameters:
    rgb = hsv = None
    gain, offset = 1.0, 0.0
    if uniform() < config.rgb_probability:
        rgb = (
            _around(uniform, config.rgb_shift),
            _around(uniform, config.rgb_shift),
            _around(uniform, config.rgb_shift),
        )
    if uniform() < config.hsv_probability:
        h, s, v = (unit * _around(uniform, config.hsv_shift) for unit in _HSV_RANGE[config.hsv_unit])
        hsv = (h, s, v)
    if uniform() < config.brightness_contrast_probability:
        gain, offset = 1 + _around(uniform, config.contrast), 255 * _around(uniform, config.brightness)
    downscale = None
    if uniform() < config.downscale_probability:
        downscale = config.downscale_factors[int(uniform() * len(config.downscale_factors))]
    sharpen_alpha, sharpen_lightness = (
        _between(uniform, *config.sharpen_alpha),
        _between(uniform, *config.sharpen_lightness),
    )
    return ColorParameters(rgb, hsv, gain, offset, downscale, sharpen_alpha, sharpen_lightness)


def _between(uniform: Callable[[], float], low: float, high: float) -> float:
    return low + (high - low) * uniform()


def _around(uniform: Callable[[], float], largest: float) -> float:
    return _between(uniform, -largest, largest)


def _integer(uniform: Callable[[], float], bounds: tuple[int, int], step: int = 1) -> int:
    """A uniform random number of low, low + step, ..., high."""
    low, high = bounds
    return low + step * int(uniform() * ((high - low) // step + 1))


def weighted(uniform: Callable[[], float], weights: dict[str, float]) -> str:
    """A random name, by relative frequency."""
    # rng.choice needs 20 microseconds for its checks.
    left = uniform() * sum(weights.values())
    possible = [name for name, weight in weights.items() if weight > 0]
    for name in possible[:-1]:
        left -= weights[name]
        if left < 0:
            return name
    return possible[-1]
