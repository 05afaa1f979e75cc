"""Training of a small diffusion model in the latent space of TAEF2: only the U-Net is trained."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from difffake.data.manifest import Manifest
from difffake.diffusion.autoencoder import StandardTaef2
from difffake.diffusion.cache import LatentCache
from difffake.diffusion.fill import fill_cache
from difffake.diffusion.latent_diffusion import LatentDiffusion
from difffake.diffusion.pretrain import MAX_FACES, Settings, finish, load_faces, train_unet
from difffake.diffusion.taef2 import load_taef2
from difffake.diffusion.tiny import tiny_prompt, tiny_scheduler, tiny_unet
from difffake.files import text_hash
from difffake.randomness import generator

WIDTH = 96
"""Of the U-Net, twice that of the small model: the latents have eight times as many channels."""


def pretrain_taef2(
    faces: Sequence[Manifest], held_out: Manifest, settings: Settings, folder: Path, latents: Path | None, workers: int
) -> int:
    """Train the U-Net and write the model to `folder` in diffusers' layout, with samples.png.

    The latents of each face, and of its mirror image, are computed once. Each of their channels gets mean 0 and
    variance 1 over the training faces; the model contains the numbers.

    Args:
        faces: training faces, each manifest with its own folder.
        held_out: faces to measure the model on; there may be none.
        settings: settings of the training.
        folder: folder for vae/, unet/, scheduler/, samples.png and training.json.
        latents: folder for cached latents; None for latents/ beside each manifest.
        workers: processes that load images.

    Returns:
        Number of training faces.

    Raises:
        UserError: TAEF2 cannot be loaded, or a cache has latents of other faces.
    """
    taef2, side = load_taef2(), settings.image_size // 8
    unet = tiny_unet(taef2.channels, side, WIDTH)
    plain = LatentDiffusion(StandardTaef2(taef2), unet, tiny_scheduler(), tiny_prompt()).to(settings.device)
    clean = _sample([_cache(part, plain, settings.image_size, latents, workers) for part in faces], settings.seed)
    deviation, mean = torch.std_mean(clean, dim=(0, 2, 3))
    clean.sub_(mean.view(1, -1, 1, 1)).div_(deviation.view(1, -1, 1, 1))
    own = LatentDiffusion(StandardTaef2(taef2, mean, deviation), unet, tiny_scheduler(), tiny_prompt())
    train_unet(folder, own.to(settings.device), clean, settings)
    measured = len(held_out) > 0
    some = held_out if measured else faces[0].where(np.arange(len(faces[0])) < 8)
    shown = load_faces(some, settings.image_size, settings.seed, "held-out" if measured else "some")
    finish(folder, own, shown, settings, len(clean) // 2, measured)
    return len(clean) // 2


def _cache(
    faces: Manifest, diffusion: LatentDiffusion, image_size: int, latents: Path | None, workers: int
) -> LatentCache:
    """Latents of all faces of a manifest."""
    name = f"{diffusion.vae_fingerprint[:8]}-{image_size}"
    root = faces.root.resolve()  # folders of the same name in two places are not the same faces
    place = root / "latents" / "pretrain" if latents is None else latents / f"{root.name}-{text_hash(str(root))[:8]}"
    cache = LatentCache(place / name, faces, diffusion.vae_fingerprint, image_size)
    fill_cache(cache, faces, diffusion, image_size, workers=workers)
    return cache


def _sample(caches: Sequence[LatentCache], seed: int) -> Tensor:
    """Latents (2 N, 32, h, w) of at most `MAX_FACES` random faces, each followed by that of its mirror image."""
    places = [(cache, row) for cache in caches for row in range(cache.length)]
    kept = sorted(generator(seed).permutation(len(places))[:MAX_FACES].tolist())
    return torch.stack([places[i][0][places[i][1], mirrored] for i in kept for mirrored in (False, True)])
