"""Preparing a run's data for a frozen diffusion model: sources and targets, and what can be computed once."""

from dataclasses import replace

import lightning
import numpy as np
from torch import Tensor

from difffake.data.datasets import LatentSpec
from difffake.data.manifest import Manifest
from difffake.diffusion.cache import LatentCache, LatentStore
from difffake.diffusion.fill import fill_cache, fill_from_latents
from difffake.diffusion.latent_diffusion import LatentDiffusion
from difffake.progress import console
from difffake.regularizers.noise_learning.noise_learning import NoiseLearningConfig
from difffake.regularizers.noise_learning.teacher import teacher_key, teacher_noise
from difffake.training.datamodule import FaceData


def teach(
    data: FaceData,
    diffusion: LatentDiffusion,
    trainer: lightning.Trainer,
    *,
    guided: bool,
    noise: NoiseLearningConfig | None = None,
) -> None:
    """Let `data` give what a guide (`guided`) and noise learning want of each face.

    Latents, and what the frozen model predicts in them, are computed here unless they are cached already, on all ranks
    together.
    """
    spec = LatentSpec(data.partners() if guided else None, diffusion.channels, diffusion.scale, diffusion.steps)
    spec = replace(spec, image_noise=noise is not None and noise.noise_source == "injected")
    data.teach(spec)  # refuses images of another size before any is encoded
    if spec.partners and trainer.global_rank == 0:
        _report(data, spec.partners.known)
    caches = _shared_caches(data, trainer, diffusion.vae_fingerprint)
    ranks = {"rank": trainer.global_rank, "ranks": trainer.world_size}
    for manifest, cache in caches:
        fill_cache(cache, manifest, diffusion, data.image_size, workers=data.workers, **ranks)
    trainer.strategy.barrier()
    spec = replace(spec, cached=LatentStore(caches) if caches else None)
    if noise and caches and not spec.image_noise:
        settings = noise

        def predicted(latents: Tensor) -> Tensor:
            return teacher_noise(diffusion, latents, settings).flatten(1, 2)

        found = _shared_caches(data, trainer, teacher_key(diffusion, noise), "noise")
        for (_, latents), (_, cache) in zip(caches, found, strict=True):
            fill_from_latents(cache, latents, predicted, diffusion.device, **ranks)
        trainer.strategy.barrier()
        spec = replace(spec, teacher=LatentStore(found))
    data.teach(spec)


def _shared_caches(
    data: FaceData, trainer: lightning.Trainer, model: str, name: str = ""
) -> list[tuple[Manifest, LatentCache]]:
    """The caches of all manifests; the first rank makes or refuses them before the others look."""
    if trainer.global_rank == 0:
        data.caches(model, name)
    trainer.strategy.barrier()
    return data.caches(model, name)


def _report(data: FaceData, known: np.ndarray) -> None:
    """Say how many fakes cannot be used by the guide."""
    fake = data.training_set().manifest.table["label"].to_numpy() == 1
    if data.fakes != "pseudo" and (unknown := int((fake & ~known).sum())):
        console.print(
            f"{unknown} of {int(fake.sum())} training fakes have no source or no target among the real faces: "
            "they are used for classification only"
        )
