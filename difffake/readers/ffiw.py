"""Reader of FFIW-10K: videos of several people, of whom some were given another face.

    FFIW10K-v1-release/source/train/train_00000000.mp4          real
    FFIW10K-v1-release/target/train/train_00000000.mp4          the same video, manipulated
    FFIW10K-v1-release/target_mask/train/train_00000000_mask.mp4     where; not read
    FFIW10K-v1-release-test/source/...                          the test set is a download of its own

The root is one of these folders or the one above them. Source: README.md of github.com/tfzhou/FFIW. It does not draw
the test set; it is taken to be like the others, with or without a folder test or val in source and target.
"""

from pathlib import Path

from difffake.errors import UserError
from difffake.progress import console
from difffake.readers.clips import clips_in
from difffake.readers.item import SPLITS, Item, some
from difffake.readers.reader import Reader

METHOD = "FFIW"
_LAYOUT = "source/train/*.mp4 and target/train/*.mp4"


def read_ffiw(root: Path) -> list[Item]:
    """The videos of FFIW-10K: a fake's target is the video of the same name in source. Whose face it shows is unknown.

    The fake shows the people of the real video too, most of them untouched: only the video as a whole is labelled.
    Raises `UserError` if there are no such folders, or fakes have no source.
    """
    items: list[Item] = []
    for release in (root, *sorted(path for path in root.iterdir() if path.is_dir())):
        for split in SPLITS:
            pair = [_folder(release, kind, split) for kind in ("source", "target")]
            if pair == [None, None]:
                continue
            for label, folder in enumerate(pair):
                if folder is None:
                    raise UserError(f"{release}: {split} lacks its {'target' if label else 'source'}: download both")
                for clip in clips_in(folder):
                    video = f"{split}/{clip.name}"
                    fields = {"label": 1, "method": METHOD} if label else {}
                    items.append(
                        clip.item(
                            root, video=f"{METHOD}/{video}" if label else video, target=video, split=split, **fields
                        )
                    )
    reals = {item.video for item in items if not item.label}
    if alone := [item.file for item in items if item.target not in reals]:
        console.print(f"{root}: {len(alone)} manipulated videos without their source, such as {alone[0]}")
    return some(items, root, f"no videos such as {_LAYOUT}")


def _folder(release: Path, kind: str, split: str) -> Path | None:
    """Folder of real or manipulated videos of a split, None if there is none."""
    if release.name.endswith("-test"):
        if split != "test":
            return None
        folders = [release / kind / name for name in ("test", "val", "")]
    else:
        folders = [release / kind / split]
    return next((folder for folder in folders if folder.is_dir()), None)


READER = Reader(
    read_ffiw,
    f"{_LAYOUT}, and so val and test",
    "train and val as published; test from the folder FFIW10K-v1-release-test",
    "https://github.com/tfzhou/FFIW",
)
