"""Who is drawn, how they look at one moment, and by which camera: the parameters of procedural faces.

Lengths are in face units: half a typical face's width, with the origin between the eyes and y downwards.
Colors are RGB in [0, 255].
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

Color = tuple[int, int, int]
Range = tuple[float, float]
HairStyle = Literal["short", "long", "bob", "shaved"]
Backdrop = Literal["gradient", "bokeh", "bricks", "shelves"]

SKIN_TONES: tuple[Color, ...] = (
    (244, 208, 182), (233, 190, 160), (220, 172, 138), (198, 145, 108), (167, 115, 82), (131, 88, 62), (99, 66, 48),
)  # fmt: skip
HAIR_COLORS: tuple[Color, ...] = (
    (28, 24, 24), (52, 36, 28), (84, 56, 36), (122, 80, 46), (184, 140, 86), (142, 66, 34), (150, 146, 144),
)  # fmt: skip
IRIS_COLORS: tuple[Color, ...] = ((62, 40, 26), (94, 64, 36), (104, 112, 62), (74, 112, 140), (112, 124, 132))


@dataclass(frozen=True)
class Style:
    """What two data sets differ in: palette, backdrop, light and camera. Ranges are (lowest, highest)."""

    skin_tones: tuple[Color, ...]
    backdrops: tuple[Backdrop, ...]
    ambient: Range
    """Light from everywhere, as a part of full daylight."""
    warmth: Range
    """Color of the light: -1 blue, 1 orange."""
    contrast: float
    saturation: float
    blur: Range
    """Standard deviation of the lens blur in pixels."""
    noise: Range
    """Standard deviation of the sensor noise in gray levels."""
    jpeg_quality: tuple[int, int]


STUDIO = Style(
    skin_tones=SKIN_TONES, backdrops=("gradient", "bokeh"), ambient=(0.5, 0.65), warmth=(-0.2, 0.5),
    contrast=1.0, saturation=1.0, blur=(0.2, 0.5), noise=(1.0, 2.5), jpeg_quality=(85, 95),
)  # fmt: skip
"""Soft light, plain backdrops, a good camera."""

PHONE = Style(
    skin_tones=SKIN_TONES, backdrops=("bricks", "shelves"), ambient=(0.35, 0.55), warmth=(-0.45, 0.2),
    contrast=1.06, saturation=0.9, blur=(0.3, 0.65), noise=(1.5, 3.5), jpeg_quality=(75, 90),
)  # fmt: skip
"""Harder and cooler light, busy rooms, a phone's camera."""


@dataclass(frozen=True)
class Identity:
    """All that stays the same from one picture of a person to the next. Equal identities look equal."""

    face_width: float
    chin: float
    """y of the chin."""
    jaw_power: float
    """Exponent of the jaw's superellipse: 2 is an ellipse, more is squarer, less is more pointed."""
    eye_distance: float
    """From the middle of the face to the middle of an eye."""
    eye_width: float
    eye_height: float
    eye_tilt: float
    brow_height: float
    brow_arch: float
    brow_thickness: float
    nose_width: float
    nose_length: float
    nose_height: float
    mouth_gap: float
    """From the base of the nose to the line between the lips."""
    mouth_width: float
    upper_lip: float
    lower_lip: float
    hair_style: HairStyle
    hairline: float
    """y of the hairline at the middle of the forehead."""
    parting: float
    """x of the parting."""
    fringe: float
    """How far the hair falls below the hairline beside the parting."""
    hair_volume: float
    """Size of the hair's outline, as a multiple of the skull's."""
    skin: Color
    hair: Color
    iris: Color
    lips: Color
    beard: float
    freckles: int
    blush: float
    texture_seed: int

    @classmethod
    def sample(cls, rng: np.random.Generator, style: Style = STUDIO) -> "Identity":
        """Draw a person from `rng`, with a skin tone of the style's palette."""
        skin = _vary(rng, style.skin_tones[rng.integers(len(style.skin_tones))], 8)
        # Fair hair and light eyes come with fair skin, as they mostly do.
        fair = sum(skin) > 480
        hair_styles: tuple[HairStyle, ...] = ("short", "short", "long", "long", "bob", "shaved")
        hair_style = hair_styles[rng.integers(len(hair_styles))]
        bearded = hair_style in ("short", "shaved") and rng.random() < 0.5
        redness = np.array([rng.uniform(0.78, 0.98), rng.uniform(0.5, 0.68), rng.uniform(0.52, 0.72)])
        return cls(
            face_width=rng.uniform(0.92, 1.08),
            chin=rng.uniform(1.42, 1.72),
            jaw_power=rng.uniform(1.85, 2.55),
            eye_distance=rng.uniform(0.40, 0.475),
            eye_width=rng.uniform(0.175, 0.225),
            eye_height=rng.uniform(0.065, 0.1),
            eye_tilt=rng.uniform(-0.1, 0.16),
            brow_height=rng.uniform(0.25, 0.36),
            brow_arch=rng.uniform(0.02, 0.1),
            brow_thickness=rng.uniform(0.022, 0.05),
            nose_width=rng.uniform(0.17, 0.27),
            nose_length=rng.uniform(0.58, 0.72),
            nose_height=rng.uniform(0.24, 0.4),
            mouth_gap=rng.uniform(0.27, 0.34),
            mouth_width=rng.uniform(0.3, 0.41),
            upper_lip=rng.uniform(0.05, 0.095),
            lower_lip=rng.uniform(0.075, 0.13),
            hair_style=hair_style,
            hairline=rng.uniform(-0.98, -0.74),
            parting=rng.uniform(-0.35, 0.35),
            fringe=rng.uniform(0.02, 0.18),
            hair_volume=rng.uniform(1.05, 1.17),
            skin=skin,
            hair=_vary(rng, HAIR_COLORS[rng.integers(len(HAIR_COLORS) if fair else 3)], 8),
            iris=_vary(rng, IRIS_COLORS[rng.integers(len(IRIS_COLORS) if fair else 2)], 8),
            lips=_as_color(np.array(skin) * redness),
            beard=rng.uniform(0.3, 0.8) if bearded else 0.0,
            freckles=int(rng.integers(20, 50)) if fair and rng.random() < 0.3 else int(rng.integers(1, 5)),
            blush=rng.uniform(0.3, 1.0),
            texture_seed=int(rng.integers(2**31)),
        )


@dataclass(frozen=True)
class Pose:
    """Where the head is and looks. Angles in radians; positive yaw turns to the image's right, pitch down."""

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    shift_x: float = 0.0
    """Of the head's middle, as a part of the image's side; so is `shift_y`."""
    shift_y: float = 0.0
    scale: float = 1.0


@dataclass(frozen=True)
class Expression:
    """The moving parts of a face, each 0 (rest) to 1 (fully); gaze -1 to 1."""

    mouth_open: float = 0.0
    smile: float = 0.0
    blink: float = 0.0
    brow_raise: float = 0.0
    gaze: float = 0.0


@dataclass(frozen=True)
class Light:
    """One lamp and the light from everywhere, and what stands behind the person."""

    direction: tuple[float, float, float] = (-0.4, -0.5, 0.8)
    """Towards the lamp: x right, y down, z to the viewer; any length."""
    strength: float = 0.55
    ambient: float = 0.55
    warmth: float = 0.0
    backdrop: Backdrop = "gradient"
    backdrop_seed: int = 0
    clothes: Color = (70, 84, 110)

    @classmethod
    def sample(cls, rng: np.random.Generator, style: Style = STUDIO) -> "Light":
        """Draw a lamp in front of the person and a backdrop, both from the style's ranges."""
        angle = rng.uniform(-1.1, 1.1)
        ambient = rng.uniform(*style.ambient)
        return cls(
            direction=(float(np.sin(angle)), rng.uniform(-0.8, 0.0), float(np.cos(angle)) + 0.3),
            strength=rng.uniform(1.0, 1.15) - ambient,
            ambient=ambient,
            warmth=rng.uniform(*style.warmth),
            backdrop=style.backdrops[rng.integers(len(style.backdrops))],
            backdrop_seed=int(rng.integers(2**31)),
            clothes=_as_color(rng.uniform(35, 205, 3)),
        )


NEUTRAL, FRONTAL, DAYLIGHT = Expression(), Pose(), Light()


def _as_color(values: np.ndarray) -> Color:
    red, green, blue = (int(v) for v in np.clip(values, 0, 255))
    return red, green, blue


def _vary(rng: np.random.Generator, color: Color, by: float) -> Color:
    return _as_color(np.array(color) + rng.normal(0, by) + rng.normal(0, by / 3, 3))
