"""The result of a reader: files of a data set with their labels."""

from dataclasses import dataclass
from pathlib import Path

from difffake.errors import UserError
from difffake.faces.listing import Kind, kind_of, left_out, list_media
from difffake.progress import console

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
    frame: int = 0  # of a still that is a frame of a video
    role: str = ""  # reference for a trusted image of its person

    @property
    def is_video(self) -> bool:
        """Whether the file is a video; see `kind_of`."""
        return kind_of(self.file) == "video"


def files_in(root: Path, kind: Kind) -> list[Path]:
    """Images or videos below `root` at any depth, sorted; the number of other files is printed.

    Raises `UserError` if `root` is not a folder.
    """
    found = list_media(root)
    taken, other = (found.images, found.videos) if kind == "image" else (found.videos, found.images)
    if other := other + found.others:
        console.print(left_out(other, root))
    return taken


def name_of(file: Path, root: Path) -> str:
    """The value of `Item.name`: the path relative to `root`, without suffix."""
    return file.relative_to(root).with_suffix("").as_posix()


def some(items: list[Item], where: Path, problem: str) -> list[Item]:
    """Return the items. Raises `UserError` with the problem if there are none."""
    if not items:
        raise UserError(f"{where}: {problem}")
    return items
