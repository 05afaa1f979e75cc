"""The faces of a sample that a frozen diffusion model processes: the images, their sources and their targets."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from difffake.data.batches import Batch, to_tensors
from difffake.data.extras import FaceExtras
from difffake.data.manifest import Manifest
from difffake.data.packed import read_crop


def add_faces_of_rows(
    sample: Batch, wanted: FaceExtras, manifest: Manifest, rows: Sequence[int], image_size: int, mirrored: bool
) -> None:
    """Add latents, faces, arrays and roles for images that are rows of a manifest; each face is added once.

    Args:
        sample: sample of the images, changed in place.
        wanted: which of these the regularizers need.
        manifest: manifest of the rows and their partners.
        rows: row of each image.
        image_size: side of the images in pixels.
        mirrored: whether the faces are mirrored.
    """
    empty(sample, wanted, image_size)
    names = [manifest.file(row).as_posix() for row in rows]
    sample["arrays"] = {
        array: torch.stack([store[name, mirrored] for name in names]) for array, store in wanted.arrays.items()
    }
    label = manifest.table["label"].to_numpy()
    triples = []
    for row in rows:
        source = target = row if label[row] == 0 else -1
        if wanted.partners:
            source, target = int(wanted.partners.source[row]), int(wanted.partners.target[row])
        triples.append((row, source, target))
    needed = list(dict.fromkeys(row for row in (*rows, *(other for triple in triples for other in triple)) if row >= 0))
    place = {row: number for number, row in enumerate(needed)} | {-1: -1}
    sample["roles"] = torch.tensor([[place[row] for row in triple] for triple in triples])
    if wanted.latents:
        sample["latents"] = torch.stack([wanted.latents[manifest.file(row).as_posix(), mirrored] for row in needed])
    else:
        sample["faces"] = stacked([read_crop(manifest.file(row)) for row in needed], image_size, mirrored)


def empty(sample: Batch, wanted: FaceExtras, image_size: int) -> None:
    """Give a sample no latents, faces and arrays yet."""
    side = image_size // wanted.scale
    sample["latents"] = torch.empty(0, wanted.channels, side, side)
    sample["faces"] = torch.empty(0, 3, image_size, image_size, dtype=torch.uint8)
    sample["arrays"] = {name: torch.empty(0, *store.shape) for name, store in wanted.arrays.items()}


def stacked(images: list[np.ndarray], image_size: int, mirrored: bool) -> Tensor:
    """Images (N, 3, image_size, image_size) uint8, mirrored if asked for."""
    tensors = to_tensors(images, image_size)
    return tensors.flip(3) if mirrored else tensors
