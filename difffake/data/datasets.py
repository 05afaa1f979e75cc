"""Data sets of crops: single ones, and real faces paired with a forgery."""

from collections.abc import Sequence
from typing import Literal, TypedDict

import cv2
import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.utils.data import Dataset

from difffake.data.augment import AugmentConfig, augment
from difffake.data.images import read_image
from difffake.data.manifest import Manifest
from difffake.data.pseudo import PseudoConfig, pseudo_deepfake
from difffake.errors import UserError
from difffake.randomness import generator

Key = tuple[int, int]
"""Epoch and index of a sample; the samplers give both, so that any worker can draw the same numbers."""


Fakes = Literal["pseudo", "manifest", "both"]


class Batch(TypedDict):
    """What models are given."""

    image: Tensor
    """(B, 3, H, W) uint8 RGB; the training module turns it into floats in [0, 1] on the device."""
    label: Tensor
    """(B,) float, 0 real, 1 fake."""
    index: Tensor
    """(B,) int64, row of the manifest that the image comes from."""


def to_tensor(image: np.ndarray, size: int) -> Tensor:
    """(3, size, size) uint8 from (H, W, 3) uint8."""
    if image.shape[:2] != (size, size):
        shrinks = image.shape[0] > size
        image = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))


def to_unit(images: Tensor) -> Tensor:
    """Images (B, 3, H, W) uint8 as float32 in [0, 1], on the device they are on.

    In the layout channels_last: EfficientNets train about 1.6 times as fast with it on a CPU, and bf16 convolutions
    on a GPU want it too. Networks take either.
    """
    return images.to(torch.float32, memory_format=torch.channels_last).div_(255)


def collate(samples: list[Batch]) -> Batch:
    """One batch from samples of one or two images each."""
    return Batch(
        image=torch.cat([sample["image"] for sample in samples]),
        label=torch.cat([sample["label"] for sample in samples]),
        index=torch.cat([sample["index"] for sample in samples]),
    )


class CropDataset(Dataset[Batch]):
    """Every row of a manifest as it is, for validation, embedding and evaluation."""

    def __init__(self, manifest: Manifest, image_size: int) -> None:
        self.manifest = manifest
        self.image_size = image_size
        self.label = manifest.table["label"].to_numpy(np.float32)

    def __len__(self) -> int:
        return len(self.manifest)

    def __getitem__(self, key: Key) -> Batch:
        index = key[1]
        return Batch(
            image=to_tensor(read_image(self.manifest.file(index)), self.image_size)[None],
            label=torch.tensor([self.label[index]]),
            index=torch.tensor([index]),
        )


class PairDataset(Dataset[Batch]):
    """Real faces, each with a forgery: two images a sample, real first, that share one augmentation.

    `fakes` says where forgeries come from:
    - `pseudo`: a pseudo-deepfake of the real face (DiffFake). The real partner is its target, colour
      transformation included.
    - `manifest`: a fake of the manifest, drawn anew in each epoch from those with the same target where there
      are any, so that the two differ by the forgery alone; else from all.
    - `both`: one or the other, with equal chances.

    Without `augment`, as for validation, the pair of an index is the same in every epoch.
    """

    def __init__(
        self,
        manifest: Manifest,
        image_size: int,
        fakes: Fakes,
        pseudo: PseudoConfig,
        augment: AugmentConfig | None,
        seed: int,
    ) -> None:
        table = manifest.table
        self.manifest = manifest
        self.image_size = image_size
        self.fakes = fakes
        self.pseudo = pseudo
        self.augment = augment
        self.seed = seed
        self.real_rows: list[int] = np.flatnonzero(table["label"] == 0).tolist()
        fake_rows = np.flatnonzero(table["label"] == 1)
        if not self.real_rows:
            raise UserError(f"no real faces to train on or validate with in {manifest.root}: see the column split")
        if fakes != "manifest":
            without = sum(table["landmarks"].iat[row] is None for row in self.real_rows)
            if without:
                raise UserError(f"{without} real faces in {manifest.root} have no landmarks: prepare the data again")
        if fakes != "pseudo":
            if not len(fake_rows):
                raise UserError(f"no fakes in {manifest.root}: use --data.fakes pseudo, or a manifest with fakes")
            # A real row's own name is its target where it has one, else its video. The compression belongs to it: a
            # real face beside a fake of another compression would be told by that.
            kind = table["dataset"] + "/" + table["compression"] + "/"
            real = kind + table["target"].where(table["target"] != "", table["video"])
            made_from = kind + table["target"]
            fakes_of, alike = _rows_by(made_from, fake_rows), _rows_by(kind, fake_rows)
            self.partners = {row: fakes_of.get(real[row], alike.get(kind[row], fake_rows)) for row in self.real_rows}

    def __len__(self) -> int:
        return len(self.real_rows)

    def __getitem__(self, key: Key) -> Batch:
        epoch, index = key
        row = self.real_rows[index]
        rng = generator(self.seed, epoch if self.augment else 0, index)
        use_pseudo = self.fakes == "pseudo" or (self.fakes == "both" and rng.random() < 0.5)
        images = self._pseudo_pair(row, rng) if use_pseudo else self._manifest_pair(row, rng)
        if self.augment:
            images = augment(images, self.augment, rng)
        return Batch(
            image=torch.stack([to_tensor(image, self.image_size) for image in images]),
            label=torch.tensor([0.0, 1.0]),
            index=torch.tensor([row, row]),
        )

    def _pseudo_pair(self, row: int, rng: np.random.Generator) -> list[np.ndarray]:
        landmarks = self.manifest.landmarks(row)
        assert landmarks is not None  # checked in the constructor
        path = self.manifest.file(row)
        try:
            pair = pseudo_deepfake(read_image(path), landmarks, rng, self.pseudo)
        except UserError as error:
            raise UserError(f"{path}: {error}") from error
        return [pair.target, pair.fake]

    def _manifest_pair(self, row: int, rng: np.random.Generator) -> list[np.ndarray]:
        return [read_image(self.manifest.file(int(r))) for r in (row, rng.choice(self.partners[row]))]


def _rows_by(key: pd.Series, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Those of `rows` that have each value of `key`, one value a row of the manifest."""
    return {str(name): group.to_numpy() for name, group in pd.Series(rows).groupby(key[rows].to_numpy())}


class Concatenated(Dataset[Batch]):
    """Data sets one after the other; torch's own `ConcatDataset` takes no keys with an epoch."""

    def __init__(self, parts: Sequence[PairDataset | CropDataset]) -> None:
        self.parts = parts
        self.ends = np.cumsum([len(part) for part in parts])

    def __len__(self) -> int:
        return int(self.ends[-1])

    def __getitem__(self, key: Key) -> Batch:
        epoch, index = key
        part = int(np.searchsorted(self.ends, index, side="right"))
        return self.parts[part][epoch, index - int(self.ends[part - 1] if part else 0)]
