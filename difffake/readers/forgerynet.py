"""Reader of ForgeryNet's images: 15 ways of forgery, and frames of the real videos that they were made from.

    Training/image_list.txt                              lines such as train_release/18/aa7b/frame00014.jpg 0 0 0
    Training/image/train_release/18/aa7b/frame00014.jpg  folders 1 to 15 are forgeries, 16 to 19 real
    Validation/image_list.txt, Validation/image/val_release/...

A line is the image's path below image, then its class among 2, 3 and 16: 0 is real. The lists are a download of their
own, train_list.tar and val_list.tar. Source: Readme.txt of github.com/yinanhe/ForgeryNet, and the loader of
github.com/wangjk666/PyDeepFakeDet for the folders.
"""

from collections import Counter
from pathlib import Path

from difffake.errors import UserError
from difffake.faces.listing import count
from difffake.progress import console
from difffake.readers.frames import frames_item, numbered
from difffake.readers.item import REAL, Item, name_of, some
from difffake.readers.lists import read_text
from difffake.readers.reader import Reader

METHODS = (
    REAL, "FaceShifter", "FS-GAN", "DeepFakes", "BlendFace", "MMReplacement", "DeepFakes-StarGAN-Stack",
    "Talking Head Video", "ATVG-Net", "StarGAN-BlendFace-Stack", "First Order Motion", "StyleGAN2", "MaskGAN",
    "StarGAN2", "SC-FEGAN", "DiscoFaceGAN",
)  # fmt: skip
"""Names of the 16 classes."""
SETS = {"Training": "train", "Validation": "val", "Test": "test"}
LIST, VIDEO_LIST = "image_list.txt", "video_list.txt"
_IMAGES = ("image", "images")


def read_forgerynet(root: Path) -> list[Item]:
    """The images that the lists of ForgeryNet name; those of one folder are frames of one video.

    Who is in them is not published. The videos of the data set are left out, with a line: their fakes have real
    stretches, so that a frame's label is not its video's. Sets without a list, and listed images that are not there,
    are printed. Raises `UserError` if there is no list, a line is another one, or none of its images is there.
    """
    items: list[Item] = []
    sets = [name for name in SETS if (root / name).is_dir()]
    for name in sets:
        if (root / name / VIDEO_LIST).is_file():
            console.print(f"{root / name}: videos left out: fakes among them have real stretches")
        if not (root / name / LIST).is_file():
            console.print(f"{root / name}: {LIST} is missing, so its images are left out")
            continue
        items += _read_set(root / name, root, SETS[name])
    return some(items, root, f"no folder {', '.join(sets or SETS)} has a {LIST} and its images")


def _read_set(folder: Path, root: Path, split: str) -> list[Item]:
    """The images of one list, by folder and class."""
    path = folder / LIST
    images = next((folder / name for name in _IMAGES if (folder / name).is_dir()), folder / _IMAGES[0])
    by_video: dict[tuple[str, int], list[Path]] = {}
    for number, line in enumerate(read_text(path, "which images are real or fake").splitlines(), start=1):
        if not line.strip():
            continue
        name, *classes = line.rsplit(maxsplit=3)
        try:
            binary, _, kind = (int(text) for text in classes)
            if (binary == 0) != (METHODS[kind] == REAL) or binary not in (0, 1) or kind < 0:
                raise ValueError
        except (ValueError, IndexError):
            raise UserError(f"{path}, line {number}: {line!r} is not like 1/a/frame1.jpg 1 2 1") from None
        by_video.setdefault((Path(name).parent.as_posix(), kind), []).append(images / name)
    missing = Counter[str]()
    items: list[Item] = []
    for (video, kind), files in by_video.items():
        there = set((images / video).iterdir()) if (images / video).is_dir() else set()
        found = [file for file in files if file in there]
        missing[video] += len(files) - len(found)
        items += _items(images / video, found, root, split, kind, video)
    if gone := sum(missing.values()):
        first = next(video for video, number in missing.items() if number)
        console.print(f"{path}: {count(gone, 'listed image')} missing, such as some of {images / first}")
    return items


def _items(folder: Path, files: list[Path], root: Path, split: str, kind: int, video: str) -> list[Item]:
    """A video's frames; or stills, where names do not number them."""
    fields = {"label": int(kind > 0), "method": METHODS[kind], "split": split}
    try:
        return [frames_item(folder, numbered(files), root, video=video, **fields)] if files else []
    except UserError:
        return [Item(file, name_of(file, root), **fields) for file in files]  # type: ignore[arg-type]


READER = Reader(
    read_forgerynet,
    f"Training/{LIST}, Training/image/..., and so Validation",
    "train and val as published",
    "https://yinanhe.github.io/projects/forgerynet.html",
)
