"""Filling caches with latents of faces, and with the noise that a frozen diffusion model predicts in them."""

from collections.abc import Callable

import torch
from torch import Tensor

from difffake.data.batches import to_unit
from difffake.data.datasets import CropDataset
from difffake.data.loading import loader
from difffake.data.manifest import Manifest
from difffake.diffusion.cache import SHARD, LatentCache
from difffake.diffusion.latent_diffusion import LatentDiffusion
from difffake.progress import track

_BATCH = 32
assert SHARD % _BATCH == 0, "a batch must not reach into the next shard"


def fill_cache(
    cache: LatentCache,
    manifest: Manifest,
    diffusion: LatentDiffusion,
    image_size: int,
    *,
    rank: int = 0,
    ranks: int = 1,
    workers: int = 2,
) -> None:
    """Encode the rows whose shards do not exist yet.

    Args:
        cache: cache to fill.
        manifest: its manifest.
        diffusion: model with the VAE.
        image_size: side of the images in pixels.
        rank: number of this rank, which does its share of the shards.
        ranks: number of ranks.
        workers: number of processes that load images; 0 loads them in this process.
    """
    shards = _share(cache, rank, ranks)
    keys = [(0, row) for shard in shards for row in shard]
    if not keys:
        return
    batches = loader(CropDataset(manifest, image_size), _BATCH, workers, keys)
    pending = iter(shards)
    shard, found = next(pending), []
    for batch in track(batches, f"latents of {manifest.table['dataset'].iloc[0]}", total=len(batches)):
        images = to_unit(batch["image"].to(diffusion.device, non_blocking=True))
        found.append(torch.stack([diffusion.encode(images), diffusion.encode(images.flip(3))], dim=1).cpu())
        if sum(map(len, found)) == len(shard):
            cache.write(shard, torch.cat(found))
            shard, found = next(pending, shard), []


def fill_from_latents(
    cache: LatentCache,
    latents: LatentCache,
    compute: Callable[[Tensor], Tensor],
    device: torch.device,
    description: str,
    *,
    rank: int = 0,
    ranks: int = 1,
) -> None:
    """Compute the missing shards of a cache from cached latents.

    Args:
        cache: cache to fill.
        latents: latents of the same rows.
        compute: function from latents (B, c, h, w) to arrays (B, C, h, w).
        device: device of the computation.
        description: name of the work on the progress line.
        rank: number of this rank, which does its share of the shards.
        ranks: number of ranks.
    """
    for shard in track(_share(cache, rank, ranks), f"{description}, by shard"):
        both = torch.stack([latents[row, mirrored] for row in shard for mirrored in (False, True)])
        found = torch.cat([compute(part.to(device)).cpu() for part in both.split(2 * _BATCH)])
        cache.write(shard, found.unflatten(0, (len(shard), 2)))


def _share(cache: LatentCache, rank: int, ranks: int) -> list[range]:
    """The missing shards of one rank."""
    # Shards are assigned by their number, not by their position among the missing ones: another rank may write already.
    return [shard for shard in cache.missing() if shard.start // SHARD % ranks == rank]
