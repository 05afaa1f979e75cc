"""Reader of a folder of real clips."""

from pathlib import Path

from difffake.readers.item import Item, files_in, name_of, some
from difffake.readers.reader import Reader


def read_videos(root: Path) -> list[Item]:
    """A folder of real clips, at any depth; each clip is its own group, as who is in it is not known."""
    items = [Item(file, name_of(file, root), video=name_of(file, root)) for file in files_in(root, "video")]
    return some(items, root, "no videos")


READER = Reader(read_videos, "clip.mp4 at any depth: real clips")
