"""Data sets of single crops, and of real faces paired with a forgery."""

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import pandas as pd
import torch
from torch.utils.data import Dataset

from difffake.data.augment import AugmentConfig, augment
from difffake.data.batches import Batch, Key, to_tensors
from difffake.data.extras import Extras, FaceExtras
from difffake.data.face_roles import add_faces_of_rows, empty, stacked
from difffake.data.keys import original
from difffake.data.manifest import Manifest
from difffake.data.packed import read_crop
from difffake.data.pseudo import PseudoConfig, Twins, pseudo_of_family
from difffake.errors import UserError
from difffake.randomness import generator

Fakes = Literal["pseudo", "manifest", "both"]
Read = Callable[[int], np.ndarray]
"""Gives the crop (H, W, 3) uint8 of a row of a manifest."""


class CropDataset(Dataset[Batch]):
    """Every row of a manifest without augmentation, for validation, embedding and evaluation.

    Args:
        manifest: manifest of the crops.
        image_size: side of the images in pixels.
        read: gives the crop of a row, such as a degraded one; by default as it is stored.
    """

    def __init__(self, manifest: Manifest, image_size: int, read: Read | None = None) -> None:
        self.manifest = manifest
        self.image_size = image_size
        self.read = read
        self.label = manifest.table["label"].to_numpy(np.float32)

    def __len__(self) -> int:
        return len(self.manifest)

    def __getitem__(self, key: Key) -> Batch:
        index = key[1]
        crop = self.read(index) if self.read else read_crop(self.manifest.file(index))
        return Batch(
            image=to_tensors([crop], self.image_size),
            label=torch.tensor([self.label[index]]),
            index=torch.tensor([index]),
        )


class PairDataset(Dataset[Batch]):
    """Real faces, each with a forgery. A sample has two images, real first, with the same augmentation.

    Args:
        manifest: manifest with the real faces, and the fakes if they are needed.
        image_size: side of the images in pixels.
        fakes: where the forgeries come from. `pseudo`: a pseudo-deepfake of the real face (DiffFake); the real image is
            its target, color transformation included. `manifest`: a fake of the manifest, drawn in each epoch from
            those with the same target, so that the two images differ only by the forgery, or from all if there are
            none. `both`: one or the other with equal probability.
        pseudo: probabilities and ranges of pseudo-deepfakes.
        augment: probabilities and ranges of augmentations; None (for validation): no augmentation.
        seed: random seed.
        extras: what the regularizers need in a sample. It does not change images, labels or their order.
        twins: gives the twins of real faces, for pseudo-deepfakes that are made of them.
        redraw: draw the pair of an index anew in every epoch; by default only with augmentations.

    Raises `UserError` if real faces, landmarks or fakes are missing.
    """

    def __init__(
        self,
        manifest: Manifest,
        image_size: int,
        fakes: Fakes,
        pseudo: PseudoConfig,
        augment: AugmentConfig | None,
        seed: int,
        extras: Extras | None = None,
        twins: Twins | None = None,
        redraw: bool | None = None,
    ) -> None:
        table = manifest.table
        self.manifest = manifest
        self.image_size = image_size
        self.fakes = fakes
        self.pseudo = pseudo
        self.augment = augment
        self.seed = seed
        self.extras = extras
        self.twins = twins
        self.redraw = augment is not None if redraw is None else redraw
        self.real_rows: list[int] = np.flatnonzero(table["label"] == 0).tolist()
        fake_rows = np.flatnonzero(table["label"] == 1)
        if not self.real_rows:
            raise UserError(f"no real faces to train on or validate with in {manifest.root}: see the column split")
        if fakes != "manifest":
            without = int(table["landmarks"].iloc[self.real_rows].isna().sum())
            if without:
                raise UserError(f"{without} real faces in {manifest.root} have no landmarks: prepare the data again")
        if fakes != "pseudo":
            if not len(fake_rows):
                raise UserError(f"no fakes in {manifest.root}: use --data.fakes pseudo, or a manifest with fakes")
            # The key includes the compression. Otherwise, real and fake could be distinguished by their compression.
            kind = table["dataset"] + "/" + table["compression"] + "/"
            origin = kind + original(table)
            fakes_of, alike = _rows_by(origin, fake_rows), _rows_by(kind, fake_rows)
            self.partners = {row: fakes_of.get(origin[row], alike.get(kind[row], fake_rows)) for row in self.real_rows}

    def __len__(self) -> int:
        return len(self.real_rows)

    def __getitem__(self, key: Key) -> Batch:
        epoch, index = key
        row = self.real_rows[index]
        rng = generator(self.seed, epoch if self.redraw else 0, index)
        use_pseudo = self.fakes == "pseudo" or (self.fakes == "both" and rng.random() < 0.5)
        made_of: list[np.ndarray] | tuple[int, int]
        if use_pseudo:
            made_of = self._pseudo_pair(row, rng)
            images = made_of[:2]
        else:
            made_of = row, int(rng.choice(self.partners[row]))
            images = [read_crop(self.manifest.file(r)) for r in made_of]
        mirrored = False
        if self.augment:
            images, mirrored = augment(images, self.augment, rng)
        sample = Batch(
            image=to_tensors(images, self.image_size),
            label=torch.tensor([0.0, 1.0]),
            index=torch.tensor([row, row]),
        )
        if self.extras and self.extras.draws:
            # A separate generator, so that the images are the same with and without regularizers.
            own = generator(self.seed, epoch if self.redraw else 0, index, 1)
            sample["draws"] = self.extras.draw(len(images), own)
        if self.extras and self.extras.faces:
            self._add_faces(sample, self.extras.faces, made_of, mirrored)
        return sample

    def _pseudo_pair(self, row: int, rng: np.random.Generator) -> list[np.ndarray]:
        """Real face, which is the target, and pseudo-deepfake; then the source, if it is needed."""
        faces = self.extras.faces if self.extras else None
        sourced = faces is not None and faces.partners is not None
        landmarks = self.manifest.landmarks(row)
        assert landmarks is not None  # checked in the constructor
        path = self.manifest.file(row)
        try:
            pair = pseudo_of_family(read_crop(path), landmarks, rng, self.pseudo, self.twins, whole=sourced)
        except UserError as error:
            raise UserError(f"{path}: {error}") from error
        return [pair.target, pair.fake, *([pair.source] if sourced else [])]

    def _add_faces(
        self, sample: Batch, wanted: FaceExtras, made_of: list[np.ndarray] | tuple[int, int], mirrored: bool
    ) -> None:
        """Add the faces that the two images were made from, each once, as cached latents or as images."""
        if isinstance(made_of, tuple):
            add_faces_of_rows(sample, wanted, self.manifest, made_of, self.image_size, mirrored)
            return
        empty(sample, wanted, self.image_size)  # a pseudo-deepfake, new each time: target, fake, and source if needed
        sample["roles"] = torch.tensor([[0, 0, 0], [1, 2 if len(made_of) > 2 else -1, 0]])
        sample["faces"] = stacked(made_of, self.image_size, mirrored)


def _rows_by(key: pd.Series, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Group `rows` by `key`, which has one value per row of the manifest."""
    return {str(name): group.to_numpy() for name, group in pd.Series(rows).groupby(key[rows].to_numpy())}


class Concatenated(Dataset[Batch]):
    """Data sets one after the other; torch's own `ConcatDataset` does not support keys with an epoch."""

    def __init__(self, parts: Sequence[PairDataset | CropDataset]) -> None:
        self.parts = parts
        self.ends = np.cumsum([len(part) for part in parts])

    def __len__(self) -> int:
        return int(self.ends[-1])

    def __getitem__(self, key: Key) -> Batch:
        epoch, index = key
        part = int(np.searchsorted(self.ends, index, side="right"))
        return self.parts[part][epoch, index - int(self.ends[part - 1] if part else 0)]
