"""A callback that draws what the guide rebuilds while it learns."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import WandbLogger
from torch import nn

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
    """Draws source and target of a few validation faces, always the same ones, as the guide rebuilds them.

    After the validation of every n-th epoch and at the end, to RUN/figures/reconstructions-epoch-NNN.png, where NNN is
    the number of epochs trained; a WandbLogger gets the same picture. Training goes on as it would without. In a
    config: `trainer.callbacks: [{class_path: difffake.training.guide_callback.GuideFigures}]`.

    Args:
        every_n_epochs: epochs from one picture to the next.
        faces: fakes to draw; a real face comes on top.
        noises: noises that source and target are rebuilt from.
        steps: of sampling.
    """

    def __init__(self, every_n_epochs: int = 5, faces: int = 4, noises: int = 2, steps: int = 20) -> None:
        if min(every_n_epochs, faces, noises, steps) < 1:
            raise UsageError("GuideFigures: every_n_epochs, faces, noises and steps must be at least 1")
        self.every_n_epochs = every_n_epochs
        self.count = faces
        self.noises = noises
        self.steps = steps
        self._faces: Faces | None = None
        self._drawn = -1  # epochs trained before the last picture

    def setup(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        """Refuse a run without a guide before it starts."""
        if not (isinstance(pl_module, DetectorTraining) and _guide(pl_module)):
            raise UserError(
                "GuideFigures draws what a guide rebuilds: add --model.regularizers.guide Guide, or leave it out"
            )

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Draw if it is the epoch's turn."""
        trained = trainer.current_epoch + 1
        if not trainer.sanity_checking and trained % self.every_n_epochs == 0:
            self._draw(trainer, pl_module, trained)

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Draw what was reached, unless the last validation has just done so."""
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
        save_figure(reconstruction_figure({f"validation, epoch {trained}": rebuilt}), path, RECONSTRUCTIONS)
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger):
                logger.log_image("reconstructions", [str(path)], step=trainer.global_step)


def _guide(module: DetectorTraining) -> Guide | None:
    return next((part for _, part in module.regularizers.each() if isinstance(part, Guide)), None)


def validation_faces(data: FaceData, diffusion: LatentDiffusion, count: int) -> Faces:
    """At most `count` fakes of the split val with source and target, then a real face.

    Fakes of the manifest where the run learns from such and they have partners, else pseudo-deepfakes where it learns
    from those, else none and a note.
    """
    rows = data.manifest.select(split="val")
    partners = find_partners(rows, data.pair_order, exact_partners(data.manifests))
    if data.fakes != "pseudo" and (chosen := choose_rows(rows, partners, np.arange(len(rows)), count, data.seed)):
        return read_faces(rows, partners, chosen, data.image_size)
    if data.fakes != "manifest":
        extras = Extras(faces=FaceExtras(diffusion.channels, diffusion.scale, partners))
        return _pseudo_faces(PairDataset(rows, data.image_size, "pseudo", data.pseudo, None, data.seed, extras), count)
    console.print("GuideFigures: no validation fake has a source and a target among the real faces, so none is drawn")
    none = torch.empty(0, 3, data.image_size, data.image_size, dtype=torch.uint8)
    return Faces([], none, none, none)


def _pseudo_faces(pairs: PairDataset, count: int) -> Faces:
    samples = [pairs[0, index] for index in range(min(count, len(pairs)))]
    # The fakes, and of the last pair the real face, whose roles are all its own.
    chosen = [(sample, 1) for sample in samples] + [(samples[-1], 0)]
    image, source, target = (
        torch.stack([sample["faces"][sample["roles"][place, role]] for sample, place in chosen]) for role in range(3)
    )
    return Faces(["pseudo"] * len(samples) + [REAL], image, source, target)


@contextmanager
def _evaluating(module: nn.Module) -> Iterator[None]:
    """The module in eval mode for a while; each of its parts gets back the mode that it had."""
    modes = {part: part.training for part in module.modules()}
    module.eval()
    try:
        yield
    finally:
        for part, mode in modes.items():
            part.training = mode
