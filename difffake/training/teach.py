"""Preparing a run's data for a frozen diffusion model: sources and targets, and cached latents."""

from dataclasses import replace

import lightning
import numpy as np

from difffake.data.datamodule import FaceData
from difffake.data.datasets import LatentSpec
from difffake.data.latent_cache import LatentStore
from difffake.models.fill_cache import fill_cache
from difffake.models.latent_diffusion import LatentDiffusion
from difffake.progress import console


def teach(data: FaceData, diffusion: LatentDiffusion, trainer: lightning.Trainer) -> None:
    """Let `data` give what `diffusion` needs; latents that are not cached yet are computed, on all ranks together."""
    spec = LatentSpec(data.partners(), diffusion.channels, diffusion.scale, diffusion.steps)
    data.teach(spec)  # refuses images of another size before any is encoded
    if trainer.global_rank == 0:
        _report(data, spec.partners.known)
        data.caches(diffusion.vae_fingerprint)  # made, or refused, before the others look
    trainer.strategy.barrier()
    caches = data.caches(diffusion.vae_fingerprint)
    ranks = {"rank": trainer.global_rank, "ranks": trainer.world_size}
    for manifest, cache in caches:
        fill_cache(cache, manifest, diffusion, data.image_size, workers=data.workers, **ranks)
    trainer.strategy.barrier()
    data.teach(replace(spec, cached=LatentStore(caches) if caches else None))


def _report(data: FaceData, known: np.ndarray) -> None:
    """Say how many fakes cannot be used by the guide."""
    fake = data.training_set().manifest.table["label"].to_numpy() == 1
    if data.fakes != "pseudo" and (unknown := int((fake & ~known).sum())):
        console.print(
            f"{unknown} of {int(fake.sum())} training fakes have no source or no target among the real faces: "
            "they are used for classification only"
        )
