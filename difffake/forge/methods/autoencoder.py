"""The original Deepfakes: a face drawn by the decoder of another person."""

import cv2
import numpy as np

from difffake.forge.method import Method, Network
from difffake.forge.tools.bottleneck import WHOLE_FACE, Bottleneck, Patches, for_two, rebuilt
from difffake.forge.tools.face import FaceImage, Forged, Unfit, check, face_width
from difffake.forge.tools.regions import blend, drawn_in, hull, soften
from difffake.forge.tools.tone import match_color, match_detail, match_light

PAIR_STEPS = 300
"""Optimizer steps of the two decoders of one pair."""
SOURCE = 1
"""Number of the source's decoder; 0 is the target's."""


def autoencoder(
    target: FaceImage, source: FaceImage, rng: np.random.Generator, grain: np.random.Generator, network: Bottleneck
) -> Forged:
    """Draw the target's face with the source's decoder and blend it back; `network` was trained on the two people.

    It represents Deepfakes (the faceswap project) in FaceForensics++: a shared encoder with two decoders (`for_two`).
    The expression is the target's, the identity is the source's; the source image itself is not used. Traces: low
    resolution, hidden by sharpening and grain; the blending boundary.
    """
    check(target)
    parameters = {"inwards": rng.uniform(0.8, 0.9), "feather": rng.uniform(0.05, 0.09)}
    drawn, covered = rebuilt(network, target, WHOLE_FACE, decoder=SOURCE)
    region = hull(drawn_in(target.landmarks, parameters["inwards"]), target.image.shape)
    width = face_width(target.landmarks)
    mask = soften(cv2.min(region, covered), parameters["feather"] * width)
    if not (mask > 0.5).any():
        raise Unfit("no part of the face is in the image")
    drawn = match_color(drawn, target.image, mask, 0.9)
    drawn = match_light(drawn, target.image, mask, 0.15 * width, 0.5)
    drawn = match_detail(drawn, target.image, mask, grain)
    return Forged(blend(target.image, drawn, mask), mask, target.landmarks, parameters)


def _for_pair(base: Bottleneck, target: Patches, source: Patches, seed: int) -> Bottleneck:
    return for_two(base, target, source, PAIR_STEPS, seed)


# To change the person, the code must have less information about positions than that of mouth_texture: 4 x 4. Fewer
# than 20 pictures of one of the people are too few to train a decoder.
METHOD = Method(autoencoder, network=Network(WHOLE_FACE, side=4, channels=32, for_pair=_for_pair, min_pictures=20))
