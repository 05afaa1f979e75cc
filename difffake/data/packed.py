"""Crops of a manifest in one memory-mapped file, without loss, which loaders read many times as fast as PNG files.

The pixels are stored as they are. Compression without loss (LZ4, or Zstandard of the differences of rows) would halve
the file, but it takes as long to undo as decoding a JPEG file.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from difffake.data.manifest import Manifest
from difffake.errors import UserError
from difffake.faces.images import read_image
from difffake.files import refuse_existing, staged_file
from difffake.progress import track
from difffake.workers import in_processes

FILE, INDEX = "crops.pack", "crops.index.npz"
"""All crops one after the other, and where each is; both beside the manifest."""
_CHUNK = 64


@dataclass(frozen=True)
class Pack:
    """An open pack: crops by the hash of their path."""

    data: NDArray[np.uint8]
    key: NDArray[np.uint64]
    """(N,) ascending."""
    place: NDArray[np.int64]
    """(N, 4): first byte, end, height and width."""

    def image(self, path: str) -> NDArray[np.uint8] | None:
        """The crop (H, W, 3) uint8 RGB, read-only, of a path below the manifest's folder; None if it is not here."""
        key = _hash(path)
        row = int(np.searchsorted(self.key, key))
        if row == len(self.key) or self.key[row] != key:
            return None
        start, end, height, width = self.place[row].tolist()
        return self.data[start:end].reshape(height, width, 3)


def pack_crops(manifest: Manifest, workers: int, overwrite: bool = False) -> int:
    """Write all crops of a manifest to `FILE` in its folder.

    Args:
        manifest: manifest of the crops.
        workers: number of processes; 0 is one per core.
        overwrite: replace an existing pack.

    Returns:
        Size of the pack in bytes.

    Raises:
        UserError: a crop cannot be read, or there is a pack already.
    """
    refuse_existing(manifest.root / FILE, overwrite)
    paths = manifest.table["path"].tolist()
    keys: list[np.uint64] = []
    places: list[tuple[int, int, int, int]] = []
    chunks = [paths[start : start + _CHUNK] for start in range(0, len(paths), _CHUNK)]
    with staged_file(manifest.root / FILE) as partial_file, partial_file.open("wb") as out:
        packed = in_processes(partial(_packed, manifest.root), chunks, workers)
        for chunk in track(packed, "packing", total=len(chunks)):
            for hashed, data, height, width in chunk:
                start = out.tell()
                out.write(data)
                keys.append(hashed)
                places.append((start, out.tell(), height, width))
        order = np.argsort(np.array(keys, dtype=np.uint64), kind="stable")
        key, place = np.array(keys, dtype=np.uint64)[order], np.array(places, dtype=np.int64)[order]
        if (key[1:] == key[:-1]).any():
            raise UserError(f"two paths in {manifest.root} have the same hash: rename one of the crops")
        with staged_file(manifest.root / INDEX) as index:
            np.savez(index, key=key, place=place)
        size = out.tell()
    _pack_above.cache_clear()
    return size


def read_crop(path: Path) -> NDArray[np.uint8]:
    """Read a crop (H, W, 3) uint8 RGB: from the pack of its manifest's folder, if there is one, else from its file.

    The array is not to be changed; one from a pack is the mapped file itself.

    Raises `UserError` as `difffake.faces.images.read_image`.
    """
    found = _pack_above(path.parent)
    if found is not None:
        pack, root = found
        image = pack.image(path.relative_to(root).as_posix())
        if image is not None:
            return image
    return read_image(path)


@cache
def _pack_above(folder: Path) -> tuple[Pack, Path] | None:
    """The pack in a folder or the nearest folder above, with that folder."""
    if (folder / FILE).is_file():
        return _open(folder), folder
    return _pack_above(folder.parent) if folder.parent != folder else None


def _open(root: Path) -> Pack:
    try:
        with np.load(root / INDEX) as index:
            key, place = index["key"], index["place"]
        data = np.memmap(root / FILE, dtype=np.uint8, mode="r").view(np.ndarray)
        whole = len(key) == len(place) and (not len(place) or int(place[:, 1].max()) == len(data))
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{root / FILE} cannot be read ({error}): delete it, or pack the crops again") from error
    if not whole:
        raise UserError(f"{root / FILE} and {INDEX} do not belong together: delete both, or pack the crops again")
    return Pack(data, key, place)


def _packed(root: Path, paths: Sequence[str]) -> list[tuple[np.uint64, bytes, int, int]]:
    found = []
    for path in paths:
        image = read_image(root / path)
        found.append((_hash(path), image.tobytes(), *image.shape[:2]))
    return found


def _hash(path: str) -> np.uint64:
    return np.uint64(int.from_bytes(hashlib.blake2b(path.encode(), digest_size=8).digest(), "little"))
