"""Batches of samples, and how they are collated."""

from collections.abc import Sequence
from typing import NotRequired, TypedDict

import numpy as np
import torch
from torch import Tensor

from difffake.faces.crops import resize_crops

Key = tuple[int, int]
"""Epoch and index of a sample. Samplers give both, so that every worker draws the same random numbers."""


class Batch(TypedDict):
    """A batch; the entries after `index` exist only if the data set has `Extras`."""

    image: Tensor
    """(B, 3, H, W) uint8 RGB; the training module converts it to floats in [0, 1] on the device."""
    label: Tensor
    """(B,) float, 0 real, 1 fake."""
    index: Tensor
    """(B,) int64, row of the manifest that the image comes from."""
    draws: NotRequired[dict[str, Tensor]]
    """Random numbers (B, ...) by name."""
    roles: NotRequired[Tensor]
    """(B, 3) int64: position of the image, its source and its target in `latents` followed by `faces`; -1 unknown."""
    latents: NotRequired[Tensor]
    """(L, c, h, w) float32, cached latents of faces."""
    faces: NotRequired[Tensor]
    """(F, 3, H, W) uint8, faces whose latents are not cached: mirrored like the image, without other augmentations."""
    arrays: NotRequired[dict[str, Tensor]]
    """Cached arrays (N, C, h, w) float32 by name, for the N images whose latents are cached."""


def to_tensors(images: Sequence[np.ndarray], size: int) -> Tensor:
    """Resize images (H, W, 3) uint8 and convert them to (N, 3, size, size) uint8, see `difffake.faces.crops`."""
    return torch.from_numpy(resize_crops(images, size))


def to_unit(images: Tensor) -> Tensor:
    """Convert images (B, 3, H, W) uint8 to float32 in [0, 1], on the same device.

    The memory layout is channels_last. With it, EfficientNets train about 1.6 times as fast on a CPU, and bf16
    convolutions on a GPU are faster too. Networks accept either layout.
    """
    return images.to(torch.float32, memory_format=torch.channels_last).div_(255)


def collate(samples: list[Batch]) -> Batch:
    """Make one batch from samples with one or two images each."""
    first = samples[0]
    batch = Batch(
        image=torch.cat([sample["image"] for sample in samples]),
        label=torch.cat([sample["label"] for sample in samples]),
        index=torch.cat([sample["index"] for sample in samples]),
    )
    if "draws" in first:
        batch["draws"] = {name: torch.cat([sample["draws"][name] for sample in samples]) for name in first["draws"]}
    if "roles" in first:
        batch["latents"] = torch.cat([sample["latents"] for sample in samples])
        batch["faces"] = torch.cat([sample["faces"] for sample in samples])
        batch["arrays"] = {name: torch.cat([sample["arrays"][name] for sample in samples]) for name in first["arrays"]}
        batch["roles"] = _joined_roles(samples, len(batch["latents"]))
    return batch


def _joined_roles(samples: list[Batch], latents: int) -> Tensor:
    """Roles of all samples as positions in the batch; a sample has either latents or faces."""
    ends, joined = [0, latents], []
    for sample in samples:
        has_faces = len(sample["faces"]) > 0
        joined.append(torch.where(sample["roles"] < 0, -1, sample["roles"] + ends[has_faces]))
        ends[has_faces] += len(sample["faces"] if has_faces else sample["latents"])
    return torch.cat(joined)
