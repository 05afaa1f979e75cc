"""Reader of a folder of real clips."""

from pathlib import Path

from difffake.readers.item import Item, files_in, name_of, some


def read_videos(root: Path) -> list[Item]:
    """Read real clips at any depth. Each clip is a group of its own, because its people are not known."""
    items = [Item(file, name_of(file, root), video=name_of(file, root)) for file in files_in(root, "video")]
    return some(items, root, "no videos")
