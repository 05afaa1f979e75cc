"""The arrays that regularizers need in each sample: computed before training where possible, and cached."""

from dataclasses import replace
from functools import partial

import lightning
import numpy as np

from difffake.data.extras import Extras, FaceExtras
from difffake.data.manifest import Manifest
from difffake.diffusion.cache import LatentCache, LatentStore
from difffake.diffusion.fill import fill_cache, fill_from_latents
from difffake.diffusion.teacher import Teacher
from difffake.diffusion.twins import make_twins
from difffake.errors import UserError
from difffake.files import text_hash
from difffake.progress import console
from difffake.regularizers.run import Regularizers
from difffake.training.datamodule import FaceData


def provide_extras(data: FaceData, regularizers: Regularizers, teacher: Teacher, trainer: lightning.Trainer) -> None:
    """Add to `data` what the regularizers need for each face.

    Latents and outputs of the frozen model are computed here, by all ranks together, unless they are cached already.
    """
    if not regularizers.needs_faces:
        data.extras = Extras(regularizers.draws)
        return
    diffusion = teacher.diffusion
    if data.image_size % diffusion.scale:
        raise UserError(
            f"--model.image_size {data.image_size} must be a multiple of {diffusion.scale}, for the diffusion model"
        )
    faces = FaceExtras(diffusion.channels, diffusion.scale, data.partners() if regularizers.needs_partners else None)
    if faces.partners and trainer.global_rank == 0:
        _report(data, faces.partners.known)
    caches = _shared_caches(data, trainer, diffusion.vae_fingerprint)
    ranks = {"rank": trainer.global_rank, "ranks": trainer.world_size}
    for manifest, cache in caches:
        fill_cache(cache, manifest, diffusion, data.image_size, workers=data.workers, **ranks)
    trainer.strategy.barrier()
    faces = replace(faces, latents=LatentStore(caches) if caches else None)
    stores = {}
    for name, array in regularizers.arrays.items() if caches else ():
        found = _shared_caches(data, trainer, text_hash(f"{teacher.fingerprint} {array.settings}"), name)
        for (_, latents), (_, cache) in zip(caches, found, strict=True):
            fill_from_latents(cache, latents, partial(array.compute, diffusion), diffusion.device, name, **ranks)
        trainer.strategy.barrier()
        stores[name] = LatentStore(found)
    data.extras = Extras(regularizers.draws, replace(faces, arrays=stores))


def provide_twins(data: FaceData, trainer: lightning.Trainer) -> None:
    """Make the twins that pseudo-deepfakes need, by all ranks together, unless they are stored already."""
    if data.fakes == "manifest" or not data.pseudo.needs_twins:
        return
    rows = [manifest.where((manifest.table["split"] != "test").to_numpy()) for manifest in data.chosen]
    ranks = {"rank": trainer.global_rank, "ranks": trainer.world_size}
    data.twins = make_twins(rows, data.pseudo, trainer.strategy.root_device, **ranks)
    trainer.strategy.barrier()


def _shared_caches(
    data: FaceData, trainer: lightning.Trainer, model: str, name: str = ""
) -> list[tuple[Manifest, LatentCache]]:
    """The caches of all manifests. The first rank creates or refuses them before the other ranks open them."""
    if trainer.global_rank == 0:
        data.caches(model, name)
    trainer.strategy.barrier()
    return data.caches(model, name)


def _report(data: FaceData, known: np.ndarray) -> None:
    """Print how many fakes have no source or target, and so are used for classification only."""
    fake = data.training_set().manifest.table["label"].to_numpy() == 1
    if data.fakes != "pseudo" and (unknown := int((fake & ~known).sum())):
        console.print(
            f"{unknown} of {int(fake.sum())} training fakes have no source or no target among the real faces: "
            "they are used for classification only"
        )
