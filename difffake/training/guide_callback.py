"""A callback that draws what the guide reconstructs during training."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import WandbLogger
from torch import nn

from difffake.data.credits import credit
from difffake.data.datasets import PairDataset
from difffake.data.extras import Extras, FaceExtras
from difffake.data.faces_to_draw import choose_rows
from difffake.data.partners import find_partners
from difffake.data.records import exact_partners
from difffake.diffusion.latent_diffusion import LatentDiffusion
from difffake.errors import UsageError, UserError
from difffake.plots import save_figure
from difffake.progress import console
from difffake.readers.item import REAL
from difffake.regularizers.guide.guide import Guide
from difffake.regularizers.guide.reconstruction_figure import RECONSTRUCTIONS, reconstruction_figure
from difffake.regularizers.guide.reconstructions import Faces, read_faces, rebuild
from difffake.training.datamodule import FaceData
from difffake.training.module import DetectorTraining


class GuideFigures(Callback):
    """Draws the source and target that the guide reconstructs for a few validation faces, always the same faces.

    A picture is written after the validation of every n-th epoch and at the end of training, as
    RUN/figures/reconstructions-epoch-NNN.png, where NNN is the number of trained epochs. A WandbLogger gets the same
    picture. The callback does not change the result of training. In a config:
    `trainer.callbacks: [{class_path: difffake.training.guide_callback.GuideFigures}]`.

    Args:
        every_n_epochs: number of epochs from one picture to the next.
        faces: number of fakes to draw; one real face is added.
        noises: number of noises from which source and target are reconstructed.
        steps: number of sampling steps; more steps take longer.
    """

    def __init__(self, every_n_epochs: int = 5, faces: int = 4, noises: int = 2, steps: int = 20) -> None:
        if min(every_n_epochs, faces, noises, steps) < 1:
            raise UsageError("GuideFigures: every_n_epochs, faces, noises and steps must be at least 1")
        self.every_n_epochs = every_n_epochs
        self.count = faces
        self.noises = noises
        self.steps = steps
        self._faces: Faces | None = None
        self._drawn = -1  # number of epochs that were trained when the last picture was drawn

    def setup(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        """Refuse a run without a guide before it starts."""
        if not (isinstance(pl_module, DetectorTraining) and _guide(pl_module)):
            raise UserError("GuideFigures needs a guide: add --model.regularizers.guide Guide, or remove GuideFigures")

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Draw after every n-th epoch."""
        trained = trainer.current_epoch + 1
        if not trainer.sanity_checking and trained % self.every_n_epochs == 0:
            self._draw(trainer, pl_module, trained)

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Draw the final state, unless this was done after the last validation."""
        if trainer.current_epoch != self._drawn:
            self._draw(trainer, pl_module, trainer.current_epoch)

    def _draw(self, trainer: lightning.Trainer, module: lightning.LightningModule, trained: int) -> None:
        data = trainer.datamodule  # type: ignore[attr-defined]  # set when fitting with a data module
        assert isinstance(module, DetectorTraining)
        guide = _guide(module)
        if not (trainer.is_global_zero and isinstance(data, FaceData) and guide):
            return
        self._drawn = trained
        if self._faces is None:
            self._faces = validation_faces(data, module.teacher.diffusion, self.count)
        if not self._faces.names:
            return
        with _evaluating(module):
            rebuilt = rebuild(
                module.detector, guide, module.teacher.diffusion, self._faces,
                noises=self.noises, steps=self.steps, seed=module.seed,
            )  # fmt: skip
        path = Path(trainer.default_root_dir) / "figures" / f"reconstructions-epoch-{trained:03d}.png"
        figure = reconstruction_figure({f"validation, epoch {trained}": rebuilt})
        faces = credit(data.manifest)
        save_figure(figure, path, RECONSTRUCTIONS, vector=False, credit=faces)
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger):
                logger.log_image("reconstructions", [str(path)], step=trainer.global_step)


def _guide(module: DetectorTraining) -> Guide | None:
    return next((part for _, part in module.regularizers.each() if isinstance(part, Guide)), None)


def validation_faces(data: FaceData, diffusion: LatentDiffusion, count: int) -> Faces:
    """At most `count` fakes of the split val that have a source and a target, then a real face.

    They are fakes of the manifest if the run learns from these and some have partners; otherwise pseudo-deepfakes, if
    the run learns from these; otherwise there are none, and a note is printed.
    """
    rows = data.manifest.select(split="val")
    partners = find_partners(rows, data.pair_order, exact_partners(data.manifests))
    if data.fakes != "pseudo" and (chosen := choose_rows(rows, partners, np.arange(len(rows)), count, data.seed)):
        return read_faces(rows, partners, chosen, data.image_size)
    if data.fakes != "manifest":
        extras = Extras(faces=FaceExtras(diffusion.channels, diffusion.scale, partners))
        return _pseudo_faces(data.pseudo_pairs(rows, extras), count)
    console.print("GuideFigures: no validation fake has a source and a target among the real faces, so none is drawn")
    none = torch.empty(0, 3, data.image_size, data.image_size, dtype=torch.uint8)
    return Faces([], none, none, none)


def _pseudo_faces(pairs: PairDataset, count: int) -> Faces:
    samples = [pairs[0, index] for index in range(min(count, len(pairs)))]
    # The fake of each pair, and the real face of the last pair, which is its own source and target.
    chosen = [(sample, 1) for sample in samples] + [(samples[-1], 0)]
    image, source, target = (
        torch.stack([sample["faces"][sample["roles"][place, role]] for sample, place in chosen]) for role in range(3)
    )
    return Faces(["pseudo"] * len(samples) + [REAL], image, source, target)


@contextmanager
def _evaluating(module: nn.Module) -> Iterator[None]:
    """Put the module into eval mode; at the end, each submodule gets its earlier mode back."""
    modes = {part: part.training for part in module.modules()}
    module.eval()
    try:
        yield
    finally:
        for part, mode in modes.items():
            part.training = mode
