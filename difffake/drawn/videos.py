"""Short clips of procedural faces: smooth motion of one person before one backdrop."""

import numpy as np
from numpy.typing import NDArray

from difffake.drawn.geometry import Array
from difffake.drawn.people import Expression, Identity, Light, Pose, Style
from difffake.drawn.render import render_face
from difffake.drawn.skin import UInt8Image


def render_video(
    identity: Identity, style: Style, n_frames: int, rng: np.random.Generator, size: int = 168
) -> list[tuple[UInt8Image, NDArray[np.float32]]]:
    """Draw `n_frames` clean frames of a person who turns a little, talks, smiles and blinks.

    Returns, for each frame, the image (size, size, 3) uint8 RGB and its landmarks (68, 2) float32 in pixels.
    `camera` gives what a camera of this style would keep of a frame.
    """
    light = Light.sample(rng, style)
    return [
        render_face(identity, expression, pose, light, size)
        for pose, expression in zip(_poses(n_frames, rng), _expressions(n_frames, rng), strict=True)
    ]


def _poses(frames: int, rng: np.random.Generator) -> list[Pose]:
    paths = (
        rng.uniform(-0.2, 0.2) + _wander(rng, frames, 0.12),  # yaw
        rng.uniform(-0.06, 0.08) + _wander(rng, frames, 0.06),  # pitch
        rng.uniform(-0.06, 0.06) + _wander(rng, frames, 0.05),  # roll
        rng.uniform(-0.025, 0.025) + _wander(rng, frames, 0.012),  # shift_x
        rng.uniform(-0.025, 0.025) + _wander(rng, frames, 0.012),  # shift_y
        rng.uniform(0.95, 1.05) + _wander(rng, frames, 0.012),  # scale
    )
    return [Pose(*(float(v) for v in row)) for row in zip(*paths, strict=True)]


def _expressions(frames: int, rng: np.random.Generator) -> list[Expression]:
    paths = (
        np.clip(rng.uniform(0, 0.35) + _wander(rng, frames, 0.45, cycles=(2, 4)), 0, 1),  # mouth_open
        np.clip(rng.uniform(0, 0.6) + _wander(rng, frames, 0.3), 0, 1),  # smile
        np.exp(-(((np.arange(frames) - rng.uniform(0, frames)) / 0.6) ** 2)),  # blink, once a clip
        np.clip(rng.uniform(0, 0.4) + _wander(rng, frames, 0.3), 0, 1),  # brow_raise
        np.clip(_wander(rng, frames, 0.5), -1, 1),  # gaze
    )
    return [Expression(*(float(v) for v in row)) for row in zip(*paths, strict=True)]


def _wander(rng: np.random.Generator, frames: int, strength: float, cycles: tuple[float, float] = (0.5, 1.5)) -> Array:
    """Smooth path about 0: two sinusoids of random phase and of `cycles` turns a clip: (frames,)."""
    t = np.linspace(0, 1, frames)
    turns, phases = rng.uniform(*cycles, 2), rng.uniform(0, 2 * np.pi, 2)
    return strength * np.sin(2 * np.pi * turns[:, None] * t + phases[:, None]).mean(axis=0)
