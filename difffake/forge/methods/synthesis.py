"""A synthetic face of no real person, drawn by a diffusion model."""

import numpy as np

from difffake.diffusion.latent_diffusion import LatentDiffusion
from difffake.forge.method import Method
from difffake.forge.tools.face import FaceImage, Forged, Unfit, check, face_width
from difffake.forge.tools.redraw import redrawn, with_detail
from difffake.forge.tools.regions import blend, hull, soften, with_forehead
from difffake.forge.tools.tone import match_color


def synthesis(
    target: FaceImage,
    source: FaceImage,
    rng: np.random.Generator,
    grain: np.random.Generator,
    diffusion: LatentDiffusion,
) -> Forged:
    """Redraw the target's face and forehead with a diffusion model, from so much noise that the identity is lost.

    It represents fully synthetic faces (StyleGAN, Karras et al., CVPR 2019; diffusion models). They are put into a
    photograph as in the other methods, so that background and hair give no cue. With noise of such `strength`, only the
    position and lighting of the face remain (SDEdit, Meng et al., ICLR 2022); around it, the model sees the target
    (`redrawn`). No source is used. Traces: the texture of the VAE and of the model's size, inconsistent features, the
    blending boundary.
    """
    check(target)
    parameters = {
        "inwards": rng.uniform(0.92, 1.0), "feather": rng.uniform(0.06, 0.1), "strength": rng.uniform(0.75, 0.85),
    }  # fmt: skip
    width = face_width(target.landmarks)
    region = hull(with_forehead(target.landmarks, parameters["inwards"]), target.image.shape)
    mask = soften(region, parameters["feather"] * width)
    if not (mask > 0.5).any():
        raise Unfit("no part of the face is in the image")
    drawn = redrawn(diffusion, target.image, target.image, mask, parameters["strength"], rng)
    drawn = with_detail(match_color(drawn, target.image, mask, 0.5), target.image, mask, grain)
    return Forged(blend(target.image, drawn, mask), mask, target.landmarks, parameters)


METHOD = Method(synthesis, sourceless=True, diffusion=True)
