"""Making of twins: real faces that an autoencoder rebuilds."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch

from difffake.data.batches import to_unit
from difffake.data.manifest import Manifest
from difffake.data.packed import read_crop
from difffake.data.pseudo.config import PseudoConfig
from difffake.data.pseudo.families import to_size
from difffake.data.pseudo.twin_cache import TwinCache, write_twin
from difffake.diffusion.autoencoder import Autoencoder, bfloat16_is_fast
from difffake.diffusion.cache import faces_digest
from difffake.diffusion.fingerprint import fingerprint
from difffake.diffusion.load import load_autoencoder
from difffake.diffusion.taef2 import Taef2
from difffake.files import staged_file, text_hash
from difffake.progress import track

_BATCH = 16
_AROUND = 8
"""Pixels by which an image is mirrored at each edge."""
_SMOOTH = 1 / 8
"""Standard deviation of the smoothing of colors, as a share of the side."""
_MOST_DETAIL = 4.0
"""Largest factor by which the fine part of a twin is enlarged."""


def make_twins(
    manifests: Sequence[Manifest], config: PseudoConfig, device: torch.device, *, rank: int = 0, ranks: int = 1
) -> TwinCache:
    """Make the twins of all real faces that are not stored yet. Several ranks, or several runs, may do so together.

    Args:
        manifests: rows whose real faces need a twin, each manifest with its own folder.
        config: autoencoder, sizes and folder of the twins.
        device: device of the autoencoder.
        rank: number of this rank, which does its share of the faces.
        ranks: number of ranks.

    Raises:
        UserError: the autoencoder cannot be loaded, a crop cannot be read, or nothing can be written.
    """
    model = load_autoencoder(config.autoencoder).to(device)
    folders = [Path(config.twin_folder or manifest.root / "twins") for manifest in manifests]
    cache = TwinCache(folders, fingerprint(model.state_dict())[:12], config.twin_sizes)
    for manifest, place in zip(manifests, folders, strict=True):
        real = manifest.select(label=0)
        share = real.where(np.arange(len(real)) % ranks == rank)
        folder = place / cache.folders[0].name
        # With the note, a later run need not read all crops to see that nothing is missing.
        note = folder / f"done-{text_hash(f'{faces_digest(share)} {cache.sizes}')[:16]}"
        if note.is_file() or not len(share):
            continue
        _fill(cache, folder, share, model, device)
        with staged_file(note) as partial:
            partial.touch()
    return cache


def _fill(cache: TwinCache, folder: Path, faces: Manifest, model: Autoencoder | Taef2, device: torch.device) -> None:
    waiting: defaultdict[int, list[tuple[str, np.ndarray]]] = defaultdict(list)

    def finish(size: int) -> None:
        names, images = zip(*waiting.pop(size), strict=True)
        for name, image, twin in zip(names, images, rebuilt(model, np.stack(images), device), strict=True):
            write_twin(folder, name, made_alike(twin, image))

    for row in track(range(len(faces)), f"twins of {faces.table['dataset'].iloc[0]}", total=len(faces)):
        crop = read_crop(faces.file(row))
        name, size = cache.name(crop)
        if (folder / name).is_file():
            continue
        waiting[size].append((name, to_size(crop, size)))
        if len(waiting[size]) == _BATCH:
            finish(size)
    for size in list(waiting):
        finish(size)


@torch.inference_mode()
def rebuilt(model: Autoencoder | Taef2, images: np.ndarray, device: torch.device) -> np.ndarray:
    """Encode and decode images (N, S, S, 3) uint8, in bfloat16 if the model allows it and the device is fast in it.

    Sides are multiples of the model's number of pixels per latent position. Images are mirrored at their edges for it:
    along the edge of what it sees, an autoencoder is brighter or darker.
    """
    around = ((0, 0), (_AROUND, _AROUND), (_AROUND, _AROUND), (0, 0))
    batch = to_unit(torch.from_numpy(np.pad(images, around, "reflect")).permute(0, 3, 1, 2).to(device))
    with torch.autocast(device.type, torch.bfloat16, enabled=model.half_precision and bfloat16_is_fast(device)):
        found = model.decode(model.encode(batch))[:, :, _AROUND:-_AROUND, _AROUND:-_AROUND]
    return (255 * found.float()).round().byte().permute(0, 2, 3, 1).cpu().numpy()


def made_alike(twin: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Give a twin the colors and the amount of detail of its image (both (S, S, 3) uint8).

    An autoencoder shifts colors by a level or two and loses detail. That alone would tell a twin, and so would the size
    of its file; a detector would look no further. Colors are matched smoothly, and detail on average.
    """
    original, found = image.astype(np.float32), twin.astype(np.float32)
    found += cv2.GaussianBlur(original - found, (0, 0), _SMOOTH * len(image))
    coarse = cv2.GaussianBlur(found, (0, 0), 1.0)
    fine, wanted = found - coarse, _detail(original)
    low, high = 0.0, _MOST_DETAIL
    for _ in range(12):
        middle = (low + high) / 2
        low, high = (middle, high) if _detail(coarse + middle * fine) < wanted else (low, middle)
    return np.clip(np.rint(coarse + low * fine), 0, 255).astype(np.uint8)


def _detail(image: np.ndarray) -> float:
    """Mean absolute Laplacian of an image (S, S, 3) float32."""
    return float(np.abs(cv2.Laplacian(np.clip(image, 0, 255).mean(axis=2), cv2.CV_32F)).mean())


class TwinMaker:
    """Makes twins when they are asked for and stores none: `maker(crop)` is a twin (S, S, 3) uint8.

    Args:
        config: autoencoder and sizes.
        device: device of the autoencoder.
    """

    def __init__(self, config: PseudoConfig, device: torch.device) -> None:
        self.model = load_autoencoder(config.autoencoder).to(device)
        self.cache = TwinCache([], "", config.twin_sizes)
        self.device = device

    def __call__(self, crop: np.ndarray) -> np.ndarray:
        """The twin of a crop (H, W, 3) uint8."""
        image = to_size(crop, self.cache.name(crop)[1])
        return made_alike(rebuilt(self.model, image[None], self.device)[0], image)
