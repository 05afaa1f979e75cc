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

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from difffake.errors import UserError
from difffake.progress import console
from difffake.readers.clips import Clip, clips_in, missing_line, name_parts
from difffake.readers.item import REAL, SPLITS, Item, some
from difffake.readers.lists import read_json
from difffake.readers.reader import Reader

FAKES = "manipulated_sequences"
METHODS = ("Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures", "FaceShifter")
COMPRESSIONS = {"raw": "raw", "c0": "raw", "c23": "c23", "c40": "c40"}  # folder: name in the manifest


def read_ffpp(root: Path) -> list[Item]:
    """Read the YouTube videos of FaceForensics++, and the fakes that its five methods made of them.

    A fake `000_003` has the target 000 and the source 003. Each video counts as a person of its own, and a fake claims
    to show its target's. The official splits are taken if `root`, or its folder splits, has train.json, val.json and
    test.json. Raises `UserError` if there are no such videos, a folder
    of them is empty, or one has another name or no split.
    """
    pairs = official_pairs(root)
    split_of = {video: split for split, listed in pairs.items() for pair in listed for video in pair}
    items = []
    for clip, compression in compressed_clips(root / "original_sequences" / "youtube"):
        (video,) = name_parts(clip, r"(\d{3})", "000")
        items.append(clip.item(root, video=video, identity=video, target=video, compression=compression))
    for method in METHODS:
        for clip, compression in compressed_clips(root / FAKES / method):
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


def compressed_clips(folder: Path) -> Iterator[tuple[Clip, str]]:
    """The videos of one folder in every compression, with it; masks and models, which lie beside them, are left out."""
    for name, compression in COMPRESSIONS.items():
        if (folder / name).is_dir():
            for clip in clips_in(folder / name):
                yield clip, compression


def missing_ffpp(root: Path, items: Sequence[Item]) -> str:
    """What the official lists name and is not among the chosen videos, of the methods and splits that are chosen.

    A method or compression of which nothing was chosen is not missed. One line, or "" if nothing is missing.
    """
    splits = {item.split for item in items}
    pairs = [pair for split, listed in official_pairs(root).items() if split in splits for pair in listed]
    fakes = {f"{a}_{b}" for one, two in pairs for a, b in ((one, two), (two, one))}
    reals = {video for pair in pairs for video in pair}
    kinds: dict[tuple[str, str], set[str]] = {}
    for item in items:
        kinds.setdefault((item.method, item.compression), set()).add(item.video.rpartition("/")[2])
    listed = {f"{method} {compression}": fakes if method != REAL else reals for method, compression in kinds}
    return missing_line(root, listed, dict(zip(listed, kinds.values(), strict=True)))


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
            listed = read_json(folder / name, "which videos belong together in a split")
            pairs[split] = [(str(one), str(two)) for one, two in listed]
        except (ValueError, TypeError):
            raise UserError(
                f'{folder / name} is no list of pairs of videos, such as [["071", "054"]]: download it again'
            ) from None
    return pairs


READER = Reader(
    read_ffpp,
    f"original_sequences/youtube/c23/videos/*.mp4 or c23/frames/*/*.png, {FAKES}/METHOD/c23/..., train.json, val.json, "
    "test.json",
    "train.json, val.json and test.json of the download, else --split",
    "https://github.com/ondyari/FaceForensics",
    missing_ffpp,
)
