"""Reader of a folder of real clips."""

from pathlib import Path

from difffake.readers.class_names import refuse_fakes
from difffake.readers.item import Item, files_in, name_of, some
from difffake.readers.reader import Reader


def read_videos(root: Path) -> list[Item]:
    """A folder of real clips, at any depth; each clip is its own group, as who is in it is not known.

    Raises `UserError` if there are none, or a folder's name says fake.
    """
    files = files_in(root, "video")
    refuse_fakes(root, files, "videos")
    items = [Item(file, name_of(file, root), video=name_of(file, root)) for file in files]
    return some(items, root, "no videos")


READER = Reader(read_videos, "clip.mp4 at any depth: real clips", real_only=True)
