"""Every probability and range of a pseudo-deepfake, and one draw from them."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Literal, NamedTuple, cast, get_args

import numpy as np

from difffake.errors import UsageError

Region = Literal["face", "eyes", "mouth", "lower_head"]
Hull = Literal["facehull", "dfl_full", "components", "extended"]
REGIONS: tuple[Region, ...] = get_args(Region)
HULLS: tuple[Hull, ...] = get_args(Hull)

_HSV_RANGE = {"level": (1.0, 1.0, 1.0), "fraction": (180.0, 255.0, 255.0)}
_MOST_NUMBERS = 32  # no draw takes more than 28
_MIN_SIGMA = 1.0  # below, a smoothed field is no longer described by its continuous form (see `elastic`)


@dataclass(frozen=True)
class PseudoConfig:
    """Settings of the pseudo-deepfakes; the defaults are DiffFake's (arXiv 2502.16247, section 3, and its code).

    Where paper, code and this differ:

    - *Hue, saturation, value.* The code passes +-0.3 to albumentations, which reads it in levels of an 8-bit image:
      a shift of less than one level, cut off to 0 or -1, so that what remains is the rounding of the way to HSV and
      back. `hsv_unit: level` (default) does the same, because the published numbers were made with it.
      `fraction` reads +-0.3 as a share of each channel's range: hue by up to 108 degrees, a face may turn green.
    - *Elastic deformation* is Simard's (2003): noise uniform in [-1, 1], Gaussian smoothing, times alpha. DiffFake's
      version of albumentations divides Gaussian noise by its largest value instead; that is `elastic_alpha` near 20.
    - *Scale* is drawn for each axis by itself, as the code does.

    Raises `UserError` for a probability outside [0, 1], an empty range, or a name that is not known.
    """

    source_probability: float = 0.5
    """Probability that the source is color-transformed; else the target is."""

    rgb_shift: float = 20.0
    """Largest shift of each of red, green and blue, in levels (0-255)."""
    rgb_probability: float = 0.3
    hsv_shift: float = 0.3
    """Largest shift of hue, saturation and value, in `hsv_unit`."""
    hsv_unit: Literal["level", "fraction"] = "level"
    hsv_probability: float = 1.0
    brightness: float = 0.1
    """Largest offset, as a share of 255."""
    contrast: float = 0.1
    """Largest change of the gain, which is 1 without."""
    brightness_contrast_probability: float = 1.0

    downscale_probability: float = 0.5
    """Probability of down-scaling (nearest) and scaling back (linear); else the image is sharpened."""
    downscale_factors: tuple[int, ...] = (2, 4)
    sharpen_alpha: tuple[float, float] = (0.2, 0.5)
    sharpen_lightness: tuple[float, float] = (0.5, 1.0)

    region_weights: dict[str, float] = field(
        default_factory=lambda: {"face": 3.0, "eyes": 1.0, "mouth": 1.0, "lower_head": 1.0}
    )
    """How often each region is drawn, relative to the others; one that is left out is never drawn."""
    hull_weights: dict[str, float] = field(default_factory=lambda: dict.fromkeys(HULLS, 1.0))
    """How often each hull is drawn for a whole face."""

    shift_x: float = 0.03
    """Largest shift of source and mask, as a share of the width."""
    shift_y: float = 0.015
    """Largest shift of source and mask, as a share of the height."""
    scale: tuple[float, float] = (0.95, 1 / 0.95)

    elastic_alpha: float = 50.0
    """Strength of the mask's elastic deformation, in pixels of the image; 0 turns it off, and above
    2 elastic_sigma^2 it would fold the mask over."""
    elastic_sigma: float = 7.0
    """Smoothing of the deformation, in pixels of the image."""

    smoothing_size: tuple[int, int] = (192, 256)
    """Sides of the grid that the mask is smoothed on, each drawn by itself, both ends included."""
    shrink_kernel: tuple[int, int] = (5, 25)
    """Odd size of the first kernel, which shrinks the mask."""
    feather_kernel: tuple[int, int] = (5, 25)
    """Odd size of the second kernel, which softens its edge."""
    feather_sigma: tuple[int, int] = (5, 45)

    alphas: tuple[float, ...] = (0.25, 0.5, 0.75, 1.0, 1.0, 1.0)
    """Blending factors, drawn uniformly: one that is listed more often is drawn more often."""

    def __post_init__(self) -> None:
        for name in (f.name for f in fields(self) if f.name.endswith("probability")):
            _require(0 <= getattr(self, name) <= 1, name, getattr(self, name), "a probability in [0, 1]")
        for name in ("rgb_shift", "hsv_shift", "brightness", "contrast", "shift_x", "shift_y", "elastic_alpha"):
            _require(getattr(self, name) >= 0, name, getattr(self, name), "0 or more")
        for name in ("sharpen_alpha", "sharpen_lightness", "scale", "smoothing_size"):
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
        # The kernels reach half their size over the mask; the mirrored edge must not reach further than the grid.
        reach = max(self.shrink_kernel[1], self.feather_kernel[1])
        _require(self.smoothing_size[0] > reach, "smoothing_size", self.smoothing_size, "larger than the kernels")
        factors = self.downscale_factors
        _require(len(factors) > 0 and min(factors) >= 1, "downscale_factors", factors, "one or more, each >= 1")
        alphas = self.alphas
        _require(len(alphas) > 0 and min(alphas) >= 0 and max(alphas) <= 1, "alphas", alphas, "one or more in [0, 1]")
        for name, weights, known in (
            ("region_weights", self.region_weights, REGIONS),
            ("hull_weights", self.hull_weights, HULLS),
        ):
            usable = set(weights) <= set(known) and all(w >= 0 for w in weights.values()) and any(weights.values())
            _require(usable, name, weights, f"weights >= 0, not all 0, for some of {', '.join(known)}")


def _require(true: bool, name: str, value: object, expected: str) -> None:
    if not true:
        raise UsageError(f"pseudo-deepfakes: {name} is {value}, but must be {expected}")


def _require_range(config: PseudoConfig, name: str) -> None:
    low, high = getattr(config, name)
    _require(0 <= low <= high, name, (low, high), "a range (low, high) with 0 <= low <= high")


class ColorParameters(NamedTuple):
    """How one image is recolored. Shifts are in levels, hue in OpenCV's 180 levels; None: this step is left out."""

    rgb_shift: tuple[float, float, float] | None
    hsv_shift: tuple[float, float, float] | None
    gain: float
    offset: float
    downscale: int | None  # None: sharpened instead
    sharpen_alpha: float
    sharpen_lightness: float


class MaskParameters(NamedTuple):
    """How source and mask are moved, as shares of the image, and how the mask is smoothed, in pixels of its grid."""

    shift: tuple[float, float]  # x, y
    scale: tuple[float, float]  # x, y
    grid: tuple[int, int]  # height, width
    shrink_kernel: int
    feather_kernel: int
    feather_sigma: int


class Parameters(NamedTuple):
    """Everything that is drawn for one pseudo-deepfake, but for the elastic deformation's noise."""

    recolor_source: bool
    color: ColorParameters
    region: Region
    hull: Hull | None  # None unless the region is the whole face
    mask: MaskParameters
    alpha: float


def sample_parameters(
    rng: np.random.Generator, config: PseudoConfig, region: Region | None = None, hull: Hull | None = None
) -> Parameters:
    """Draw the parameters of one pseudo-deepfake; a `region` or `hull` that is given is not drawn.

    Raises `UserError` for an unknown region or hull, or a hull for another region than the face.
    """
    _require(region is None or region in REGIONS, "region", region, f"one of {', '.join(REGIONS)}")
    _require(hull is None or hull in HULLS, "hull", hull, f"one of {', '.join(HULLS)}")
    _require(hull is None or region in (None, "face"), "region", region, "face where a hull is given")
    uniform = _uniform(rng)
    recolor_source = uniform() < config.source_probability
    color = _sample_color(uniform, config)
    if region is None:
        region = "face" if hull else cast(Region, _weighted(uniform, config.region_weights))
    if region == "face" and hull is None:
        hull = cast(Hull, _weighted(uniform, config.hull_weights))
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
    """A function that returns another number of [0, 1) at each call."""
    # All of them drawn at once: one by one, they would take as long as the recoloring of a small image.
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
    """Uniform among low, low + step, ..., high."""
    low, high = bounds
    return low + step * int(uniform() * ((high - low) // step + 1))


def _weighted(uniform: Callable[[], float], weights: dict[str, float]) -> str:
    # Not rng.choice: it takes 20 microseconds for its checks.
    left = uniform() * sum(weights.values())
    possible = [name for name, weight in weights.items() if weight > 0]
    for name in possible[:-1]:
        left -= weights[name]
        if left < 0:
            return name
    return possible[-1]
