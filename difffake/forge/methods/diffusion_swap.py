"""Swap by inpainting with a diffusion model."""

import numpy as np

from difffake.diffusion.latent_diffusion import LatentDiffusion
from difffake.forge.method import Method
from difffake.forge.tools.face import FaceImage, Forged, Unfit, check, face_width
from difffake.forge.tools.redraw import redrawn, with_detail
from difffake.forge.tools.regions import blend, drawn_in, hull, soften
from difffake.forge.tools.tone import match_color, match_light
from difffake.forge.tools.warp import warped_onto


def diffusion_swap(
    target: FaceImage,
    source: FaceImage,
    rng: np.random.Generator,
    grain: np.random.Generator,
    diffusion: LatentDiffusion,
) -> Forged:
    """Warp the source's face onto the target's, match color and light, then redraw it with a diffusion model.

    It represents swaps by diffusion, such as DiffSwap (Zhao et al., CVPR 2023), which inpaint the source's face into
    the target. The model starts from the warped face with noise of medium `strength`. So the source's features stay,
    but texture, light and edge come from the model (`redrawn`). Traces: the texture of the VAE and of the model's size,
    the blending boundary.
    """
    check(target, source)
    parameters = {
        "inwards": rng.uniform(0.84, 0.94), "feather": rng.uniform(0.05, 0.1), "strength": rng.uniform(0.35, 0.55),
    }  # fmt: skip
    width = face_width(target.landmarks)
    region = hull(drawn_in(target.landmarks, parameters["inwards"]), target.image.shape)
    mask = soften(region, parameters["feather"] * width)
    if not (mask > 0.5).any():
        raise Unfit("no part of the face is in the image")
    face = match_color(warped_onto(source, target.landmarks, region), target.image, mask, 0.9)
    face = match_light(face, target.image, mask, 0.15 * width, 0.7)
    placed = blend(target.image, face, mask)
    drawn = redrawn(diffusion, placed, target.image, mask, parameters["strength"], rng)
    drawn = match_light(match_color(drawn, target.image, mask, 0.7), target.image, mask, 0.15 * width, 0.5)
    drawn = with_detail(drawn, target.image, mask, grain)
    return Forged(blend(target.image, drawn, mask), mask, target.landmarks, parameters)


METHOD = Method(diffusion_swap, diffusion=True)
