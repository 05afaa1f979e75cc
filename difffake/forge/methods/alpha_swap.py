"""Swap with a feathered edge."""

import numpy as np

from difffake.forge.method import Method
from difffake.forge.tools.face import FaceImage, Forged, Unfit, check, face_width
from difffake.forge.tools.regions import blend, drawn_in, hull, soften
from difffake.forge.tools.tone import match_color, match_detail, match_light
from difffake.forge.tools.warp import warped_onto


def alpha_swap(target: FaceImage, source: FaceImage, rng: np.random.Generator, grain: np.random.Generator) -> Forged:
    """Warp the source's face triangle by triangle, match its color to the target, and blend it with a soft edge.

    It represents DeepFaceLab's merger (arXiv 2005.05535) with Reinhard color transfer and a feathered hull. Traces: the
    blending boundary, another skin texture and light from another side.
    """
    check(target, source)
    parameters = {
        "inwards": rng.uniform(0.82, 0.94), "feather": rng.uniform(0.05, 0.1), "color": rng.uniform(0.85, 1.0),
    }  # fmt: skip
    region = hull(drawn_in(target.landmarks, parameters["inwards"]), target.image.shape)
    mask = soften(region, parameters["feather"] * face_width(target.landmarks))
    if not (mask > 0.5).any():
        raise Unfit("no part of the face is in the image")
    face = match_color(warped_onto(source, target.landmarks, region), target.image, mask, parameters["color"])
    face = match_light(face, target.image, mask, 0.15 * face_width(target.landmarks), 0.7)
    face = match_detail(face, target.image, mask, grain)
    return Forged(blend(target.image, face, mask), mask, target.landmarks, parameters)


METHOD = Method(alpha_swap)
