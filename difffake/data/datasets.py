"""Data sets of crops: single ones, and real faces paired with a forgery."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NotRequired, TypedDict

import cv2
import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.utils.data import Dataset

from difffake.data.augment import AugmentConfig, augment
from difffake.data.keys import original
from difffake.data.manifest import Manifest
from difffake.data.partners import Partners
from difffake.data.pseudo import PseudoConfig, pseudo_deepfake
from difffake.diffusion.cache import LatentStore
from difffake.errors import UserError
from difffake.faces.images import read_image
from difffake.randomness import generator

Key = tuple[int, int]
"""Epoch and index of a sample; the samplers give both, so that any worker can draw the same numbers."""


Fakes = Literal["pseudo", "manifest", "both"]


class Batch(TypedDict):
    """What models are given; the entries after `index` only where the data set has a `LatentSpec`."""

    image: Tensor
    """(B, 3, H, W) uint8 RGB; the training module turns it into floats in [0, 1] on the device."""
    label: Tensor
    """(B,) float, 0 real, 1 fake."""
    index: Tensor
    """(B,) int64, row of the manifest that the image comes from."""
    roles: NotRequired[Tensor]
    """(B, 3) int64: which of `latents`, then `faces`, is the image itself, its source and its target; -1 unknown."""
    latents: NotRequired[Tensor]
    """(L, c, h, w) float32, cached latents of faces."""
    faces: NotRequired[Tensor]
    """(F, 3, H, W) uint8, faces whose latents are not cached: mirrored as the image is, but not otherwise augmented."""
    noise: NotRequired[Tensor]
    """(B, 2, c, h, w) float32, standard normal, for source and target."""
    timestep: NotRequired[Tensor]
    """(B, 2) int64, likewise."""
    image_noise: NotRequired[Tensor]
    """(B, c, h, w) float32, standard normal, for the image itself."""
    teacher_noise: NotRequired[Tensor]
    """(N, S c, h, w) float32, cached predictions of a frozen model for S timesteps, of those images whose latents are
    cached."""


@dataclass(frozen=True)
class LatentSpec:
    """What a diffusion model wants to know of each sample, and how its latents look."""

    partners: Partners | None
    """Sources and targets; None where nothing is rebuilt, so that they are not wanted."""
    channels: int
    scale: int
    """Pixels a latent on each side."""
    steps: int
    """Of the noise schedule."""
    cached: LatentStore | None = None
    """Latents of rows, if they were computed before."""
    image_noise: bool = False
    """Whether noise is to be added to the images themselves."""
    teacher: LatentStore | None = None
    """The frozen model's predictions for rows, if they were computed before."""

    def draw(self, sample: Batch, image_size: int, rng: np.random.Generator) -> None:
        """Add to a sample the random numbers that it needs, whatever else it has."""
        images, side = len(sample["image"]), image_size // self.scale
        shape = (self.channels, side, side)
        if self.partners:
            sample["noise"] = torch.from_numpy(rng.standard_normal((images, 2, *shape), np.float32))
            sample["timestep"] = torch.from_numpy(rng.integers(self.steps, size=(images, 2)))
        if self.image_noise:
            sample["image_noise"] = torch.from_numpy(rng.standard_normal((images, *shape), np.float32))


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
    batch = Batch(
        image=torch.cat([sample["image"] for sample in samples]),
        label=torch.cat([sample["label"] for sample in samples]),
        index=torch.cat([sample["index"] for sample in samples]),
    )
    if "roles" in samples[0]:
        for name in _OF_DIFFUSION:
            if name in samples[0]:
                batch[name] = torch.cat([sample[name] for sample in samples])
        batch["roles"] = _joined_roles(samples, len(batch["latents"]))
    return batch


_OF_DIFFUSION: tuple[Literal["noise", "timestep", "image_noise", "teacher_noise", "latents", "faces"], ...] = (
    "noise", "timestep", "image_noise", "teacher_noise", "latents", "faces",
)  # fmt: skip


def _joined_roles(samples: list[Batch], latents: int) -> Tensor:
    """Roles of all samples, counted from the start of the batch; a sample has either latents or faces."""
    ends, joined = [0, latents], []
    for sample in samples:
        has_faces = len(sample["faces"]) > 0
        joined.append(torch.where(sample["roles"] < 0, -1, sample["roles"] + ends[has_faces]))
        ends[has_faces] += len(sample["faces"] if has_faces else sample["latents"])
    return torch.cat(joined)


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

    Without `augment`, as for validation, the pair of an index is the same in every epoch. With `teach` a sample also
    has what a frozen diffusion model needs; images, labels and their order are the same without it.
    """

    def __init__(
        self,
        manifest: Manifest,
        image_size: int,
        fakes: Fakes,
        pseudo: PseudoConfig,
        augment: AugmentConfig | None,
        seed: int,
        teach: LatentSpec | None = None,
    ) -> None:
        table = manifest.table
        self.manifest = manifest
        self.image_size = image_size
        self.fakes = fakes
        self.pseudo = pseudo
        self.augment = augment
        self.seed = seed
        self.teach = teach
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
            # The compression belongs to the key: a real face beside a fake of another would be told by that.
            kind = table["dataset"] + "/" + table["compression"] + "/"
            origin = kind + original(table)
            fakes_of, alike = _rows_by(origin, fake_rows), _rows_by(kind, fake_rows)
            self.partners = {row: fakes_of.get(origin[row], alike.get(kind[row], fake_rows)) for row in self.real_rows}

    def __len__(self) -> int:
        return len(self.real_rows)

    def __getitem__(self, key: Key) -> Batch:
        epoch, index = key
        row = self.real_rows[index]
        rng = generator(self.seed, epoch if self.augment else 0, index)
        use_pseudo = self.fakes == "pseudo" or (self.fakes == "both" and rng.random() < 0.5)
        made_of: list[np.ndarray] | tuple[int, int]
        if use_pseudo:
            made_of = self._pseudo_pair(row, rng)
            images = made_of[:2]
        else:
            made_of = row, int(rng.choice(self.partners[row]))
            images = [read_image(self.manifest.file(r)) for r in made_of]
        mirrored = False
        if self.augment:
            images, mirrored = augment(images, self.augment, rng)
        sample = Batch(
            image=torch.stack([to_tensor(image, self.image_size) for image in images]),
            label=torch.tensor([0.0, 1.0]),
            index=torch.tensor([row, row]),
        )
        if self.teach:
            # Numbers of their own, so that the images are the same with and without a diffusion model.
            own = generator(self.seed, epoch if self.augment else 0, index, 1)
            self.teach.draw(sample, self.image_size, own)
            self._add_faces(sample, self.teach, made_of, mirrored)
        return sample

    def _pseudo_pair(self, row: int, rng: np.random.Generator) -> list[np.ndarray]:
        """Real face, which is the target, and pseudo-deepfake; then the source, where it is wanted."""
        sourced = self.teach is not None and self.teach.partners is not None
        landmarks = self.manifest.landmarks(row)
        assert landmarks is not None  # checked in the constructor
        path = self.manifest.file(row)
        try:
            pair = pseudo_deepfake(read_image(path), landmarks, rng, self.pseudo, whole=sourced)
        except UserError as error:
            raise UserError(f"{path}: {error}") from error
        return [pair.target, pair.fake, *([pair.source] if sourced else [])]

    def _add_faces(
        self, sample: Batch, teach: LatentSpec, made_of: list[np.ndarray] | tuple[int, int], mirrored: bool
    ) -> None:
        """The faces that real one and fake are made of, each once, as cached latents or as images."""
        side = self.image_size // teach.scale
        no_latents = torch.empty(0, teach.channels, side, side)
        no_faces = torch.empty(0, 3, self.image_size, self.image_size, dtype=torch.uint8)
        sample["latents"], sample["faces"] = no_latents, no_faces
        if teach.teacher:
            sample["teacher_noise"] = torch.empty(0, *teach.teacher.shape)
        if isinstance(made_of, list):  # a pseudo-deepfake, new each time: target, fake, and source if wanted
            sample["roles"] = torch.tensor([[0, 0, 0], [1, 2 if len(made_of) > 2 else -1, 0]])
            sample["faces"] = self._stacked(made_of, mirrored)
            return
        real, fake = made_of
        if teach.teacher:
            names = (self.manifest.file(row).as_posix() for row in made_of)
            sample["teacher_noise"] = torch.stack([teach.teacher[name, mirrored] for name in names])
        source = target = -1
        if teach.partners:
            source, target = int(teach.partners.source[fake]), int(teach.partners.target[fake])
        rows = list(dict.fromkeys(r for r in (real, fake, source, target) if r >= 0))
        place = {r: number for number, r in enumerate(rows)} | {-1: -1}
        sample["roles"] = torch.tensor([[0, 0, 0], [place[fake], place[source], place[target]]])
        if teach.cached:
            sample["latents"] = torch.stack([teach.cached[self.manifest.file(r).as_posix(), mirrored] for r in rows])
        else:
            sample["faces"] = self._stacked([read_image(self.manifest.file(r)) for r in rows], mirrored)

    def _stacked(self, images: list[np.ndarray], mirrored: bool) -> Tensor:
        tensors = torch.stack([to_tensor(image, self.image_size) for image in images])
        return tensors.flip(3) if mirrored else tensors


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
