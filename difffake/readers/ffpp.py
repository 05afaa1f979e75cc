"""Reader of FaceForensics++, in the folders that its download makes.

The names are explained in dataset/README.md of github.com/ondyari/FaceForensics.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from difffake.errors import UserError
from difffake.readers.item import SPLITS, Item, files_in, name_of, some

FAKES = "manipulated_sequences"
METHODS = ("Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures", "FaceShifter")
COMPRESSIONS = {"raw": "raw", "c0": "raw", "c23": "c23", "c40": "c40"}  # folder: name in the manifest


def read_ffpp(root: Path) -> list[Item]:
    """Read the YouTube videos of FaceForensics++, and the fakes that its five methods made of them.

    A fake `000_003` has the target 000 and the source 003. Each video counts as a different person, and a fake has the
    identity of its target. The official splits are used if `root`, or its folder splits, has train.json, val.json and
    test.json.

    Raises `UserError` if there are no such videos, or if a video has another name or no split.
    """
    items = []
    for file, compression in videos_in(root / "original_sequences" / "youtube"):
        (video,) = name_parts(file, r"(\d{3})", "000")
        items.append(
            Item(file, name_of(file, root), video=video, identity=video, target=video, compression=compression)
        )
    for method in METHODS:
        for file, compression in videos_in(root / FAKES / method):
            target, source = name_parts(file, r"(\d{3})_(\d{3})", "000_003")
            items.append(fake_item(file, root, method, target, source, target, compression))
    layout = f"original_sequences/youtube/c23/videos/000.mp4 or {FAKES}/Deepfakes/c23/videos/000_003.mp4"
    return _with_splits(refuse_twice(some(items, root, f"no videos such as {layout}")), root)


def fake_item(file: Path, root: Path, method: str, target: str, source: str, identity: str, compression: str) -> Item:
    """The item of a fake. The name of its video includes the method, because every method has a video 000_003."""
    video = f"{method}/{file.stem}"
    return Item(
        file, name_of(file, root), 1, method, "", video, identity, source=source, target=target, compression=compression
    )


def videos_in(folder: Path) -> Iterator[tuple[Path, str]]:
    """Videos of a folder with their compression, in all compressions; masks and models beside them are left out."""
    for name, compression in COMPRESSIONS.items():
        if (folder / name / "videos").is_dir():
            for file in files_in(folder / name / "videos", "video"):
                yield file, compression


def name_parts(file: Path, pattern: str, example: str) -> tuple[str, ...]:
    """The groups of `pattern` in the file's name without suffix. Raises `UserError` if it does not match."""
    match = re.fullmatch(pattern, file.stem)
    if match is None:
        raise UserError(f"{file}: its name is not like {example}{file.suffix}: rename or remove it")
    return match.groups()


def refuse_twice(items: list[Item]) -> list[Item]:
    """Return the items. Raises `UserError` if a video occurs twice, such as in raw and c0, and would count twice."""
    found: dict[tuple[str, str], Item] = {}
    for item in items:
        other = found.setdefault((item.video, item.compression), item)
        if other is not item:
            raise UserError(
                f"{other.file} and {item.file} are the same video in the same compression: remove one of them"
            )
    return items


def _with_splits(items: list[Item], root: Path) -> list[Item]:
    """Add the official splits, if their files exist: lists of pairs of videos such as [["071", "054"]]."""
    files = {split: f"{split}.json" for split in SPLITS}
    folder = next((f for f in (root, root / "splits") if any((f / name).is_file() for name in files.values())), None)
    if folder is None:
        return items
    split_of: dict[str, str] = {}
    for split, name in files.items():
        try:
            split_of |= {video: split for pair in json.loads((folder / name).read_text()) for video in pair}
        except (OSError, ValueError, TypeError) as error:
            raise UserError(f"{folder / name} cannot be read as a list of pairs of videos: {error}") from error
    if without := [item for item in items if item.target not in split_of]:
        raise UserError(f"{without[0].file}: its target {without[0].target} is not in any of {folder}/*.json")
    return [replace(item, split=split_of[item.target]) for item in items]
