"""Filling caches with what a frozen diffusion model says of faces: their latents, and the noise in these."""

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
    """Encode the rows of `manifest` whose shards the cache lacks; each of several ranks does its share of them."""
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
    """Fill `cache` with what `compute` makes (B, C, h, w) of the cached latents (B, c, h, w) of the same rows.

    Each of several ranks does its share of the missing shards; `description` names the work on the progress line.
    """
    for shard in track(_share(cache, rank, ranks), f"{description}, by shard"):
        both = torch.stack([latents[row, mirrored] for row in shard for mirrored in (False, True)])
        found = torch.cat([compute(part.to(device)).cpu() for part in both.split(2 * _BATCH)])
        cache.write(shard, found.unflatten(0, (len(shard), 2)))


def _share(cache: LatentCache, rank: int, ranks: int) -> list[range]:
    """The missing shards of one rank."""
    # By a shard's number, not by its place among the missing ones: another rank may be writing already.
    return [shard for shard in cache.missing() if shard.start // SHARD % ranks == rank]
