"""The result of a reader: files of a data set with their labels."""

from dataclasses import dataclass
from pathlib import Path

from difffake.errors import UserError
from difffake.faces.listing import Kind, kind_of, left_out, list_media
from difffake.progress import console

REAL = "real"
"""Method of a real face."""
SPLITS = ("train", "val", "test")
SPLIT_NAMES = {name: name for name in SPLITS} | {
    "training": "train",
    "valid": "val",
    "validation": "val",
    "testing": "test",
}
"""Names of splits that tables and folders use, in lower case, and ours."""


@dataclass(frozen=True)
class Item:
    """One still image or video of a data set; the fields are those of the manifest.

    A video lies as a file, or as numbered `images` in a folder.
    """

    file: Path  # the image or the video, or the folder of its frames
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
    images: tuple[tuple[int, Path], ...] = ()  # number and file of each frame, of a video that lies as images
    dataset: str = ""  # of a reader that reads several at once; "" takes the name that `prepare` gives

    @property
    def is_video(self) -> bool:
        """Whether it is a video, as a file (see `kind_of`) or as numbered images."""
        return bool(self.images) or kind_of(self.file) == "video"


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
