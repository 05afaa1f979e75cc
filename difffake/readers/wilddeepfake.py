"""Reader of WildDeepfake: face sequences of deepfakes and real videos that were found on the web.

    deepfake_in_the_wild/real_train/0.tar.gz     unpacked beside it: real_train/0/real/103/57.png
    deepfake_in_the_wild/fake_test/...

Each archive holds several folders of face crops; one folder is one sequence, and an image is named by its frame's
number in the video that it is from. Source: README.md of github.com/OpenTAI/wild-deepfake; the folders inside an
archive as scripts that unpack them have them, so that any depth is read.
"""

from itertools import product
from pathlib import Path

from difffake.errors import UserError
from difffake.faces.listing import count
from difffake.progress import console
from difffake.readers.frames import frame_folders, frames_item
from difffake.readers.item import REAL, Item
from difffake.readers.reader import Reader

METHOD = "WildDeepfake"
_TOP = "deepfake_in_the_wild"


def read_wilddeepfake(root: Path) -> list[Item]:
    """The sequences of WildDeepfake in the published splits, train and test.

    Who is in them, and which are of one video, is not published, so that each is a video of its own. Archives that are
    not unpacked, and which of the four folders are missing, are printed. Raises `UserError` if no sequence is there, or
    only real or only fake ones.
    """
    top = root / _TOP if (root / _TOP).is_dir() else root
    items: list[Item] = []
    missing: list[str] = []
    for split, kind in product(("train", "test"), ("real", "fake")):
        name = f"{kind}_{split}"
        folder = next((path for path in (top / name, top / name.replace("_", " ")) if path.is_dir()), None)
        if folder is None:
            missing.append(name)
            continue
        _report_packed(folder)
        for sequence, images in frame_folders(folder).items():
            video = f"{name}/{sequence.relative_to(folder).as_posix()}"
            fake = kind == "fake"
            items.append(
                frames_item(
                    sequence, images, root, label=int(fake), method=METHOD if fake else REAL, split=split, video=video
                )
            )
    if missing:
        console.print(f"{top}: {', '.join(missing)} missing")
    if len({item.label for item in items}) < 2:
        found = "sequences of one kind only" if items else "no sequences such as real_train/0/real/103/57.png"
        raise UserError(f"{top}: {found}: unpack the archives of real_* and fake_* there")
    return items


def _report_packed(folder: Path) -> None:
    """Print which archives lie in `folder` without what was in them."""
    names = {path.name for path in folder.iterdir()}
    archives = sorted(name for name in names if name.endswith((".tar.gz", ".tar", ".tgz")))
    if packed := [name for name in archives if name.partition(".")[0] not in names]:
        console.print(f"{folder}: {count(len(packed), 'archive')} not unpacked, such as {packed[0]}")


READER = Reader(
    read_wilddeepfake,
    "real_train/0/**/SEQUENCE/57.png, and so fake_train, real_test, fake_test",
    "train and test as published; no val",
    "https://github.com/OpenTAI/wild-deepfake",
)
