"""Caches of a frozen model's outputs for faces: memory-mapped shards that all processes read."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from difffake.data.manifest import Manifest
from difffake.errors import UserError
from difffake.files import MARKER, staged_file

SHARD = 512
"""Faces per shard."""
_NOTE = "cache.json"


class LatentCache:
    """Latents of every row of a manifest, mirrored or not: `cache[row, mirrored]` is (c, h, w) float32.

    It can also contain the noise predicted in latents, with more channels. The folder has cache.json, which describes
    faces and model, and shards in safetensors: `latents` (SHARD, 2, c, h, w) float16, unchanged and mirrored. A shard
    appears only when it is complete. So an interrupted run can continue, and several ranks can write at the same time.

    Args:
        folder: folder of the shards.
        manifest: manifest of the faces.
        model: fingerprint of the model that computes the arrays, such as the VAE.
        image_size: side of the encoded images in pixels.

    Raises `UserError` if the folder has latents of other faces, another model or another size.
    """

    def __init__(self, folder: Path, manifest: Manifest, model: str, image_size: int) -> None:
        self.folder = folder
        self.length = len(manifest)
        self._open: dict[int, Tensor] = {}
        note = {
            "model": model,
            "image_size": image_size,
            "count": self.length,
            "faces": faces_digest(manifest),
            "shard": SHARD,
        }
        path = folder / _NOTE
        if path.is_file():
            _check(path, note)
        elif folder.exists() and not folder.is_dir():
            raise UserError(f"{folder} is a file: choose another folder for latents")
        elif folder.is_dir() and any(not entry.name.startswith((MARKER, ".partial-")) for entry in folder.iterdir()):
            raise UserError(f"{folder} has other files than cached latents: choose another folder for latents")
        else:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / MARKER).touch()
            with staged_file(path) as partial:
                partial.write_text(json.dumps(note, indent=1) + "\n")

    def missing(self) -> list[range]:
        """Rows of each shard that does not exist yet."""
        return [
            range(start, min(start + SHARD, self.length))
            for start in range(0, self.length, SHARD)
            if not self._file(start // SHARD).is_file()
        ]

    def write(self, rows: range, latents: Tensor) -> None:
        """Write the shard of `rows`: latents (len(rows), 2, c, h, w), unchanged and mirrored."""
        with staged_file(self._file(rows.start // SHARD)) as partial:
            save_file({"latents": latents.to(torch.float16).contiguous()}, partial)

    def __getitem__(self, key: tuple[int, bool]) -> Tensor:
        row, mirrored = key
        number, place = divmod(row, SHARD)
        if number not in self._open:
            path = self._file(number)
            try:
                # The file is mapped: a tensor of a shard takes no memory until its pages are read.
                with safe_open(path, framework="pt") as file:
                    shard = file.get_tensor("latents")
            except (SafetensorError, OSError) as error:
                raise UserError(f"{path} cannot be read ({error}): delete it, and it is made again") from error
            if len(shard) != min(SHARD, self.length - number * SHARD):
                raise UserError(f"{path} has latents of {len(shard)} faces only: delete it, and it is made again")
            self._open[number] = shard
        return self._open[number][place, int(mirrored)].float()

    def __getstate__(self) -> dict[str, object]:
        return {**vars(self), "_open": {}}  # each process maps the shards itself

    def _file(self, number: int) -> Path:
        return self.folder / f"{number:06d}.safetensors"


class LatentStore:
    """The caches of several manifests together: `store[path, mirrored]` has a crop's latents (c, h, w) float32."""

    def __init__(self, caches: Sequence[tuple[Manifest, LatentCache]]) -> None:
        self._place = {
            manifest.file(row).as_posix(): (cache, row) for manifest, cache in caches for row in range(len(manifest))
        }

    @property
    def shape(self) -> tuple[int, ...]:
        """(c, h, w)."""
        return tuple(self[next(iter(self._place)), False].shape)

    def __getitem__(self, key: tuple[str, bool]) -> Tensor:
        cache, row = self._place[key[0]]
        return cache[row, key[1]]


def faces_digest(manifest: Manifest) -> str:
    """SHA-256 of names, sizes and some bytes of all crops, which is enough to distinguish compressed images.

    Raises `UserError` if a crop cannot be read.
    """
    digest = hashlib.sha256()
    for row, path in enumerate(manifest.table["path"]):
        file = manifest.file(row)
        try:
            size = file.stat().st_size
            digest.update(f"{path} {size}\n".encode())
            with file.open("rb") as content:
                content.seek(size // 2)
                digest.update(content.read(256))
        except OSError as error:
            raise UserError(f"{file} cannot be read: {error.strerror or error}") from error
    return digest.hexdigest()


def _check(path: Path, wanted: dict[str, object]) -> None:
    try:
        found = dict(json.loads(path.read_text()))
    except (ValueError, TypeError) as error:
        raise UserError(f"{path} is broken: delete {path.parent} to compute its latents again") from error
    words = {
        "model": "another model or other settings",
        "image_size": "another image size",
        "count": "other faces",
        "faces": "other faces",
    }
    for key, value in wanted.items():
        if found.get(key) != value:
            raise UserError(
                f"{path.parent} has latents of {words.get(key, 'another version')}: delete it, or choose another "
                "folder for latents"
            )
