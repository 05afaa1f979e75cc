"""Which files are images and which are videos, for all commands."""

import os
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from difffake.errors import UserError

Kind = Literal["image", "video"]

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".jfif", ".png", ".bmp", ".webp", ".tif", ".tiff", ".avif")
VIDEO_SUFFIXES = (
    ".mp4", ".avi", ".mov", ".mkv", ".webm", ".mpg", ".mpeg", ".m4v", ".wmv", ".flv", ".3gp", ".mts", ".m2ts",
)  # fmt: skip
MEDIA_SUFFIXES = (*IMAGE_SUFFIXES, *VIDEO_SUFFIXES, ".gif", ".ts")

_IMAGE_BRANDS = (b"avif", b"avis", b"heic", b"heix", b"mif1", b"msf1")
_HEAD = 512
"""Number of bytes of a file that are enough to find its format."""


@dataclass(frozen=True)
class Listing:
    """Files in a folder and below it; each list is sorted."""

    images: list[Path] = field(default_factory=list)
    videos: list[Path] = field(default_factory=list)
    others: list[Path] = field(default_factory=list)
    """Files that are neither, broken links, and folders that cannot be read."""

    @property
    def media(self) -> list[Path]:
        """Images and videos together, sorted."""
        return sorted(self.images + self.videos)


def kind_of(path: Path) -> Kind | None:
    """Whether a file is an image or a video: by its suffix, or by its first bytes if the suffix is not enough.

    The first bytes are read if the suffix is missing, unknown, `.gif` (an animated GIF is a video) or `.ts` (also a
    suffix of programs). The result is None for other files, folders, and files that cannot be read.
    """
    suffix = path.suffix.lower()
    if suffix in IMAGE_SUFFIXES:
        return "image"
    if suffix in VIDEO_SUFFIXES:
        return "video"
    return kind_by_content(path)


def kind_by_content(path: Path) -> Kind | None:
    """Whether a file is an image or a video, by its first bytes alone; None for others and unreadable files."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError:
        return None
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "video" if _is_animated(path) else "image"
    return _kind_of_bytes(head)


def list_media(root: Path) -> Listing:
    """List images, videos and other files in `root` and all folders below it.

    Linked folders are followed, but each folder is listed once, so circular links do not matter. A folder that is also
    below `root` is listed under its own name. Names that begin with a dot are left out. Raises `UserError` if `root` is
    not a folder.
    """
    if not root.is_dir():
        raise UserError(f"{root} is not a folder")
    listing = Listing()
    for file in _files(root):
        kind = kind_of(file) if file.is_file() else None
        {"image": listing.images, "video": listing.videos, None: listing.others}[kind].append(file)
    for files in (listing.images, listing.videos, listing.others):
        files.sort()
    return listing


def count(number: int, noun: str) -> str:
    """A number with a noun, such as `1 file` or `2 files`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def left_out(files: Iterable[Path], root: Path, noun: str = "other file") -> str:
    """A message such as `photos: 2 other files left out (a.txt, b.txt)`, with at most three names."""
    names = [file.relative_to(root).as_posix() for file in sorted(files)]
    shown = ", ".join([*names[:3], *(["..."] if len(names) > 3 else [])])
    return f"{root}: {count(len(names), noun)} left out ({shown})"


def _files(root: Path) -> list[Path]:
    """All files below `root`, and folders that cannot be read; linked folders are visited last."""
    files: list[Path] = []
    seen: set[str] = set()
    waiting = deque([root])

    def note(error: OSError) -> None:
        files.append(Path(error.filename))

    while waiting:
        for here, folders, names in os.walk(waiting.popleft(), onerror=note):
            real = os.path.realpath(here)
            if real in seen:
                folders.clear()
                continue
            seen.add(real)
            folders[:] = [name for name in folders if not name.startswith(".")]
            waiting.extend(Path(here, name) for name in sorted(folders) if Path(here, name).is_symlink())
            files += [Path(here, name) for name in names if not name.startswith(".")]
    return files


def _kind_of_bytes(head: bytes) -> Kind | None:
    if head.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"II*\0", b"MM\0*")):
        return "image"
    if head[:2] == b"BM" and head[6:10] == bytes(4):  # the four bytes are reserved in a BMP
        return "image"
    if head[:4] == b"RIFF":
        kinds: dict[bytes, Kind] = {b"WEBP": "image", b"AVI ": "video"}
        return kinds.get(head[8:12])
    if head[4:8] == b"ftyp":
        return "image" if head[8:12] in _IMAGE_BRANDS else "video"
    starts = (b"\x1aE\xdf\xa3", b"\0\0\x01\xba", b"\0\0\x01\xb3", b"FLV\x01", b"0&\xb2u\x8ef\xcf\x11")
    if head.startswith(starts) or head[4:8] in (b"moov", b"mdat", b"wide"):
        return "video"
    # An MPEG transport stream has a sync byte at the start of every packet of 188 bytes.
    return "video" if len(head) > 376 and head[0] == head[188] == head[376] == 0x47 else None


def _is_animated(path: Path) -> bool:
    from PIL import Image

    try:
        with Image.open(path) as image:
            return bool(getattr(image, "is_animated", False))
    except (
        Exception
    ):  # Pillow raises many kinds of errors for broken files; the error is reported when the file is read
        return False
