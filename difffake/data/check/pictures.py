"""The crops themselves: whether they are there and can be read, and fingerprints of what they show."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from difffake.data.check.finding import Finding, counted, first
from difffake.data.keys import VIDEO
from difffake.data.manifest import Manifest
from difffake.errors import UserError
from difffake.faces.images import read_image
from difffake.progress import track
from difffake.workers import in_order

THUMBNAIL = 16
"""Side of the gray picture that is kept of each crop."""


class Look(NamedTuple):
    """What is kept of a crop that was opened."""

    error: str
    """Why it cannot be read; "" if it can, and else the rest is 0."""
    side: int
    """Longer side in pixels."""
    content: int
    """64 bits of a hash of its pixels: equal for equal pictures, whatever their files."""
    perceptual: int
    """`perceptual_hash`."""
    thumbnail: NDArray[np.uint8]
    """(THUMBNAIL, THUMBNAIL) gray."""


class Looks(NamedTuple):
    """What is kept of the crops that were opened, M of them."""

    rows: NDArray[np.int64]
    """(M,) rows of the manifest, rising."""
    errors: list[str]
    sides: NDArray[np.float64]
    content: NDArray[np.uint64]
    perceptual: NDArray[np.uint64]
    thumbnails: NDArray[np.uint8]
    """(M, THUMBNAIL, THUMBNAIL)"""

    @property
    def readable(self) -> NDArray[np.bool_]:
        """(M,), whether each could be read."""
        return np.array([not error for error in self.errors], dtype=bool)


def present(manifest: Manifest) -> NDArray[np.bool_]:
    """Whether the file of each row (N,) exists; each folder is listed once."""
    there: dict[str, set[str]] = {}
    found = np.empty(len(manifest), dtype=bool)
    for row, path in enumerate(manifest.table["path"].tolist()):
        folder, _, name = path.rpartition("/")
        if folder not in there:
            # An absolute path stays absolute.
            place = manifest.root / (folder or ("/" if path.startswith("/") else ""))
            there[folder] = {file.name for file in os.scandir(place)} if place.is_dir() else set()
        found[row] = name in there[folder]
    return found


def chosen_rows(manifest: Manifest, frames: int | None) -> NDArray[np.int64]:
    """Rows to open, rising: all, or of each video at most so many, evenly spaced; stills all, or none for 0."""
    table = manifest.table
    if frames is None:
        return np.arange(len(table))
    if frames == 0:
        return np.arange(0)
    moving = table[table["video"] != ""].sort_values("frame", kind="stable")
    groups = moving.groupby(VIDEO, sort=False)["frame"]
    place, size = groups.cumcount().to_numpy(), groups.transform("size").to_numpy()
    # Of the places 0 to size - 1, the first one that comes to each of `frames` equal shares.
    share = place * frames // size
    kept = (place == 0) | (share != (place - 1) * frames // size)
    return np.sort(np.concatenate([moving.index.to_numpy()[kept], np.flatnonzero(table["video"] == "")]))


def look_at(manifest: Manifest, rows: NDArray[np.int64], workers: int) -> Looks:
    """Open the crops of these rows, in several processes; 0 is one per core."""
    files = [manifest.file(row) for row in rows.tolist()]
    looks = list(track(in_order(look, files, workers), "crops", total=len(files)))
    return Looks(
        rows,
        [look.error for look in looks],
        np.array([look.side for look in looks], dtype=np.float64),
        np.array([look.content for look in looks], dtype=np.uint64),
        np.array([look.perceptual for look in looks], dtype=np.uint64),
        np.array([look.thumbnail for look in looks], dtype=np.uint8).reshape(-1, THUMBNAIL, THUMBNAIL),
    )


def look(file: Path) -> Look:
    """Open one crop."""
    try:
        image = read_image(file)
        gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        small = cv2.resize(gray, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA)
        shape = np.array(image.shape, dtype=np.int64)
        digest = hashlib.blake2b(shape.tobytes() + np.ascontiguousarray(image).tobytes(), digest_size=8).digest()
        return Look("", max(image.shape[:2]), int.from_bytes(digest, "little"), perceptual_hash(gray), small)
    except UserError as error:
        reason = str(error).removeprefix(f"{file} ")
    except Exception as error:  # whatever a library says of one file, the others are looked at
        reason = f"cannot be read: {type(error).__name__}"
    return Look(reason, 0, 0, 0, np.zeros((THUMBNAIL, THUMBNAIL), np.uint8))


def perceptual_hash(gray: NDArray[np.uint8]) -> int:
    """64 bits of a gray picture (H, W) that few changes of size, quality or brightness turn.

    The picture is scaled to 32 x 32; bits say which of the 8 x 8 lowest coefficients of its cosine transform are above
    their median (pHash; Zauner 2010, "Implementation and benchmarking of perceptual image hash functions", section
    3.2.1). The mean gray level does not count.
    """
    small = cv2.resize(gray, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32)
    low = cv2.dct(small)[:8, :8].ravel()
    low[0] = 0
    return int.from_bytes(np.packbits(low > np.median(low[1:])).tobytes(), "big")


def missing(manifest: Manifest, there: NDArray[np.bool_]) -> Iterator[Finding]:
    """A fault if crops do not exist, from `present`."""
    if number := int((~there).sum()):
        text = f"{number:,} of {counted(len(manifest), 'crop')} do not exist: prepare the data again, or copy them"
        yield Finding("fault", "missing files", text, first(manifest.table["path"][~there].iloc[:4]))


def broken(manifest: Manifest, looks: Looks) -> Iterator[Finding]:
    """A fault if crops cannot be read."""
    faulty = [(int(row), error) for row, error in zip(looks.rows, looks.errors, strict=True) if error]
    if faulty:
        named = [f"{manifest.table['path'].iat[row]} {error}" for row, error in faulty[:4]]
        text = f"{len(faulty):,} of {counted(len(looks.rows), 'crop')} that were opened"
        yield Finding("fault", "broken files", text, first(named))
