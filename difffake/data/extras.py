"""What training samples contain besides images and labels, because a regularizer declares that it needs it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from difffake.data.partners import Partners


@dataclass(frozen=True)
class Draw:
    """Random numbers for each image of a batch."""

    shape: tuple[int, ...]
    """Shape of the numbers of one image."""
    below: int | None = None
    """If given, uniform integers from 0 to `below` - 1; if None, standard normal numbers."""

    def __call__(self, images: int, random: np.random.Generator) -> Tensor:
        """Numbers (images, *shape): int64 or float32."""
        shape = (images, *self.shape)
        drawn = (
            random.standard_normal(shape, np.float32) if self.below is None else random.integers(self.below, size=shape)
        )
        return torch.from_numpy(drawn)


class ArrayStore(Protocol):
    """An array (c, h, w) for each face of a manifest, mirrored or not: `store[path, mirrored]`."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(c, h, w)."""

    def __getitem__(self, key: tuple[str, bool]) -> Tensor: ...


@dataclass(frozen=True)
class FaceExtras:
    """Faces that a sample contains for a frozen diffusion model."""

    channels: int
    """Number of channels of latents."""
    scale: int
    """Pixels per latent position along each axis."""
    partners: Partners | None = None
    """Sources and targets of the manifest's rows; None if only the images themselves are needed."""
    latents: ArrayStore | None = None
    """Cached latents of the manifest's faces; None if samples contain the faces as images instead."""
    arrays: Mapping[str, ArrayStore] = field(default_factory=dict)
    """Other cached arrays of the manifest's faces, by name."""


@dataclass(frozen=True)
class Extras:
    """Everything that is added to a sample."""

    draws: Mapping[str, Draw] = field(default_factory=dict)
    """Random numbers by name. They are drawn in this order, so a new entry at the end does not change the others."""
    faces: FaceExtras | None = None

    def draw(self, images: int, random: np.random.Generator) -> dict[str, Tensor]:
        """Draw the random numbers of a sample with `images` images, by name."""
        return {name: draw(images, random) for name, draw in self.draws.items()}
