"""Reader of FaceForensics++, in the folders that its download makes.

    original_sequences/youtube/c23/videos/000.mp4
    manipulated_sequences/Deepfakes/c23/videos/000_003.mp4       METHOD, and raw (or c0), c23, c40
    train.json, val.json, test.json                              in the root or in splits/

A video may also lie as frames, in one of three layouts; videos come first where both are there:

    .../c23/frames/000/0000.png          DeepfakeBench
    .../c23/images/000/0000.png          the data set's own extraction script
    .../c23/000/000_0000.png             DiffusionFake

Source of the names: dataset/README.md in github.com/ondyari/FaceForensics.
"""

import json
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path

from difffake.errors import UserError
from difffake.progress import console
from difffake.readers.clips import Clip, clips_in, name_parts, report_missing
from difffake.readers.item import SPLITS, Item, some
from difffake.readers.reader import Reader

FAKES = "manipulated_sequences"
METHODS = ("Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures", "FaceShifter")
COMPRESSIONS = {"raw": "raw", "c0": "raw", "c23": "c23", "c40": "c40"}  # folder: name in the manifest


def read_ffpp(root: Path) -> list[Item]:
    """Read the YouTube videos of FaceForensics++, and the fakes that its five methods made of them.

    A fake `000_003` has the target 000 and the source 003. Each video counts as a person of its own, and a fake claims
    to show its target's. The official splits are taken if `root`, or its folder splits, has train.json, val.json and
    test.json, and what is missing of their videos is printed. Raises `UserError` if there are no such videos, a folder
    of them is empty, or one has another name or no split.
    """
    pairs = official_pairs(root)
    split_of = {video: split for split, listed in pairs.items() for pair in listed for video in pair}
    fakes = [f"{a}_{b}" for listed in pairs.values() for one, two in listed for a, b in ((one, two), (two, one))]
    items = []
    for clip, compression in compressed_clips(root / "original_sequences" / "youtube", split_of):
        (video,) = name_parts(clip, r"(\d{3})", "000")
        items.append(clip.item(root, video=video, identity=video, target=video, compression=compression))
    for method in METHODS:
        for clip, compression in compressed_clips(root / FAKES / method, fakes):
            target, source = name_parts(clip, r"(\d{3})_(\d{3})", "000_003")
            items.append(fake_item(clip, root, method, target, source, target, compression))
    layout = f"original_sequences/youtube/c23/videos/000.mp4 or {FAKES}/Deepfakes/c23/videos/000_003.mp4"
    refuse_twice(some(items, root, f"no videos such as {layout}"))
    if not pairs:
        console.print(f"{root} has no train.json, val.json and test.json: --split shares its videos out")
        return items
    if without := [item for item in items if item.target not in split_of]:
        raise UserError(
            f"{without[0].file}: its target {without[0].target} is not in any of train.json, val.json, test.json"
        )
    return [replace(item, split=split_of[item.target]) for item in items]


def compressed_clips(folder: Path, listed: Collection[str] = ()) -> Iterator[tuple[Clip, str]]:
    """The videos of one folder in every compression, with it; masks and models, which lie beside them, are left out.

    What is missing of the names `listed` is printed for each compression that is there.
    """
    for name, compression in COMPRESSIONS.items():
        if (folder / name).is_dir():
            clips = clips_in(folder / name)
            report_missing(listed, {clip.name for clip in clips}, f"{folder / name}")
            for clip in clips:
                yield clip, compression


def fake_item(clip: Clip, root: Path, method: str, target: str, source: str, identity: str, compression: str) -> Item:
    """A fake; its video is named after the method too, as every method has a 000_003."""
    video = f"{method}/{clip.name}"
    people = {"identity": identity, "source": source, "target": target}
    return clip.item(root, label=1, method=method, video=video, compression=compression, **people)


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


def official_pairs(root: Path) -> dict[str, list[tuple[str, str]]]:
    """Pairs of videos by split, of lists such as [["071", "054"]] in `root` or its folder splits; {} without any list.

    Raises `UserError` if only some of the three are there, or one is no such list.
    """
    files = {split: f"{split}.json" for split in SPLITS}
    folder = next((f for f in (root, root / "splits") if any((f / name).is_file() for name in files.values())), None)
    if folder is None:
        return {}
    pairs = {}
    for split, name in files.items():
        try:
            pairs[split] = [(str(one), str(two)) for one, two in json.loads((folder / name).read_text())]
        except (OSError, ValueError, TypeError) as error:
            raise UserError(f"{folder / name} cannot be read as a list of pairs of videos: {error}") from error
    return pairs


READER = Reader(
    read_ffpp,
    f"original_sequences/youtube/c23/videos/*.mp4 or c23/frames/*/*.png, {FAKES}/METHOD/c23/..., train.json, val.json, "
    "test.json",
    "train.json, val.json and test.json of the download, else --split",
    "https://github.com/ondyari/FaceForensics",
)
