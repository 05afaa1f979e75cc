"""Drawn faces with exact landmarks: people, expressions, poses and light without any data.

`render_face` gives a clean picture, `camera` what a camera would keep of it. What is drawn is drawn along the
landmarks themselves, so they are exact.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from difffake.drawn.geometry import Camera, landmarks
from difffake.drawn.paint import (
    draw_behind,
    draw_brows,
    draw_eye,
    draw_folds,
    draw_hair,
    draw_mouth,
    draw_nostrils,
    head_mask,
)
from difffake.drawn.people import (
    DAYLIGHT,
    FRONTAL,
    NEUTRAL,
    Expression,
    Identity,
    Light,
    Pose,
    Style,
)
from difffake.drawn.skin import UInt8Image, backdrop, light_color, lit_skin

_OVERSAMPLING = 2


def render_face(
    identity: Identity,
    expression: Expression = NEUTRAL,
    pose: Pose = FRONTAL,
    light: Light = DAYLIGHT,
    size: int = 128,
) -> tuple[UInt8Image, NDArray[np.float32]]:
    """Draw one person at one moment, before any camera.

    Returns the image, (size, size, 3) uint8 RGB, and its landmarks, (68, 2) float32 x, y in pixels in iBUG order
    (pixel centers at whole numbers). The same arguments give the same bytes.
    """
    side = size * _OVERSAMPLING
    view = Camera.of(pose, side)
    points = landmarks(identity, expression)
    seen = view.project(points)
    skin, shade = lit_skin(identity, view, light, side)

    canvas = backdrop(light.backdrop, light.backdrop_seed, side).copy()
    draw_behind(canvas, identity, view, light)
    face = skin
    draw_folds(face, identity, expression, points, view)
    draw_brows(face, identity, seen, view)
    draw_nostrils(face, identity, seen, view)
    for eye in (seen[36:42], seen[42:48]):
        draw_eye(face, identity, expression, eye, view)
    draw_mouth(face, identity, expression, seen, view)
    draw_hair(face, identity, view)

    mask = head_mask(identity, seen, view, side)
    lit = face * (shade[..., None] * light_color(light))
    alpha = mask[..., None] * np.float32(1 / 255)
    image = np.clip(canvas + alpha * (lit - canvas), 0, 255).astype(np.uint8)
    small = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)
    return small, ((seen + 0.5) / _OVERSAMPLING - 0.5).astype(np.float32)


def camera(image: UInt8Image, style: Style, rng: np.random.Generator) -> UInt8Image:
    """What a camera of this style keeps of a clean picture: tone, lens blur, sensor noise and one JPEG round trip.

    (H, W, 3) uint8 RGB to the same.
    """
    seen = image.astype(np.float32)
    gray = seen.mean(axis=2, keepdims=True)
    seen = (gray + style.saturation * (seen - gray) - 128) * style.contrast + 128
    seen = cv2.GaussianBlur(seen, (0, 0), rng.uniform(*style.blur))
    seen += rng.standard_normal(seen.shape, np.float32) * rng.uniform(*style.noise)
    quality = int(rng.integers(*style.jpeg_quality, endpoint=True))
    # OpenCV's channel order is BGR: JPEG stores brightness finer than color, so the order matters.
    bgr = np.clip(seen[..., ::-1], 0, 255).astype(np.uint8)
    _, coded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.cvtColor(np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8), cv2.COLOR_BGR2RGB)
