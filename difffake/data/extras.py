"""What training samples have beside images and labels, because a regularizer declared that it needs it."""

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
    """Of the numbers of one image."""
    below: int | None = None
    """Whole numbers from 0 up to, but not including, this one, all equally likely; None: standard normal numbers."""

    def __call__(self, images: int, random: np.random.Generator) -> Tensor:
        """Numbers (images, *shape): int64 or float32."""
        shape = (images, *self.shape)
        drawn = (
            random.standard_normal(shape, np.float32) if self.below is None else random.integers(self.below, size=shape)
        )
        return torch.from_numpy(drawn)


class ArrayStore(Protocol):
    """An array (c, h, w) for each face of a manifest and for the same face mirrored: `store[path, mirrored]`."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(c, h, w)."""

    def __getitem__(self, key: tuple[str, bool]) -> Tensor: ...


@dataclass(frozen=True)
class FaceExtras:
    """Which faces come with an image, so that a frozen diffusion model can see them."""

    channels: int
    """Channels of a latent."""
    scale: int
    """Pixels per latent on each side."""
    partners: Partners | None = None
    """Sources and targets of the manifest's rows; None where only the images themselves are wanted."""
    latents: ArrayStore | None = None
    """Latents of the manifest's faces, if they were computed before; else the faces come as pictures."""
    arrays: Mapping[str, ArrayStore] = field(default_factory=dict)
    """Other arrays of the manifest's faces that were computed before, by name."""


@dataclass(frozen=True)
class Extras:
    """All that is added to a sample."""

    draws: Mapping[str, Draw] = field(default_factory=dict)
    """Random numbers by name. They are drawn in this order, so what is added at the end changes none before it."""
    faces: FaceExtras | None = None

    def draw(self, images: int, random: np.random.Generator) -> dict[str, Tensor]:
        """The random numbers of a sample of so many images, by name."""
        return {name: draw(images, random) for name, draw in self.draws.items()}
