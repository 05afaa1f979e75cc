"""Painting of procedural faces: outlines along projected landmarks, filled and stroked with anti-aliasing."""

import cv2
import numpy as np
from numpy.typing import NDArray

from difffake.drawn.geometry import Array, Camera, lift
from difffake.drawn.people import Color, Expression, Identity, Light
from difffake.drawn.skin import UInt8Image, light_color
from difffake.randomness import generator

_SUBPIXEL_BITS = 4


def smooth_curve(points: Array, closed: bool = False, steps: int = 6) -> Array:
    """Catmull-Rom spline through (N, 2) points, each of which is on it: (about N * steps, 2)."""
    if closed:
        before, after = points[-1:], points[:2]
    else:
        before, after = 2 * points[:1] - points[1:2], 2 * points[-1:] - points[-2:-1]
    p = np.concatenate([before, points, after])
    p0, p1, p2, p3 = (p[i : len(p) - 3 + i, None] for i in range(4))
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    curve = p1 + t * (p2 - p0) / 2 + t**2 * (p0 - 2.5 * p1 + 2 * p2 - p3 / 2)
    curve = (curve + t**3 * (1.5 * (p1 - p2) + (p3 - p0) / 2)).reshape(-1, 2)
    return curve if closed else np.concatenate([curve, points[-1:]])


def _fixed(points: Array) -> NDArray[np.int32]:
    return np.round(points * 2**_SUBPIXEL_BITS).astype(np.int32)


def _fill(image: UInt8Image, outline: Array, color: Color | int) -> None:
    cv2.fillPoly(image, [_fixed(outline)], color, cv2.LINE_AA, _SUBPIXEL_BITS)


def _line(image: UInt8Image, curve: Array, color: Color | int, width: float) -> None:
    cv2.polylines(image, [_fixed(curve)], False, color, max(1, round(width)), cv2.LINE_AA, _SUBPIXEL_BITS)


def _dim(color: Color, by: float) -> Color:
    red, green, blue = (int(min(255, c * by)) for c in color)
    return red, green, blue


def _project(identity: Identity, view: Camera, points: Array, back: float = 0.0) -> Array:
    """(N, 2) face units on the surface, or `back` behind it, to (N, 2) pixels."""
    return view.project(lift(identity, points) - [0, 0, back])


def _skull(identity: Identity, larger: float = 1.0) -> Array:
    """Outline above the eyes from left to right: (25, 2) face units."""
    angle = np.linspace(np.pi, 0, 25)
    x, y = np.cos(angle) * identity.face_width, np.sin(angle)
    return np.column_stack([larger * np.sign(x) * np.abs(x) ** 0.9, -0.05 - 1.42 * larger * np.abs(y) ** 0.85])


def head_mask(identity: Identity, seen: Array, view: Camera, side: int) -> UInt8Image:
    """Where the head and the hair on it are, 0 to 255: (side, side)."""
    mask = np.zeros((side, side), np.uint8)
    _fill(mask, _head_outline(identity, seen, view), 255)
    if identity.hair_style != "shaved":
        _fill(mask, _project(identity, view, _skull(identity, identity.hair_volume)), 255)
    return mask


def _head_outline(identity: Identity, seen: Array, view: Camera) -> Array:
    top = _project(identity, view, _skull(identity))
    # The jaw runs left to right below, the skull right to left above.
    return np.concatenate([smooth_curve(seen[:17]), top[::-1]])


def draw_behind(canvas: UInt8Image, identity: Identity, view: Camera, light: Light) -> None:
    """Shoulders, neck, ears and the hair that falls behind them, with the light that reaches them."""
    tint = light_color(light)
    lamp = light.ambient + 0.55 * light.strength

    def lit(color: Color, by: float = 1.0) -> Color:
        red, green, blue = (int(min(255, c * lamp * by * t)) for c, t in zip(color, tint, strict=True))
        return red, green, blue

    def flat(points: Array, z: float) -> Array:
        return view.project(np.column_stack([points, np.full(len(points), z)]))

    if identity.hair_style in ("long", "bob"):
        low = 1.9 if identity.hair_style == "long" else 0.95
        skull = _skull(identity, identity.hair_volume + 0.04)
        fall = np.array([[1.2, 0.4], [1.16, low - 0.2], [0.9, low], [-0.9, low], [-1.16, low - 0.2], [-1.2, 0.4]])
        outline = smooth_curve(np.concatenate([skull, fall]), closed=True, steps=3)
        _fill(canvas, flat(outline, -0.9), lit(identity.hair, 0.7))
    neck = 0.56 * identity.face_width
    chin = identity.chin
    body = np.array([[-neck, chin + 0.32], [-1.9, chin + 0.75], [-2.3, 3.6], [2.3, 3.6], [1.9, chin + 0.75],
                     [neck, chin + 0.32]])  # fmt: skip
    _fill(canvas, flat(body, -0.8), lit(light.clothes))
    column = np.array([[-neck, 0.7], [-neck, chin + 0.3], [-neck * 1.1, chin + 0.42], [0, chin + 0.62],
                       [neck * 1.1, chin + 0.42], [neck, chin + 0.3], [neck, 0.7]])  # fmt: skip
    _fill(canvas, flat(column, -0.8), lit(identity.skin, 0.84))
    shadow = np.array([[-neck, 0.7], [-neck, chin + 0.02], [0, chin + 0.24], [neck, chin + 0.02], [neck, 0.7]])
    _fill(canvas, flat(smooth_curve(shadow), -0.8), lit(identity.skin, 0.68))
    turn = np.linspace(0, 2 * np.pi, 24)
    for side in (-1.0, 1.0):
        middle = side * (identity.face_width + 0.02)
        for width, height, by in ((0.13, 0.25, 0.92), (0.07, 0.16, 0.74)):
            ear = np.column_stack([middle + width * np.cos(turn), 0.2 + height * np.sin(turn)])
            _fill(canvas, flat(ear, -0.85), lit(identity.skin, by))


def draw_folds(face: UInt8Image, identity: Identity, moving: Expression, points: Array, view: Camera) -> None:
    """Soft dark lines: lid creases, wings of the nose, and from nose to mouth, deeper with a smile."""
    half = np.zeros((face.shape[0] // 2, face.shape[1] // 2), np.uint8)
    unit = view.scale / 2

    def fold(curve: Array, strength: float) -> None:
        # Drawn at half the resolution, as it is blurred anyway.
        _line(half, (_project(identity, view, curve) + 0.5) / 2 - 0.5, int(255 * strength), 0.03 * unit)

    flat = points[:, :2]
    for eye in (flat[36:40], flat[42:46]):
        fold(smooth_curve(eye + [[0, -0.02], [0, -0.055], [0, -0.055], [0, -0.02]]), 0.8)
    for side, corner in ((-1.0, flat[48]), (1.0, flat[54])):
        wing = np.array([side * identity.nose_width, identity.nose_length - 0.06])
        fold(smooth_curve(wing + [[-0.1 * side, -0.08], [0, 0], [-0.06 * side, 0.07]]), 0.55)
        cheek = np.array([corner[0] + 0.12 * side, corner[1] - 0.05])
        fold(smooth_curve(np.array([wing + [0.04 * side, 0], (wing + cheek) / 2 + [0.05 * side, 0], cheek])),
             0.15 + 0.65 * moving.smile)  # fmt: skip
    half = cv2.GaussianBlur(half, (0, 0), max(0.03 * unit, 0.5))
    soft = cv2.resize(half, face.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    face[:] = (face * (1 - soft[..., None] * np.float32(0.5 / 255))).astype(np.uint8)


def draw_brows(face: UInt8Image, identity: Identity, seen: Array, view: Camera) -> None:
    """Brows along their landmarks, with single hairs."""
    color = _dim(identity.hair, 0.85) if sum(identity.hair) < 330 else _dim(identity.hair, 0.7)
    drawn = face.copy()
    rng = generator(identity.texture_seed, 2)
    for brow, outer in ((seen[17:22], 0), (seen[22:27], -1)):
        curve = smooth_curve(brow)
        along = np.gradient(curve, axis=0)
        across = np.column_stack([-along[:, 1], along[:, 0]]) / np.linalg.norm(along, axis=1, keepdims=True)
        taper = np.linspace(0.3, 1.0, len(curve)) ** 0.7
        width = (taper if outer == 0 else taper[::-1])[:, None] * identity.brow_thickness * view.scale
        _fill(drawn, np.concatenate([curve + across * width, (curve - across * width)[::-1]]), color)
        for at in rng.integers(1, len(curve) - 1, 16):
            hair = across[at] * width[at] * rng.uniform(0.8, 1.4)
            lean = along[at] * rng.uniform(0.2, 1.2) * (1 if outer else -1)
            _line(drawn, np.array([curve[at] + hair, curve[at] - hair + lean]), _dim(color, rng.uniform(0.7, 1.3)), 1)
    cv2.addWeighted(drawn, 0.85, face, 0.15, 0, dst=face)


def draw_nostrils(face: UInt8Image, identity: Identity, seen: Array, view: Camera) -> None:
    """Nostrils and the base of the nose."""
    dark = _dim(identity.skin, 0.38)
    turn = np.linspace(0, 2 * np.pi, 16)[:, None]
    along = (seen[35] - seen[31]) / 2
    for middle in ((seen[31] + seen[32] + seen[33]) / 3, (seen[33] + seen[34] + seen[35]) / 3):
        up = 0.035 * view.scale * np.array([along[1], -along[0]]) / np.linalg.norm(along)
        _fill(face, middle + up * 0.4 + 0.26 * along * np.cos(turn) + 0.8 * up * np.sin(turn), dark)
    _line(face, smooth_curve(seen[31:36]), _dim(identity.skin, 0.66), 0.012 * view.scale)


def draw_eye(face: UInt8Image, identity: Identity, moving: Expression, eye: Array, view: Camera) -> None:
    """`eye`: (6, 2) landmarks from the left corner over the upper lid and back along the lower one."""
    upper, lower = smooth_curve(eye[:4]), smooth_curve(eye[[3, 4, 5, 0]])
    unit = view.scale
    # Everything between the lids is drawn on a patch of its own and then cut out by them.
    low = np.maximum(np.floor(eye.min(axis=0) - 0.1 * unit).astype(int), 0)
    high = np.ceil(eye.max(axis=0) + 0.1 * unit).astype(int) + 1
    patch = face[low[1] : high[1], low[0] : high[0]]
    if patch.size == 0:
        return
    ball = np.empty_like(patch)
    ball[:] = (232, 226, 220)
    across = (eye[3] - eye[0]) / 2
    middle = eye.mean(axis=0) - low + 0.35 * moving.gaze * across
    radius = 0.47 * identity.eye_width * unit

    def disc(at: Array, r: float, color: Color) -> None:
        center = tuple(int(v) for v in _fixed(at))
        cv2.circle(ball, center, round(r * 2**_SUBPIXEL_BITS), color, -1, cv2.LINE_AA, _SUBPIXEL_BITS)

    disc(middle, radius, _dim(identity.iris, 0.6))
    disc(middle, 0.84 * radius, identity.iris)
    disc(middle, 0.45 * radius, (16, 12, 12))
    disc(middle + [-0.38 * radius, -0.4 * radius], 0.2 * radius, (255, 255, 255))
    _line(ball, upper - low + [0, 0.02 * unit], (150, 140, 136), 0.03 * unit)
    opening = np.zeros(patch.shape[:2], np.uint8)
    _fill(opening, np.concatenate([upper, lower]) - low, 255)
    alpha = opening[..., None] * np.float32(1 / 255)
    patch[:] = (patch + alpha * (ball.astype(np.float32) - patch)).astype(np.uint8)
    _line(face, lower, _dim(identity.skin, 0.66), 0.012 * unit)
    _line(face, upper, (34, 24, 22), (0.03 if identity.beard == 0 else 0.02) * unit)


def draw_mouth(face: UInt8Image, identity: Identity, moving: Expression, seen: Array, view: Camera) -> None:
    """Lips, and between them the dark or the teeth."""
    outer_up, outer_low = smooth_curve(seen[48:55]), smooth_curve(seen[[54, 55, 56, 57, 58, 59, 48]])
    inner_up, inner_low = smooth_curve(seen[60:65]), smooth_curve(seen[[64, 65, 66, 67, 60]])
    unit = view.scale
    _fill(face, np.concatenate([outer_up, outer_low]), _dim(identity.lips, 0.9))
    _fill(face, np.concatenate([outer_low, inner_up]), identity.lips)
    shine = smooth_curve((seen[[64, 65, 66, 67, 60]] + seen[[54, 55, 57, 59, 48]])[1:4] / 2)
    _line(face, shine, _dim(identity.lips, 1.12), 0.025 * unit)
    inside = np.concatenate([inner_up, inner_low])
    _fill(face, inside, (64, 24, 26))
    if moving.mouth_open > 0.08:
        teeth = np.minimum(0.5, 0.09 * unit / max(np.ptp(inside[:, 1]), 1e-6))
        bottom = inner_up + teeth * (inner_low[::-1][: len(inner_up)] - inner_up)
        _fill(face, np.concatenate([inner_up[4:-4], bottom[4:-4][::-1]]), (226, 220, 208))
    _line(face, inner_up, _dim(identity.lips, 0.45), 0.014 * unit)


def draw_hair(face: UInt8Image, identity: Identity, view: Camera) -> None:
    """Hair over the forehead, strand by strand from the parting."""
    shaved = identity.hair_style == "shaved"
    skull = _skull(identity, 1.0 if shaved else identity.hair_volume)
    temple, edge = (-0.45, 0.97) if shaved else (0.1, identity.hair_volume)
    if identity.hair_style in ("long", "bob"):
        temple = 0.3
    width = identity.face_width
    top = identity.hairline
    right, left = np.array([0.12, 0.06] if identity.parting < 0 else [0.06, 0.12]) + identity.fringe
    hairline = np.array([
        [edge * width, temple], [0.96 * width, temple - 0.22], [0.86 * width, -0.5], [0.5 * width, top + right],
        [identity.parting, top - 0.04], [-0.5 * width, top + left], [-0.86 * width, -0.5],
        [-0.96 * width, temple - 0.22], [-edge * width, temple],
    ])  # fmt: skip
    line = smooth_curve(hairline)
    outline = _project(identity, view, np.concatenate([skull, line]))
    if shaved:
        drawn = face.copy()
        _fill(drawn, outline, _dim(identity.hair, 1.1))
        cv2.addWeighted(drawn, 0.45, face, 0.55, 0, dst=face)
        return
    _fill(face, outline, identity.hair)
    rng = generator(identity.texture_seed, 3)
    root = np.array([identity.parting, -1.4])
    ends = line[rng.integers(0, len(line), 90)]
    starts = root + rng.uniform([-0.3, -0.05], [0.3, 0.1], ends.shape)
    curl = rng.uniform(0.05, 0.25, len(ends))
    over = np.column_stack([ends[:, 0] * 1.08, np.minimum(starts[:, 1], ends[:, 1]) + curl])
    t = np.linspace(0, 1, 7)[:, None, None]
    strands = ((1 - t) ** 2 * starts + 2 * t * (1 - t) * over + t**2 * ends).transpose(1, 0, 2)
    seen = _project(identity, view, strands.reshape(-1, 2)).reshape(strands.shape)
    for strand, by in zip(seen, rng.uniform(-0.3, 0.22, len(ends)), strict=True):
        # Towards white rather than times a factor, or strands of black hair would not show.
        gloss = tuple(c + by * ((255 - c) if by > 0 else c) for c in identity.hair)
        _line(face, strand, gloss, 1)
