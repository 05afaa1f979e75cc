"""Latents of a batch's images and of their sources and targets."""

from typing import NamedTuple

import torch
from torch import Tensor

from difffake.data.batches import Batch, to_unit
from difffake.diffusion.latent_diffusion import LatentDiffusion


class FaceLatents(NamedTuple):
    """Latents of B images and of their sources and targets; a real face is its own source and target."""

    image: Tensor
    """(B, 4, h, w)."""
    source: Tensor
    """(B, 4, h, w), image of the inserted face; undefined if unknown."""
    target: Tensor
    """(B, 4, h, w), image that it was inserted into; undefined if unknown."""
    known: Tensor
    """(B,) bool: whether source and target are known. Losses use only such images."""


def face_latents(batch: Batch, diffusion: LatentDiffusion) -> FaceLatents:
    """Latents of image, source and target for B images; latents that are not cached are computed here."""
    known = batch["latents"]
    if len(batch["faces"]):
        known = torch.cat([known, diffusion.encode(to_unit(batch["faces"]))])
    image, source, target = batch["roles"].clamp(min=0).unbind(1)
    return FaceLatents(known[image], known[source], known[target], (batch["roles"] >= 0).all(dim=1))
