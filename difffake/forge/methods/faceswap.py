"""Graphics-based swap: triangles and Poisson blending."""

import cv2
import numpy as np

from difffake.forge.method import Method
from difffake.forge.tools.face import FaceImage, Forged, Unfit, check
from difffake.forge.tools.regions import blend, drawn_in, hull
from difffake.forge.tools.tone import match_color, match_detail
from difffake.forge.tools.warp import warped_onto


def faceswap(target: FaceImage, source: FaceImage, rng: np.random.Generator, grain: np.random.Generator) -> Forged:
    """Warp the source's face triangle by triangle onto the target's landmarks, and clone it by its gradients.

    It represents graphics-based swaps: FaceSwap (Kowalski) in FaceForensics++ (arXiv 1901.08971), and the Poisson
    blending (Perez et al., 2003) of Celeb-DF and Face X-ray. Traces: colors that bleed in from the edge, the source's
    texture and light, no visible seam. The mask is 0 or 1.
    """
    check(target, source)
    parameters = {"inwards": rng.uniform(0.76, 0.86), "color": rng.uniform(0.8, 1.0)}
    region = hull(drawn_in(target.landmarks, parameters["inwards"]), target.image.shape)
    # The equation needs the target's colors on all sides of the region.
    region[:2] = region[-2:] = 0
    region[:, :2] = region[:, -2:] = 0
    mask = (region > 127).astype(np.float32)
    if not mask.any():
        raise Unfit("no part of the face is in the image")
    face = match_color(warped_onto(source, target.landmarks, region), target.image, mask, parameters["color"])
    face = match_detail(face, target.image, mask, grain)
    x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
    cloned = cv2.seamlessClone(
        np.round(face).astype(np.uint8), target.image, (255 * mask).astype(np.uint8),
        (x + width // 2, y + height // 2), cv2.NORMAL_CLONE,
    )  # fmt: skip
    return Forged(blend(target.image, cloned, mask), mask, target.landmarks, parameters)


METHOD = Method(faceswap)
