"""All regularizers of a run: their needs, and their losses on a batch."""

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
        factories: class or function by name that makes the regularizer; None leaves the regularizer out.
        encoder: the detector's encoder.
        teacher: the frozen model of the run.

    Raises `UserError` if a name has characters other than letters, digits and _.
    """

    def __init__(self, factories: Mapping[str, Factory | None], encoder: Encoder, teacher: Teacher) -> None:
        if wrong := [name for name in factories if not name.isidentifier()]:
            raise UsageError(f"the regularizer's name {wrong[0]!r} must be made of letters, digits and _")
        super().__init__({name: make(encoder, teacher) for name, make in factories.items() if make})

    def each(self) -> Iterable[tuple[str, Regularizer]]:
        """Names and regularizers, as `items` gives them, but with the type `Regularizer`."""
        return [(name, part) for name, part in self.items() if isinstance(part, Regularizer)]

    @property
    def draws(self) -> dict[str, Draw]:
        """The random numbers that the regularizers need, each named REGULARIZER.NAME."""
        return {f"{name}.{key}": draw for name, part in self.each() for key, draw in part.needs.draws.items()}

    @property
    def arrays(self) -> dict[str, TeacherArray]:
        """The outputs of the frozen model that the regularizers need, each named REGULARIZER.NAME."""
        return {f"{name}.{key}": array for name, part in self.each() for key, array in part.needs.arrays.items()}

    @property
    def needs_partners(self) -> bool:
        """Whether any regularizer needs sources and targets."""
        return any(part.needs.partners for _, part in self.each())

    @property
    def needs_faces(self) -> bool:
        """Whether any regularizer needs latents or other outputs of the frozen model."""
        return any(part.needs.faces for _, part in self.each())

    def batches(self, batch: Batch, image: Tensor, teacher: Teacher) -> dict[str, TaughtBatch]:
        """The batch of each regularizer by name, for images (B, 3, H, W) in [0, 1].

        Latents and arrays that were not cached are computed here, once for all regularizers that need them.
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
        """Let each regularizer in turn change the images (B, 3, H, W) before the encoder."""
        for name, part in self.each():
            batches[name].image = image
            image = part.change_images(batches[name], teacher)
        for batch in batches.values():
            batch.image = image
        return image

    def losses(self, output: DetectorOutput, batches: Mapping[str, TaughtBatch], teacher: Teacher) -> dict[str, Loss]:
        """The losses of all regularizers, each named REGULARIZER_LOSS."""
        return {
            f"{name}_{key}": loss
            for name, part in self.each()
            for key, loss in part(output, batches[name], teacher).items()
        }


@torch.no_grad()
def _completed(
    batch: Batch, latents: FaceLatents, cached: Tensor | None, array: TeacherArray, diffusion: LatentDiffusion
) -> Tensor:
    """An array (B, C, h, w) of all images of a batch; rows that were not cached are computed."""
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
