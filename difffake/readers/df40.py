"""Reader of DF40's folders: faces by 40 methods, most of them made from FaceForensics++ and Celeb-DF.

    DF40_train/simswap/frames/001_870/000.png     training fakes, from FaceForensics++
    DF40/simswap/ff/frames/000_003/000.png        test fakes, from FaceForensics++
    DF40/simswap/cdf/frames/id0_id1_0000/000.png  and from Celeb-DF
    DF40/StyleGAN2/ff/001/seed0188.png            whole faces: stills
    DF40/heygen/real/.../000.png                  nine methods bring real videos of their own, and fakes in fake
    FaceForensics++/original_sequences/youtube/c23/frames/000/000.png       the real videos of the others
    Celeb-DF-v2/Celeb-real/frames/id0_0000/000.png

Source: README.md of github.com/YZY-stack/DF40 for what is downloaded; it draws no folders: these are those of the
paths in its lists and of scripts that others published. With the lists, the reader deepfakebench reads the same data.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from difffake.errors import UserError
from difffake.readers.frames import frame_folders, frames_item
from difffake.readers.item import REAL, Item, name_of
from difffake.readers.reader import Reader

SETS = {"DF40_train": "train", "DF40": "test"}
CELEB = "DF40-Celeb-DF"
"""Name of the data set of fakes made from Celeb-DF, and of the real videos there."""
_FFPP = "FaceForensics++/original_sequences/youtube/c23"
_CELEB = ("Celeb-DF-v2/Celeb-real", "Celeb-DF-v2/YouTube-real")


def read_df40(root: Path) -> list[Item]:
    """The videos and stills of DF40: DF40_train is train, DF40 is test.

    Fakes are compared with the real videos that they were made from, so those made from Celeb-DF, and those of a method
    that has real videos of its own, are data sets of their own (`DF40-Celeb-DF`, `DF40-METHOD`); all others, made from
    FaceForensics++, have the name that `prepare` gives.

    Names are read as in the data sets that they are from: the target comes first. A real video of FaceForensics++ is in
    the split of the fakes that were made of it, and left out if there are none; those of Celeb-DF are all test, as its
    fakes are. Raises `UserError` if there are no fakes.
    """
    items: list[Item] = []
    split_of: dict[str, str] = {}
    for folder, split in SETS.items():
        if not (root / folder).is_dir():
            continue
        folders = frame_folders(root / folder)
        lying = [path.relative_to(root / folder).parts for path in folders]
        own = {parts[0] for parts in lying if _is_real(parts)}
        for (path, images), parts in zip(folders.items(), lying, strict=True):
            fake = not _is_real(parts)
            target, source = _partners(path.name) if fake else ("", "")
            method = parts[0] if fake else REAL
            video = "/".join(part for part in parts if part != "frames")
            fields = {"label": int(fake), "method": method, "split": split, "target": target or ("" if fake else video)}
            fields["dataset"] = CELEB if "cdf" in parts else f"DF40-{parts[0]}" if parts[0] in own else ""
            split_of |= dict.fromkeys((name for name in (target, source) if name), split)
            if all(re.fullmatch(r"\d+", file.stem) for _, file in images):
                items.append(frames_item(path, images, root, video=f"{folder}/{video}", source=source, **fields))
            else:
                items += [Item(file, name_of(file, root), **fields) for _, file in images]  # type: ignore[arg-type]
    if not items:
        raise UserError(f"{root}: no fakes such as DF40/simswap/ff/frames/000_003/000.png")
    for folder in (_FFPP, *_CELEB):
        for path, images in frame_folders(root / folder).items() if (root / folder).is_dir() else ():
            if split := split_of.get(path.name, "") if folder == _FFPP else "test":
                dataset = "" if folder == _FFPP else CELEB
                fields = {"video": path.name, "target": path.name, "split": split, "dataset": dataset}
                items.append(frames_item(path, images, root, **fields))
    return items


def _is_real(parts: Sequence[str]) -> bool:
    """Whether a folder below that of a method says real."""
    return "real" in (part.lower() for part in parts[1:])


def _partners(name: str) -> tuple[str, str]:
    """Target and source of a fake, each empty if its name does not tell; of Celeb-DF the source is a person."""
    if match := re.fullmatch(r"(\d{3})_(\d{3})", name):
        return match[1], match[2]
    if match := re.fullmatch(r"(id\d+)_(id\d+)_(\d+)", name):
        return f"{match[1]}_{match[3]}", match[2]
    return "", ""


READER = Reader(
    read_df40,
    "DF40/METHOD/ff/frames/000_003/000.png, DF40_train/METHOD/..., and reals in FaceForensics++ and Celeb-DF-v2",
    "train and test as published; no val",
    "https://github.com/YZY-stack/DF40",
)
