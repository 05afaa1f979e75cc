"""The interface of regularizers: additional losses, with declared needs of data and of a frozen model (teacher).

A regularizer is a file or a folder here, or a class of your own in any package. A config names it:

    model:
      regularizers:
        even_attention: {class_path: EvenAttention, init_args: {weight: 0.1}}

docs/extend.md shows step by step how to write one.
"""

from abc import ABC, abstractmethod
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
    """Scalar; this value is logged."""
    weight: float = 1.0
    """Factor of the value in the sum that is minimized."""


class TeacherArray(NamedTuple):
    """An output of the frozen model that depends only on an image's latents: computed once per face, and cached."""

    compute: Callable[[LatentDiffusion, Tensor], Tensor]
    """Function from latents (B, c, h, w) to an array (B, C, h, w)."""
    settings: str
    """Everything else that the array depends on; a cache with another text is refused."""


@dataclass(frozen=True)
class Needs:
    """What a regularizer needs for each image; only this is loaded, computed or drawn."""

    latents: bool = False
    """The frozen model's latents of the image."""
    partners: bool = False
    """The latents of the image, and of the source and target faces that it was made from."""
    draws: Mapping[str, Draw] = field(default_factory=dict)
    """Random numbers by name. They do not depend on ranks, workers or interruptions."""
    arrays: Mapping[str, TeacherArray] = field(default_factory=dict)
    """Outputs of the frozen model by name."""

    @property
    def faces(self) -> bool:
        """Whether the frozen model must process the image."""
        return self.latents or self.partners or bool(self.arrays)


@dataclass
class TaughtBatch:
    """A batch with what one regularizer needs."""

    image: Tensor
    """(B, 3, H, W) in [0, 1], the input of the encoder before normalization."""
    label: Tensor
    """(B,) float, 0 real, 1 fake."""
    latents: FaceLatents | None
    """Latents of the images and their partners; None if they are not needed."""
    draws: dict[str, Tensor]
    """(B, ...), this regularizer's random numbers by name."""
    arrays: dict[str, Tensor]
    """(B, C, h, w), this regularizer's outputs of the frozen model by name."""


class Regularizer(Recorded, nn.Module, ABC):
    """Base class of additional losses. They are used in training only, not when the detector is used afterwards.

    A subclass makes its networks in its constructor. The first two arguments are always `encoder` and `teacher`; the
    other arguments are settings that a config gives and a checkpoint stores.

    Args:
        encoder: the detector's encoder; it knows the number of channels of its features and the size of images.
        teacher: the frozen diffusion model, which is loaded at the first use of `teacher.diffusion`.
    """

    harmless: ClassVar[frozenset[str]] = frozenset()
    """Settings that do not change the result, so a resumed run may change them."""

    def __init__(self, encoder: Encoder, teacher: Teacher) -> None:
        super().__init__()

    @property
    def needs(self) -> Needs:
        """What this regularizer needs for each image; nothing by default."""
        return Needs()

    @property
    def heavy_parts(self) -> list[nn.Module]:
        """Networks that torch.compile shall compile; none by default."""
        return []

    def change_images(self, batch: TaughtBatch, teacher: Teacher) -> Tensor:
        """Change the images (B, 3, H, W) in [0, 1] before the encoder; by default they are returned unchanged."""
        return batch.image

    @abstractmethod
    def forward(self, output: DetectorOutput, batch: TaughtBatch, teacher: Teacher) -> dict[str, Loss]:
        """Compute losses by name.

        Args:
            output: the detector's output for the batch: features, embedding and logits.
            batch: images, labels and what `needs` declares.
            teacher: the frozen model.
        """

    def draw(self, detector: Detector, teacher: Teacher, drawing: Drawing, folder: Path) -> dict[str, Any]:
        """Write pictures to `folder` and return their numbers for figures.json; nothing by default.

        `difffake figures` calls it with all networks in eval mode.
        """
        return {}


Factory = Callable[[Encoder, Teacher], Regularizer]
"""A class of regularizers, or a `functools.partial` of it with settings."""
