"""The shape of a procedural face: 68 landmarks on a surface, its projection, and the way back from pixels."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from difffake.drawn.people import Expression, Identity, Pose

Array = NDArray[np.floating]

EYE_LINE = -0.05
"""y of the jaw curve's two ends, level with the eyes."""
_PIVOT = np.array([0.0, 0.4, -0.5])
"""The point that the head turns about."""


def depth(identity: Identity, x: Array, y: Array) -> Array:
    """Height z of the face's surface (towards the viewer) over x, y, all in face units and of one shape."""
    z = -0.8 * (x / identity.face_width) ** 2 - 0.1 * (y - 0.55) ** 2 - 0.35 * np.minimum(y + 0.6, 0) ** 2
    tip = identity.nose_length - 0.1
    ramp = np.clip((y + 0.12) / (tip + 0.12), 0, 1)
    ridge = identity.nose_height * ramp**1.3 / (1 + np.exp(np.clip((y - identity.nose_length) / 0.035, -40, 40)))
    z = z + ridge * np.exp(-((x / (identity.nose_width * (0.5 + 0.25 * ramp))) ** 2))
    side = np.abs(x)
    mouth = identity.nose_length + identity.mouth_gap
    for height, at_x, at_y, spread_x, spread_y in (
        (-0.09, identity.eye_distance, 0.0, 0.22, 0.16),  # eye sockets
        (0.05, identity.eye_distance, -identity.brow_height, 0.3, 0.1),  # brow ridges
        (0.07, 0.55, 0.5, 0.25, 0.22),  # cheek bones
        (0.06, 0.0, mouth, 0.3, 0.13),  # lips
        (-0.04, 0.0, mouth + 0.22, 0.3, 0.07),  # the hollow below them
        (0.08, 0.0, identity.chin - 0.15, 0.25, 0.15),  # chin
    ):
        z = z + height * np.exp(-(((side - at_x) / spread_x) ** 2) - ((y - at_y) / spread_y) ** 2)
    return z


def landmarks(identity: Identity, expression: Expression) -> Array:
    """The 68 landmarks in iBUG order on the unturned face: (68, 3) x, y, z in face units."""
    left_brow, left_eye = _brow(identity, expression), _eye(identity, expression)
    mirror = np.array([-1.0, 1.0])
    points = np.concatenate([
        _jaw(identity, expression),
        left_brow, (left_brow * mirror)[::-1],
        _nose(identity),
        # Mirrored, and each eye begins at its corner on the image's left.
        left_eye, (left_eye * mirror)[[3, 2, 1, 0, 5, 4]],
        _mouth(identity, expression),
    ])  # fmt: skip
    return lift(identity, points)


def lift(identity: Identity, points: Array) -> Array:
    """Put (N, 2) points on the face's surface: (N, 3)."""
    return np.column_stack([points, depth(identity, points[:, 0], points[:, 1])])


def _jaw(identity: Identity, expression: Expression) -> Array:
    angle = np.linspace(0, np.pi, 181)
    power = 2 / identity.jaw_power
    cos, sin = np.cos(angle), np.sin(angle)
    x = -identity.face_width * np.sign(cos) * np.abs(cos) ** power
    y = EYE_LINE + (identity.chin - EYE_LINE) * sin**power
    along = np.concatenate([[0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])
    even = np.linspace(0, along[-1], 17)
    points = np.column_stack([np.interp(even, along, x), np.interp(even, along, y)])
    points[:, 1] += 0.13 * expression.mouth_open * np.clip(points[:, 1] / identity.chin, 0, 1) ** 2
    return points


def _brow(identity: Identity, expression: Expression) -> Array:
    t = np.linspace(0, 1, 5)
    reach = 1.35 * identity.eye_width
    x = -identity.eye_distance - 0.02 + reach * (2 * t - 1)
    arch = np.array([0.0, 0.8, 1.0, 0.75, 0.2]) * identity.brow_arch
    raised = identity.brow_height + 0.1 * expression.brow_raise
    return np.column_stack([x, -raised - arch + 0.04 * (1 - t)])


def _eye(identity: Identity, expression: Expression) -> Array:
    width, openness = identity.eye_width, 1 - expression.blink
    squint = 1 - 0.25 * expression.smile
    x = np.array([-1, -0.4, 0.38, 1, 0.38, -0.4]) * width
    upper, lower = identity.eye_height * openness * squint, 0.62 * identity.eye_height * squint
    # A closed lid comes down to the lower one, not to the line between the corners.
    closed = lower * expression.blink * 0.9
    y = np.array([0, -upper + closed, -upper + closed, 0, lower, lower])
    return np.column_stack([x - identity.eye_distance, y + identity.eye_tilt * x])


def _nose(identity: Identity) -> Array:
    length, width = identity.nose_length, identity.nose_width
    bridge = np.column_stack([np.zeros(4), np.linspace(0.04, length - 0.12, 4)])
    base = np.column_stack([
        np.array([-0.85, -0.45, 0, 0.45, 0.85]) * width, length + np.array([-0.01, 0.02, 0.045, 0.02, -0.01]),
    ])  # fmt: skip
    return np.concatenate([bridge, base])


def _mouth(identity: Identity, expression: Expression) -> Array:
    smile, gape = expression.smile, 0.22 * expression.mouth_open
    width = identity.mouth_width * (1 + 0.18 * smile - 0.12 * expression.mouth_open)
    line = identity.nose_length + identity.mouth_gap
    upper, lower = identity.upper_lip * (1 - 0.25 * smile), identity.lower_lip * (1 - 0.2 * smile)
    corner = -0.1 * smile + 0.4 * gape

    def row(xs: list[float], heights: list[float]) -> Array:
        x = np.array(xs)
        return np.column_stack([x * width, np.array(heights) + corner * x**2 + line])

    inner_up, inner_low = -0.15 * gape - 0.02 * smile, 0.85 * gape
    up, low = -upper + inner_up, lower + inner_low
    return np.concatenate([
        row([-1, -0.58, -0.2, 0, 0.2, 0.58, 1], [0, 0.66 * up, up, 0.86 * up, up, 0.66 * up, 0]),
        row([0.6, 0.26, 0, -0.26, -0.6], [0.68 * low, 0.97 * low, low, 0.97 * low, 0.68 * low]),
        row([-0.86, -0.3, 0, 0.3, 0.86], [0, inner_up, inner_up + 0.008, inner_up, 0]),
        row([0.3, 0, -0.3], [inner_low, inner_low + 0.008, inner_low]),
    ])  # fmt: skip


@dataclass(frozen=True)
class Camera:
    """Weak-perspective view of the turned head: face units to pixels, with pixel centers at whole numbers."""

    rotation: Array
    """(3, 3)"""
    scale: float
    """Pixels a face unit."""
    origin: Array
    """(2,) pixel x, y of the point that the head turns about."""

    @classmethod
    def of(cls, pose: Pose, size: int) -> "Camera":
        """Camera of a `size` x `size` image that the head fills."""
        (cy, cp, cr), (sy, sp, sr) = (f([pose.yaw, pose.pitch, pose.roll]) for f in (np.cos, np.sin))
        yaw = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
        pitch = np.array([[1, 0, 0], [0, cp, sp], [0, -sp, cp]])
        roll = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
        middle = np.array([0.5 + pose.shift_x, 0.56 + pose.shift_y]) * size - 0.5
        return cls(roll @ pitch @ yaw, 0.275 * pose.scale * size, middle)

    def project(self, points: Array) -> Array:
        """(N, 3) face units to (N, 2) pixels."""
        return (points - _PIVOT) @ self.rotation[:2].T * self.scale + self.origin

    def surface_coordinates(self, identity: Identity, x: Array, y: Array) -> tuple[Array, Array]:
        """The x, y in face units of the surface point that is seen at pixels `x`, `y` (one shape)."""
        seen = (np.stack([x, y], -1) - self.origin) / self.scale
        flat = np.linalg.inv(self.rotation[:2, :2])
        away = self.rotation[:2, 2]
        z = np.zeros_like(x)
        # Solve scale * R (p - pivot) = pixel for p on the surface: a contraction, as the head turns little.
        for _ in range(6):
            at = (seen - (z - _PIVOT[2])[..., None] * away) @ flat.T + _PIVOT[:2]
            z = depth(identity, at[..., 0], np.clip(at[..., 1], -1.8, 2.2))
            z = np.maximum(z, -2.0)
        return at[..., 0], at[..., 1]
