"""Reader of DeeperForensics-1.0, with the FaceForensics++ videos that its fakes were made of.

    manipulated_videos/end_to_end/000_M101.mp4           target 000, face of actor M101; ten more folders of variants
    lists/splits/train.txt, val.txt, test.txt            a name such as 000_M101.mp4 in each line
    original_sequences/youtube/c23/videos/000.mp4        to be linked or copied from FaceForensics++

The actors' own videos (source_videos) are not the real part of the data set, and are left out. The videos of a folder
may also be in its subfolder videos, or lie as frames: `end_to_end/frames/000_M101/000.png`.

Source: dataset/README.md of github.com/EndlessSora/DeeperForensics-1.0.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from difffake.errors import UserError
from difffake.readers.clips import clips_in, missing_line, name_parts, report_missing
from difffake.readers.ffpp import official_pairs
from difffake.readers.item import SPLITS, Item
from difffake.readers.lists import read_text
from difffake.readers.reader import Reader

FAKES = "manipulated_videos"
REALS = "original_sequences/youtube/c23"
_FAKE = r"(\d{3})_([MW]\d{3,})"


def read_deeperforensics(root: Path) -> list[Item]:
    """The manipulated videos, and their targets among the real videos of FaceForensics++ in c23.

    A method is a folder of variants. Splits are those of lists/splits, a real video being where its fakes are. To test
    what was trained on FaceForensics++, put its train.json, val.json and test.json into `root`: they are taken instead,
    so that the test videos are its own; they part the targets and not the actors, so prepare one: --splits test.
    Raises `UserError` if videos, real videos or lists are missing, or a video has another name or no split.
    """
    folders = [f for f in sorted((root / FAKES).iterdir()) if f.is_dir()] if (root / FAKES).is_dir() else []
    if not folders:
        raise UserError(f"{root} has no folders such as {FAKES}/end_to_end: unpack the data set whole")
    if not (root / REALS).is_dir():
        raise UserError(f"{root} has no {REALS}: link or copy it from FaceForensics++, whose videos are its real ones")
    pairs = official_pairs(root)
    split_of = {video: split for split, listed in pairs.items() for pair in listed for video in pair}
    if not pairs:
        split_of = {name[:3]: split for name, split in _read_lists(root).items()}
    items = []
    for folder in folders:
        for clip in clips_in(folder):
            target, actor = name_parts(clip, _FAKE, "000_M101")
            fields = {"method": folder.name, "video": f"{folder.name}/{clip.name}", "identity": target}
            items.append(clip.item(root, label=1, source=actor, target=target, **fields))
    targets = {item.target for item in items}
    for clip in clips_in(root / REALS):
        (video,) = name_parts(clip, r"(\d{3})", "000")
        if video in targets:
            items.append(clip.item(root, video=video, identity=video, target=video))
    report_missing(targets, {item.video for item in items}, str(root / REALS))
    if without := [item for item in items if item.target not in split_of]:
        raise UserError(f"{without[0].file} is in none of the lists train, val and test")
    return [replace(item, split=split_of[item.target]) for item in items]


def missing_deeperforensics(root: Path, items: Sequence[Item]) -> str:
    """What lists/splits name and is not among the chosen videos, of the variants and splits that are chosen.

    One line, or "" if nothing is missing, or FaceForensics++'s lists are taken.
    """
    splits = {item.split for item in items}
    names = [] if official_pairs(root) else [name for name, split in _read_lists(root).items() if split in splits]
    there: dict[str, set[str]] = {}
    for item in items:
        if item.label:
            there.setdefault(item.method, set()).add(item.video.rpartition("/")[2])
    return missing_line(root, dict.fromkeys(there, names), there)


def _read_lists(root: Path) -> dict[str, str]:
    """Split of each fake on the lists, by its name."""
    split_of: dict[str, str] = {}
    for split in SPLITS:
        file = root / "lists" / "splits" / f"{split}.txt"
        if not file.is_file():
            raise UserError(
                f"{file} is missing: take it from the download, or put FaceForensics++'s {split}.json into {root}"
            )
        lines = read_text(file, "which videos are in this split").splitlines()
        listed = [Path(line.strip()).stem for line in lines if line.strip()]
        if other := [name for name in listed if not re.fullmatch(_FAKE, name)]:
            raise UserError(f"{file}: {other[0]} is not like 000_M101.mp4: download it again")
        split_of |= dict.fromkeys(listed, split)
    return split_of


READER = Reader(
    read_deeperforensics,
    f"{FAKES}/end_to_end/000_M101.mp4 ..., lists/splits/*.txt, and FaceForensics++'s {REALS}",
    "lists/splits, or FaceForensics++'s train.json, val.json and test.json where they are in the root",
    "https://github.com/EndlessSora/DeeperForensics-1.0",
    missing_deeperforensics,
)
