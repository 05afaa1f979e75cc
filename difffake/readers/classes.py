"""Reader of class folders.

real/a.jpg, fake/b.jpg                            also 0_real and 1_fake, original, manipulated ...
real/clip.mp4, Deepfakes/clip.mp4                 also named after a known manipulation
train/real/..., real/train/...                    and below, above or between folders of splits
real/000/0000.png                                 numbered pictures in a folder of their own are a video
"""

from pathlib import Path
from typing import Any

from difffake.errors import UserError
from difffake.faces.listing import list_media
from difffake.readers.class_names import classes_below, is_method
from difffake.readers.clips import Clip
from difffake.readers.frames import numbered, report_left_out
from difffake.readers.item import REAL, SPLIT_NAMES, Item, some
from difffake.readers.reader import Reader


def read_classes(root: Path) -> list[Item]:
    """Pictures and videos below folders whose names say real or fake; whom they show is not known.

    The method of a fake is its folder where that is a known manipulation, else fake. What is in no such folder is left
    out, and counted. Raises `UserError` if there is none, or one folder of each class leads to one file.
    """
    listing = list_media(root)
    classes = classes_below(root, listing.media)
    items, unknown = [], listing.others
    by_folder: dict[Path, list[Path]] = {}
    for image in listing.images:
        by_folder.setdefault(image.parent, []).append(image)
    clips = [clip for folder, files in by_folder.items() for clip in _clips(folder, files, root, classes)]
    for clip in sorted([*clips, *map(Clip, listing.videos)], key=lambda clip: clip.file):
        fields = _fields(clip.file, root, classes)
        if fields is None:
            unknown += [file for _, file in clip.images] or [clip.file]
            continue
        item = clip.item(root, **fields)
        items.append(clip.item(root, video=item.name, **fields) if item.is_video else item)
    report_left_out(unknown, root)
    return some(items, root, "no pictures or videos in folders named real or fake, or after a known manipulation")


def _clips(folder: Path, files: list[Path], root: Path, classes: dict[Path, int]) -> list[Clip]:
    """The pictures of a folder: the frames of one video if it is no folder of a class or split, else stills."""
    if folder not in (root, *classes) and folder.name.lower() not in SPLIT_NAMES:
        try:
            return [Clip(folder, numbered(files))]
        except UserError:
            pass
    return [Clip(file) for file in files]


def _fields(file: Path, root: Path, classes: dict[Path, int]) -> dict[str, Any] | None:
    """Label, method and split that the folders above a file say; None without a class."""
    above = [folder for folder in reversed(file.parents) if root in folder.parents]
    said = [folder for folder in above if folder in classes]
    if not said:
        return None
    if len({classes[folder] for folder in said}) > 1:
        raise UserError(f"{file} is both real and fake by its folders {', '.join(f.name for f in said)}: rename either")
    split = next((SPLIT_NAMES[f.name.lower()] for f in above if f.name.lower() in SPLIT_NAMES), "")
    if not classes[said[0]]:
        return {"label": 0, "method": REAL, "split": split}
    return {"label": 1, "method": next((f.name for f in said if is_method(f.name)), "fake"), "split": split}


READER = Reader(
    read_classes,
    "real/..., fake/... (or 0_real, 1_fake, original, manipulated, Deepfakes ...): pictures, videos, folders of frames",
    "folders train, val, test around or in them, else --split",
)
