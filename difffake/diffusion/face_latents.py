"""Latents of a batch's images and of the faces that they were made of."""

from typing import NamedTuple

import torch
from torch import Tensor

from difffake.data.batches import Batch, to_unit
from difffake.diffusion.latent_diffusion import LatentDiffusion


class FaceLatents(NamedTuple):
    """Latents of B images and of the faces that they were made of; a real face is its own source and target."""

    image: Tensor
    """(B, 4, h, w)."""
    source: Tensor
    """(B, 4, h, w), the inserted face's image; any value where unknown."""
    target: Tensor
    """(B, 4, h, w), the image that it was inserted into; any value where unknown."""
    known: Tensor
    """(B,) bool, whether source and target are known: only such images count."""


def face_latents(batch: Batch, diffusion: LatentDiffusion) -> FaceLatents:
    """Latents of image, source and target of each of B images: cached ones, and the rest encoded here."""
    known = batch["latents"]
    if len(batch["faces"]):
        known = torch.cat([known, diffusion.encode(to_unit(batch["faces"]))])
    image, source, target = batch["roles"].clamp(min=0).unbind(1)
    return FaceLatents(known[image], known[source], known[target], (batch["roles"] >= 0).all(dim=1))
