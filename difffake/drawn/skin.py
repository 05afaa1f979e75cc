"""Skin, hair and backdrops of procedural faces: textures and shading in the face's own coordinates."""

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from difffake.drawn.geometry import Array, Camera, depth
from difffake.drawn.people import Backdrop, Identity, Light
from difffake.randomness import generator

TEXTURE_SIDE = 320
"""Pixels a side of the skin's texture; it spans `REACH` face units from the middle in every direction."""
REACH = 2.2
_MIDDLE = 0.2
"""y of the texture's middle."""

UInt8Image = NDArray[np.uint8]


def _noise(rng: np.random.Generator, side: int, cells: int) -> Array:
    """Smooth noise of `cells` grains a side, about 1 strong: (side, side) float32."""
    coarse = rng.standard_normal((cells, cells)).astype(np.float32)
    return cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)


def _grid() -> tuple[Array, Array]:
    steps = np.linspace(-REACH, REACH, TEXTURE_SIDE, dtype=np.float32)
    x, y = np.meshgrid(steps, steps + _MIDDLE)
    return x, y


@lru_cache(maxsize=32)
def skin_texture(identity: Identity) -> UInt8Image:
    """The unlit skin in face coordinates: (TEXTURE_SIDE, TEXTURE_SIDE, 3) RGB."""
    rng = generator(identity.texture_seed, 0)
    x, y = _grid()
    side = np.abs(x)

    def spot(at_x: float, at_y: float, spread_x: float, spread_y: float) -> Array:
        return np.exp(-(((side - at_x) / spread_x) ** 2) - ((y - at_y) / spread_y) ** 2)

    mouth = identity.nose_length + identity.mouth_gap
    tone = 1 + sum(
        strength * _noise(rng, TEXTURE_SIDE, cells) for strength, cells in ((0.025, 12), (0.018, 40), (0.015, 110))
    )
    # Hollows get less of the light that comes from everywhere.
    tone = tone - 0.24 * spot(identity.eye_distance - 0.03, -0.07, 0.24, 0.11)
    tone = tone - 0.12 * spot(identity.eye_distance, 0.16, 0.18, 0.05)
    tone = tone - 0.2 * spot(identity.nose_width * 0.95, identity.nose_length - 0.03, 0.06, 0.08)
    tone = tone - 0.24 * spot(0, identity.nose_length + 0.05, identity.nose_width * 0.7, 0.05)
    tone = tone - 0.2 * spot(0, mouth + identity.lower_lip + 0.06, 0.2, 0.05)
    skin = np.array(identity.skin, np.float32) * tone[..., None]
    red = identity.blush * (spot(0.55, 0.5, 0.25, 0.2) + 0.7 * spot(0, identity.nose_length - 0.1, 0.15, 0.12))
    skin *= 1 - red[..., None] * np.array([0.0, 0.13, 0.1], np.float32)
    if identity.beard:
        rise = 0.35 * np.clip((side - 0.7) / 0.25, 0, 1) - 0.5 * np.maximum(0.75 - side, 0)
        near = np.clip((y - 0.62 + rise) / 0.25, 0, 1)
        moustache = np.clip((y - identity.nose_length - 0.08) / 0.08, 0, 1) * (side < identity.mouth_width * 1.25)
        cover = np.maximum(near, moustache) * np.clip(1 + 0.35 * _noise(rng, TEXTURE_SIDE, 160), 0.2, 1.6)
        cover = np.clip(identity.beard * cv2.GaussianBlur(cover, (0, 0), 1.2), 0, 0.95)[..., None]
        skin += cover * (np.array(identity.hair, np.float32) * 1.05 - skin)
    texture = np.clip(skin, 0, 255).astype(np.uint8)
    dark = tuple(c * f for c, f in zip(identity.skin, (0.82, 0.74, 0.7), strict=True))
    for spot_x, spot_y, radius in zip(
        rng.uniform(-0.75, 0.75, identity.freckles),
        rng.uniform(0.1, 0.75, identity.freckles),
        rng.uniform(0.008, 0.02, identity.freckles),
        strict=True,
    ):
        at = tuple(int(v * 16) for v in _to_texture(np.array(spot_x), np.array(spot_y)))
        cv2.circle(texture, at, int(radius * TEXTURE_SIDE / (2 * REACH) * 16), dark, -1, cv2.LINE_AA, 4)
    return texture


@lru_cache(maxsize=32)
def _normals(identity: Identity) -> Array:
    x, y = _grid()
    z = depth(identity, x, y)
    step = 2 * REACH / (TEXTURE_SIDE - 1)
    normals = np.stack([-np.gradient(z, step, axis=1), -np.gradient(z, step, axis=0), np.ones_like(z)])
    return (normals / np.linalg.norm(normals, axis=0)).astype(np.float32)


def _to_texture(x: Array, y: Array) -> tuple[Array, Array]:
    per_unit = (TEXTURE_SIDE - 1) / (2 * REACH)
    return (x + REACH) * per_unit, (y - _MIDDLE + REACH) * per_unit


def light_color(light: Light) -> Array:
    """What the lamp's warmth multiplies red, green and blue by."""
    return 1 + light.warmth * np.array([0.1, 0.0, -0.14], np.float32)


def lit_skin(identity: Identity, camera: Camera, light: Light, side: int) -> tuple[UInt8Image, Array]:
    """The skin over a whole `side` x `side` image, and the light that falls on it.

    Returns (side, side, 3) uint8 RGB without the light, and (side, side) float32 factors to multiply it by.
    """
    # The way back from pixels is smooth, so every fifth pixel is enough.
    steps = side // 5
    centers = (np.arange(steps, dtype=np.float64) + 0.5) * side / steps - 0.5
    x, y = camera.surface_coordinates(identity, *np.meshgrid(centers, centers))
    grid = np.stack(_to_texture(x, y), -1).astype(np.float32)
    full = cv2.resize(grid, (side, side), interpolation=cv2.INTER_LINEAR)
    skin = cv2.remap(skin_texture(identity), full, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    towards = np.array(light.direction, np.float32)
    towards = camera.rotation.T.astype(np.float32) @ (towards / np.linalg.norm(towards))
    facing = np.maximum(np.tensordot(towards, _normals(identity), 1), 0)
    # A broad highlight, as skin has, on top of the matt part.
    shade = light.ambient + light.strength * (facing + 0.15 * facing**16)
    return skin, cv2.remap(shade, full, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


@lru_cache(maxsize=32)
def backdrop(kind: Backdrop, seed: int, side: int) -> UInt8Image:
    """What is behind the person: (side, side, 3) uint8 RGB, the same for the same seed."""
    rng = generator(seed, 1)
    base, other = (rng.uniform(60, 200) + rng.uniform(-35, 35, 3) for _ in range(2))
    y, x = np.mgrid[0:side, 0:side].astype(np.float32) / side
    ramp = np.clip(0.5 + rng.uniform(-1, 1) * (x - 0.5) + rng.uniform(-1, 1) * (y - 0.5), 0, 1)[..., None]
    image = np.clip(base * (1 - ramp) + other * ramp, 0, 255).astype(np.uint8)
    if kind == "bokeh":
        for _ in range(14):
            at = tuple(int(v) for v in rng.uniform(0, side, 2))
            color = np.clip(base + rng.uniform(-60, 90, 3), 0, 255).tolist()
            cv2.circle(image, at, int(rng.uniform(0.05, 0.14) * side), color, -1, cv2.LINE_AA)
        image = cv2.GaussianBlur(image, (0, 0), 0.02 * side)
    elif kind == "bricks":
        height, width = int(rng.uniform(0.07, 0.11) * side), int(rng.uniform(0.16, 0.24) * side)
        for row, top in enumerate(range(0, side, height)):
            for left in range(-(row % 2) * width // 2, side, width):
                color = np.clip(base + rng.normal(0, 9), 0, 255).tolist()
                cv2.rectangle(image, (left + 2, top + 2), (left + width - 3, top + height - 3), color, -1)
        image = cv2.GaussianBlur(image, (0, 0), 0.006 * side)
    elif kind == "shelves":
        for top in range(0, side, side // 3):
            left = 0
            while left < side:
                width, low = int(rng.uniform(0.03, 0.08) * side), int(rng.uniform(0, 0.08) * side)
                color = np.clip(rng.uniform(40, 190) + rng.uniform(-40, 40, 3), 0, 255).tolist()
                cv2.rectangle(image, (left, top + low), (left + width - 1, top + side // 3 - 8), color, -1)
                left += width
        image = cv2.GaussianBlur(image, (0, 0), 0.012 * side)
    grain = 1 + 0.03 * _noise(rng, side, side // 4)[..., None] + 0.04 * _noise(rng, side, 8)[..., None]
    return np.clip(image * grain, 0, 255).astype(np.uint8)
