"""Uploaded files: where they lie, how large they may be, and when they are deleted."""

import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from difffake.errors import UserError

KEPT = 600.0
"""Seconds from the upload of a file until it is deleted."""
ROOM = 10
"""All uploads together may have so many times the size of one."""

_TOKEN = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Limits:
    """What one user may send at once.

    Args:
        megabytes: largest size of one upload (one file, or several that are sent together), in 10^6 bytes.
        seconds: longest clip.
    """

    megabytes: float
    seconds: float

    @property
    def bytes(self) -> int:
        """Largest size of one upload in bytes."""
        return round(self.megabytes * 1_000_000)


class Uploads:
    """Files in a private folder, each known by a random token. What a user calls a file never becomes a path.

    Args:
        folder: folder that nobody else can read; the files are written there.
        limits: largest upload.
    """

    def __init__(self, folder: Path, limits: Limits) -> None:
        self.folder = folder
        self.limits = limits

    def store(self, source: BinaryIO) -> str:
        """Write a file, and give its token."""
        token = secrets.token_hex(16)
        with (self.folder / token).open("xb") as file:
            shutil.copyfileobj(source, file)
        return token

    @property
    def full(self) -> bool:
        """Whether there is no room for another upload until older ones are deleted."""
        return sum(size for _, size, _ in self._all()) >= ROOM * self.limits.bytes

    @contextmanager
    def held(self, token: str) -> Iterator[Path]:
        """A name of its own for an upload, which stays until the block ends, even if the upload is deleted before.

        Raises `UserError` if there is no such upload.
        """
        path = self.folder / f"held-{secrets.token_hex(16)}"  # without a suffix: only the bytes say what a file is
        try:
            if not _TOKEN.fullmatch(token):
                raise FileNotFoundError
            os.link(self.folder / token, path)
        except FileNotFoundError:
            raise UserError(
                f"this upload is not there any more (uploads are kept for {KEPT / 60:g} minutes): drop the file again"
            ) from None
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)

    def delete_old(self, seconds: float = KEPT) -> None:
        """Delete uploads that came more than so many seconds ago."""
        for path, _, written in self._all():
            if _TOKEN.fullmatch(path.name) and time.time() - written > seconds:
                path.unlink(missing_ok=True)

    def _all(self) -> Iterator[tuple[Path, int, float]]:
        """Path, size in bytes and time of writing of each file."""
        for path in self.folder.iterdir():
            with suppress(FileNotFoundError):  # it was deleted meanwhile
                found = path.stat()
                yield path, found.st_size, found.st_mtime
