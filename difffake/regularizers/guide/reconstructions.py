"""Sources and targets that the frozen model and a guide reconstruct from the detector's features of faces."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from difffake.data.batches import to_tensors, to_unit
from difffake.data.manifest import Manifest
from difffake.data.partners import Partners
from difffake.diffusion.latent_diffusion import LatentDiffusion
from difffake.diffusion.sampling import ddim_sample, ddim_steps
from difffake.faces.images import read_image
from difffake.models.detector import Detector
from difffake.randomness import generator
from difffake.readers.item import REAL
from difffake.regularizers.guide.guide import Conditions, Guide

_NOISE = 1  # key of random numbers; key 0 is used for the choice of faces


@dataclass(frozen=True)
class Faces:
    """F images and the faces that they were made from; a real face is its own source and target."""

    names: list[str]
    """(F,), the manipulation; "real" for a real face."""
    image: Tensor
    """(F, 3, H, W) uint8."""
    source: Tensor
    """(F, 3, H, W) uint8."""
    target: Tensor
    """(F, 3, H, W) uint8."""


@dataclass(frozen=True)
class Reconstructions:
    """Reconstructions of F faces from N noises; all tensors are on the CPU."""

    faces: Faces
    distance: list[float]
    """(F,), see `feature_distance`."""
    source_weight: list[float]
    """(F,), W_s."""
    target_weight: list[float]
    """(F,), W_t."""
    source: Tensor
    """(F, N, 3, H, W) uint8, the source reconstructed from each noise."""
    target: Tensor
    """(F, N, 3, H, W) uint8, the target reconstructed from the same noises."""


def read_faces(manifest: Manifest, partners: Partners, rows: list[int], image_size: int) -> Faces:
    """Read the images, sources and targets of `rows` as `CropDataset` does; the partners must be known."""

    def stacked(which: list[int]) -> Tensor:
        return to_tensors([read_image(manifest.file(row)) for row in which], image_size)

    names = [REAL if manifest.table["label"].iat[row] == 0 else str(manifest.table["method"].iat[row]) for row in rows]
    source, target = ([int(found[row]) for row in rows] for found in partners)
    return Faces(names, stacked(rows), stacked(source), stacked(target))


def feature_distance(found: Conditions) -> Tensor:
    """||f_s - f_t|| (B,): the Euclidean norm over all channels and positions, as in the paper.

    It grows with the square root of their number, so it compares faces of one detector, but not different detectors.
    """
    return (found.source.float() - found.target.float()).flatten(1).norm(dim=1)


def start_noise(diffusion: LatentDiffusion, side: int, noises: int, seed: int) -> Tensor:
    """Pure noise (noises, 4, side, side). Each noise depends on the seed and its number only."""
    shape = (diffusion.channels, side, side)
    drawn = [generator(seed, _NOISE, number).standard_normal(shape, np.float32) for number in range(noises)]
    return torch.from_numpy(np.stack(drawn))


@torch.no_grad()
def rebuild(
    detector: Detector,
    guide: Guide,
    diffusion: LatentDiffusion,
    faces: Faces,
    *,
    noises: int,
    steps: int,
    seed: int,
    batch_size: int = 32,
) -> Reconstructions:
    """Reconstruct source and target of each face with DDIM from pure noise, guided by the image's features only.

    All faces and both branches start from the same noises, so differences come from the features. Put the networks
    into eval mode before.

    Args:
        detector: the detector that computes the features.
        guide: its guide.
        diffusion: the frozen model.
        faces: faces to reconstruct.
        noises: number N of noises.
        steps: number of DDIM steps.
        seed: random seed of the noises.
        batch_size: latents per batch.
    """
    device = diffusion.device
    features = detector(to_unit(faces.image.to(device))).features
    side = faces.image.shape[2] // diffusion.scale
    found = guide.conditions(features, (side, side))
    noise = start_noise(diffusion, side, noises, seed).to(device)

    # One long batch, ordered by branch, then face, then noise.
    condition = torch.cat([found.source, found.target]).repeat_interleave(noises, dim=0)
    weight = torch.cat([found.source_weight, found.target_weight]).repeat_interleave(noises)
    parts = zip(
        noise.repeat(2 * len(features), 1, 1, 1).split(batch_size),
        condition.split(batch_size),
        weight.split(batch_size),
        strict=True,
    )
    schedule = ddim_steps(diffusion, steps)
    images = []
    for start, own_condition, own_weight in parts:
        predict = partial(guide.predict_noise, diffusion, condition=own_condition, weight=own_weight)
        clean = ddim_sample(diffusion, start, predict, schedule)
        images.append((diffusion.decode(clean) * 255).round().byte().cpu())
    source, target = torch.cat(images).unflatten(0, (2, len(features), noises)).unbind(0)
    return Reconstructions(
        faces,
        feature_distance(found).tolist(),
        found.source_weight.float().tolist(),
        found.target_weight.float().tolist(),
        source,
        target,
    )
