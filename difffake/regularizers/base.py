"""What a regularizer is: a loss beside the classification loss, with what it needs of the data and of a teacher.

A regularizer is a file or a folder here, or a class of your own anywhere. A config names it:

    model:
      regularizers:
        even_attention: {class_path: EvenAttention, init_args: {weight: 0.1}}

docs/extend.md makes one step by step.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from torch import Tensor, nn

from difffake.data.extras import Draw
from difffake.data.faces_to_draw import Drawing
from difffake.diffusion.face_latents import FaceLatents
from difffake.diffusion.latent_diffusion import LatentDiffusion
from difffake.diffusion.teacher import Teacher
from difffake.models.detector import Detector, DetectorOutput
from difffake.models.encoder import Encoder
from difffake.recorded import Recorded


class Loss(NamedTuple):
    """One loss of a batch."""

    value: Tensor
    """(), what is logged."""
    weight: float = 1.0
    """What it is multiplied by in the sum that is minimized."""


class TeacherArray(NamedTuple):
    """What a frozen model says of an image from its latents alone: computed once per face, and cached."""

    compute: Callable[[LatentDiffusion, Tensor], Tensor]
    """From latents (B, c, h, w) to an array (B, C, h, w)."""
    settings: str
    """All that the array depends on beside the model and the latents; a cache of other settings is refused."""


@dataclass(frozen=True)
class Needs:
    """What a regularizer needs of each image; nothing else is loaded, computed or drawn for it."""

    latents: bool = False
    """The frozen model's latents of the image."""
    partners: bool = False
    """The latents of the image and of the faces that it was made of, its source and its target."""
    draws: Mapping[str, Draw] = field(default_factory=dict)
    """Random numbers by name: the same on any rank, worker or resumed run."""
    arrays: Mapping[str, TeacherArray] = field(default_factory=dict)
    """Arrays by name."""

    @property
    def faces(self) -> bool:
        """Whether a frozen model has to see the image."""
        return self.latents or self.partners or bool(self.arrays)


@dataclass
class TaughtBatch:
    """A batch as one regularizer sees it."""

    image: Tensor
    """(B, 3, H, W) in [0, 1], what the encoder sees."""
    label: Tensor
    """(B,) float, 0 real, 1 fake."""
    latents: FaceLatents | None
    """Where they are needed."""
    draws: dict[str, Tensor]
    """(B, ...), the regularizer's own."""
    arrays: dict[str, Tensor]
    """(B, C, h, w), the regularizer's own."""


class Regularizer(Recorded, nn.Module):
    """A loss that is added in training. Nothing of it is needed to use the detector afterwards.

    A subclass makes its networks in the constructor, whose first two arguments are always these; the others are the
    settings that a config gives, and are stored in checkpoints.

    Args:
        encoder: the detector's encoder; tells how many channels its features have, and the size of images.
        teacher: the frozen diffusion model, which is loaded when `teacher.diffusion` is first asked for.
    """

    harmless: ClassVar[frozenset[str]] = frozenset()
    """Settings that change no result, so that a resumed run may have others."""

    def __init__(self, encoder: Encoder, teacher: Teacher) -> None:
        super().__init__()

    @property
    def needs(self) -> Needs:
        """What it needs of each image; nothing by default."""
        return Needs()

    @property
    def heavy_parts(self) -> list[nn.Module]:
        """Networks that are worth compiling."""
        return []

    def change_images(self, batch: TaughtBatch, teacher: Teacher) -> Tensor:
        """The images (B, 3, H, W) in [0, 1] that the encoder shall see; by default they stay as they are."""
        return batch.image

    def forward(self, output: DetectorOutput, batch: TaughtBatch, teacher: Teacher) -> dict[str, Loss]:
        """Losses by name, from what the detector says of the batch."""
        raise NotImplementedError

    def draw(self, detector: Detector, teacher: Teacher, drawing: Drawing, folder: Path) -> dict[str, Any]:
        """Write pictures of what was learned to `folder`; gives their numbers for figures.json. None by default.

        Called by `difffake figures` with everything in eval mode.
        """
        return {}


Factory = Callable[[Encoder, Teacher], Regularizer]
"""Makes a regularizer: a class, or a class with some of its settings given, as `functools.partial` does."""
