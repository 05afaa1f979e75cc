"""Mouth and lower face drawn by a network."""

import cv2
import numpy as np

from difffake.forge.method import Method, Network
from difffake.forge.tools.bottleneck import LOWER_FACE, Bottleneck, rebuilt
from difffake.forge.tools.face import FaceImage, Forged, Unfit, check, face_width
from difffake.forge.tools.regions import LOWER_FACE as LOWER
from difffake.forge.tools.regions import blend, drawn_in, hull, soften
from difffake.forge.tools.tone import match_color, match_detail


def mouth_texture(
    target: FaceImage, source: FaceImage, rng: np.random.Generator, grain: np.random.Generator, network: Bottleneck
) -> Forged:
    """Draw the target's mouth and lower face with an autoencoder and blend them back; no source is used.

    It represents NeuralTextures (Thies et al., 2019) in FaceForensics++, and lip synchronization: only the lower face
    is synthetic. Traces: the texture of a network, fewer details of the person.
    """
    check(target)
    parameters = {"inwards": rng.uniform(0.86, 0.95), "feather": rng.uniform(0.05, 0.09)}
    drawn, covered = rebuilt(network, target, LOWER_FACE)
    region = hull(drawn_in(target.landmarks, parameters["inwards"])[LOWER], target.image.shape)
    mask = soften(cv2.min(region, covered), parameters["feather"] * face_width(target.landmarks))
    if not (mask > 0.5).any():
        raise Unfit("no part of the lower face is in the image")
    drawn = match_detail(match_color(drawn, target.image, mask, 0.7), target.image, mask, grain)
    return Forged(blend(target.image, drawn, mask), mask, target.landmarks, parameters)


# The mouth keeps its shape through a code of 8 x 8.
METHOD = Method(mouth_texture, sourceless=True, network=Network(LOWER_FACE, side=8, channels=12))
