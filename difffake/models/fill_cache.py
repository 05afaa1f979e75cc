"""Filling a cache of latents with a frozen diffusion model's VAE."""

import torch

from difffake.data.datasets import CropDataset, to_unit
from difffake.data.latent_cache import SHARD, LatentCache
from difffake.data.loading import loader
from difffake.data.manifest import Manifest
from difffake.models.latent_diffusion import LatentDiffusion
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
    # By a shard's number, not by its place among the missing ones: another rank may be writing already.
    shards = [shard for shard in cache.missing() if shard.start // SHARD % ranks == rank]
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
