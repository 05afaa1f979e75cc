"""Latents of a batch's images and of the faces that they were made of."""

import torch

from difffake.data.datasets import Batch, to_unit
from difffake.diffusion.latent_diffusion import LatentDiffusion
from difffake.regularizers.guide.guide import FaceLatents


def face_latents(batch: Batch, diffusion: LatentDiffusion) -> FaceLatents:
    """Latents of image, source and target of each of B images: cached ones, and the rest encoded here."""
    known = batch["latents"]
    if len(batch["faces"]):
        known = torch.cat([known, diffusion.encode(to_unit(batch["faces"]))])
    image, source, target = batch["roles"].clamp(min=0).unbind(1)
    return FaceLatents(known[image], known[source], known[target], (batch["roles"] >= 0).all(dim=1))
