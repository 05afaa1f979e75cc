"""Real faces and fakes one by one, as many of each, as the published code of DiffusionFake draws them."""

import numpy as np
import torch
from torch.utils.data import Dataset

from difffake.data.augment import AugmentConfig, augment
from difffake.data.batches import Batch, Key, to_tensors
from difffake.data.extras import Extras
from difffake.data.face_roles import add_faces_of_rows
from difffake.data.manifest import Manifest
from difffake.data.packed import read_crop
from difffake.errors import UserError
from difffake.randomness import generator, named_generator


class MixedDataset(Dataset[Batch]):
    """Single faces of a manifest, half of them real. A fake does not come with the real face that it was made from.

    Of the more frequent kind, only as many as of the other are used: random ones, chosen once by the seed.

    Args:
        manifest: manifest with real faces and fakes.
        image_size: side of the images in pixels.
        augment: probabilities and ranges of augmentations.
        seed: random seed.
        extras: what the regularizers need in a sample. It does not change images, labels or their order.

    Raises `UserError` if there are no real faces or no fakes.
    """

    def __init__(
        self, manifest: Manifest, image_size: int, augment: AugmentConfig, seed: int, extras: Extras | None = None
    ) -> None:
        self.manifest = manifest
        self.image_size = image_size
        self.augment = augment
        self.seed = seed
        self.extras = extras
        self.label = manifest.table["label"].to_numpy(np.float32)
        kinds = [np.flatnonzero(self.label == kind) for kind in (0, 1)]
        count = min(map(len, kinds))
        if not count:
            raise UserError(f"{manifest.root} has no {'fakes' if len(kinds[0]) else 'real faces'} to train on")
        random = named_generator(seed, "balance")
        self.rows = np.sort(np.concatenate([random.choice(rows, count, replace=False) for rows in kinds])).tolist()

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, key: Key) -> Batch:
        epoch, index = key
        row = self.rows[index]
        images, mirrored = augment([read_crop(self.manifest.file(row))], self.augment, generator(self.seed, *key))
        sample = Batch(
            image=to_tensors(images, self.image_size),
            label=torch.tensor([self.label[row]]),
            index=torch.tensor([row]),
        )
        if self.extras and self.extras.draws:
            sample["draws"] = self.extras.draw(1, generator(self.seed, epoch, index, 1))
        if self.extras and self.extras.faces:
            add_faces_of_rows(sample, self.extras.faces, self.manifest, [row], self.image_size, mirrored)
        return sample
