"""Twins on disk, by the content of the crop that they are of."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from difffake.errors import UserError
from difffake.faces.images import read_image, write_png
from difffake.files import MARKER

_LARGER = 1.25
"""Largest ratio of a twin's size to the side of its crop."""


class TwinCache:
    """Twins of crops, as PNG files: `cache(crop)` is the twin (S, S, 3) uint8 of a crop (H, W, 3) uint8.

    A file is named after the crop's pixels and the size, in a folder that is named after the autoencoder. So a cache
    stays valid when faces are added to a manifest or it is prepared again. A file appears only when it is complete, and
    two processes that make the same twin write the same pixels.

    Args:
        folders: folders to look in, such as twins/ beside each manifest.
        model: name of the autoencoder's weights, such as the start of their SHA-256.
        sizes: working sizes; each face has one of them, by its content.
    """

    def __init__(self, folders: Sequence[Path], model: str, sizes: Sequence[int]) -> None:
        self.folders = [folder / model for folder in dict.fromkeys(folders)]
        self.sizes = sorted(set(sizes))

    def name(self, crop: np.ndarray) -> tuple[str, int]:
        """Name of a crop's twin below a folder, and its size."""
        digest = hashlib.blake2b(f"{crop.shape}".encode() + crop.tobytes(), digest_size=16).hexdigest()
        fitting = [size for size in self.sizes if size <= _LARGER * min(crop.shape[:2])] or self.sizes[:1]
        size = fitting[int(digest[:8], 16) % len(fitting)]
        return f"{digest[:2]}/{digest}-{size}.png", size

    def __call__(self, crop: np.ndarray) -> np.ndarray:
        """The twin of a crop (H, W, 3) uint8. Raises `UserError` if it is not stored, or broken."""
        name, size = self.name(crop)
        file = next((file for folder in self.folders if (file := folder / name).is_file()), None)
        if file is None:
            raise UserError(f"the twin {name} of a face is not in {self.folders[0]}: was the folder changed meanwhile?")
        twin = read_image(file)
        if twin.shape != (size, size, 3):
            raise UserError(f"{file} has {twin.shape[1]}x{twin.shape[0]} pixels instead of {size}: delete it")
        return twin


def write_twin(folder: Path, name: str, twin: np.ndarray) -> None:
    """Write a twin (S, S, 3) uint8 as the file `name` of a cache's folder.

    Raises `UserError` if nothing can be written there.
    """
    file = folder / name
    partial = file.with_name(f".partial-{os.getpid()}-{file.name}")
    try:
        write_png(partial, twin)
        partial.replace(file)
        (folder / MARKER).touch()
    except OSError as error:
        raise UserError(
            f"twins cannot be written to {folder} ({error}): name another folder as --data.pseudo.twin_folder"
        ) from error
