"""What a reader gives: files of a data set with their labels."""

from dataclasses import dataclass
from pathlib import Path

from difffake.errors import UserError
from difffake.faces.video import VIDEO_SUFFIXES

REAL = "real"
"""Method of a real face."""
SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Item:
    """One file of a data set: a still image or a video; the fields are those of the manifest."""

    file: Path
    name: str  # relative path without suffix; names the crops
    label: int = 0
    method: str = REAL
    split: str = ""  # "" lets `prepare` choose
    video: str = ""
    identity: str = ""
    source: str = ""
    target: str = ""
    compression: str = ""

    @property
    def is_video(self) -> bool:
        """Whether the file is a video, by its suffix."""
        return self.file.suffix.lower() in VIDEO_SUFFIXES


def files_in(root: Path, suffixes: tuple[str, ...]) -> list[Path]:
    """Files below `root` at any depth with one of `suffixes`, sorted. Raises `UserError` if it is no folder."""
    if not root.is_dir():
        raise UserError(f"{root} is not a folder")
    return sorted(p for p in root.rglob("*") if p.suffix.lower() in suffixes and not p.name.startswith("."))


def name_of(file: Path, root: Path) -> str:
    """What `Item.name` is: the path below `root` without suffix."""
    return file.relative_to(root).with_suffix("").as_posix()


def some(items: list[Item], where: Path, problem: str) -> list[Item]:
    """The items themselves. Raises `UserError` with the problem if there are none."""
    if not items:
        raise UserError(f"{where}: {problem}")
    return items
