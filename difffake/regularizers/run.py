"""The regularizers of a run together: what they need, and their losses on a batch."""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from difffake.data.batches import Batch
from difffake.data.extras import Draw
from difffake.diffusion.face_latents import FaceLatents, face_latents
from difffake.diffusion.latent_diffusion import LatentDiffusion
from difffake.diffusion.teacher import Teacher
from difffake.errors import UsageError
from difffake.models.detector import DetectorOutput
from difffake.models.encoder import Encoder
from difffake.regularizers.base import Factory, Loss, Regularizer, TaughtBatch, TeacherArray


class Regularizers(nn.ModuleDict):
    """The regularizers of a run by name, in the order of the config.

    Args:
        factories: what makes each of them; None leaves one out.
        encoder: the detector's.
        teacher: the frozen model of the run.

    Raises `UserError` for a name that cannot be part of a weight's name.
    """

    def __init__(self, factories: Mapping[str, Factory | None], encoder: Encoder, teacher: Teacher) -> None:
        if wrong := [name for name in factories if not name.isidentifier()]:
            raise UsageError(f"the regularizer's name {wrong[0]!r} must be made of letters, digits and _")
        super().__init__({name: make(encoder, teacher) for name, make in factories.items() if make})

    def each(self) -> Iterable[tuple[str, Regularizer]]:
        """Name and regularizer, with their type."""
        return [(name, part) for name, part in self.items() if isinstance(part, Regularizer)]

    @property
    def draws(self) -> dict[str, Draw]:
        """Random numbers of all of them, each named REGULARIZER.NAME."""
        return {f"{name}.{key}": draw for name, part in self.each() for key, draw in part.needs.draws.items()}

    @property
    def arrays(self) -> dict[str, TeacherArray]:
        """Teacher's arrays of all of them, each named REGULARIZER.NAME."""
        return {f"{name}.{key}": array for name, part in self.each() for key, array in part.needs.arrays.items()}

    @property
    def needs_partners(self) -> bool:
        """Whether any needs sources and targets."""
        return any(part.needs.partners for _, part in self.each())

    @property
    def needs_faces(self) -> bool:
        """Whether any needs a frozen model to see the images."""
        return any(part.needs.faces for _, part in self.each())

    def batches(self, batch: Batch, image: Tensor, teacher: Teacher) -> dict[str, TaughtBatch]:
        """What each regularizer sees of a batch with images (B, 3, H, W) in [0, 1].

        Latents and arrays that were not cached are computed here, once for all that need them.
        """
        latents = face_latents(batch, teacher.diffusion) if self.needs_faces else None
        found = {}
        for name, part in self.each():
            needs = part.needs
            arrays: dict[str, Tensor] = {}
            if latents:
                known = batch.get("arrays", {})
                arrays = {
                    key: _completed(batch, latents, known.get(f"{name}.{key}"), array, teacher.diffusion)
                    for key, array in needs.arrays.items()
                }
            draws = {key: batch["draws"][f"{name}.{key}"] for key in needs.draws}
            found[name] = TaughtBatch(image, batch["label"], latents if needs.faces else None, draws, arrays)
        return found

    def change_images(self, batches: Mapping[str, TaughtBatch], image: Tensor, teacher: Teacher) -> Tensor:
        """The images (B, 3, H, W) that the encoder shall see, after each regularizer had its turn."""
        for name, part in self.each():
            batches[name].image = image
            image = part.change_images(batches[name], teacher)
        for batch in batches.values():
            batch.image = image
        return image

    def losses(self, output: DetectorOutput, batches: Mapping[str, TaughtBatch], teacher: Teacher) -> dict[str, Loss]:
        """All losses, each named REGULARIZER_LOSS."""
        return {
            f"{name}_{key}": loss
            for name, part in self.each()
            for key, loss in part(output, batches[name], teacher).items()
        }


@torch.no_grad()
def _completed(
    batch: Batch, latents: FaceLatents, cached: Tensor | None, array: TeacherArray, diffusion: LatentDiffusion
) -> Tensor:
    """An array (B, C, h, w) of all images of a batch: cached, or else computed now."""
    image = latents.image
    if cached is None or not len(cached):
        return array.compute(diffusion, image)
    if len(cached) == len(image):
        return cached
    known = batch["roles"][:, 0] < len(batch["latents"])
    found = cached.new_empty(len(image), *cached.shape[1:])
    found[known] = cached
    found[~known] = array.compute(diffusion, image[~known])
    return found
