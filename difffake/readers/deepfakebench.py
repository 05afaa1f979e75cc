"""Reader of data as DeepfakeBench prepares it: face crops in folders, and JSON files that list them.

    preprocessing/dataset_json/Celeb-DF-v2.json     or lists beside the data, or one list as the root itself
    datasets/rgb/Celeb-DF-v2/Celeb-real/frames/id0_0000/000.png
    datasets/rgb/FaceForensics++/manipulated_sequences/Deepfakes/c23/frames/000_003/000.png

A list is {DATASET: {LABEL: {SPLIT: {VIDEO: {"label": LABEL, "frames": [path, ...]}}}}}; FaceForensics++ and
DeepFakeDetection have the compression between split and video. Paths may have backslashes, and may begin with
folders of the machine on which the list was made. Source: preprocessing/rearrange.py in
github.com/SCLBD/DeepfakeBench; DF40's lists (github.com/YZY-stack/DF40) have the same form.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from difffake.errors import UserError
from difffake.faces.listing import count
from difffake.progress import console
from difffake.readers.clips import face_video
from difffake.readers.df40 import CELEB
from difffake.readers.ffpp import COMPRESSIONS
from difffake.readers.frames import frames_item, numbered
from difffake.readers.item import REAL, SPLITS, Item, name_of, some
from difffake.readers.lists import read_json
from difffake.readers.reader import Reader

METHODS = {
    "FF-DF": "Deepfakes",
    "FF-F2F": "Face2Face",
    "FF-FS": "FaceSwap",
    "FF-NT": "NeuralTextures",
    "FF-FH": "FaceShifter",
    "FF-SH": "FaceShifter",
    "DFD_fake": "DeepFakeDetection",
    "CelebDFv1_fake": "Celeb-synthesis",
    "CelebDFv2_fake": "Celeb-synthesis",
    "DFDCP_FakeA": "method_A",
    "DFDCP_FakeB": "method_B",
}
"""Method of fakes with these labels; that of others is called as their list."""
_FFPP = ("FF-DF", "FF-F2F", "FF-FS", "FF-NT", "FaceShifter")
_LISTS = ("preprocessing/dataset_json", "dataset_json", ".")
_IMAGES = (".", "rgb", "datasets/rgb", "datasets")


@dataclass
class _Video:
    """What the lists say of a video."""

    dataset: str
    label: int
    method: str
    name: str
    compression: str
    frames: list[str]  # with forward slashes, as in the list
    splits: set[str]  # of all lists that have it
    folder: Path = Path()  # that the paths are relative to


def read_deepfakebench(root: Path) -> list[Item]:
    """The videos of one list of DeepfakeBench, `root`, or of all lists in a folder.

    Each video is in one split, although the lists have many in several (Celeb-DF's training list holds its test
    videos; those of DeepFakeDetection and UADFV are the same in all three): it stays where it is tested, and where
    *all* videos of a data set are in all splits they have none. What was found of that is printed, and so is how many
    videos and frames are not there. A video that is not there stays among the items, to be counted as lost, but for a
    data set or compression of which nothing is there. Pictures whose names have no numbers are stills. Raises
    `UserError` if a list cannot be read, calls one video real and fake, or has no video that is there.
    """
    videos: dict[tuple[str, str], _Video] = {}
    for path in _lists(root):
        listed = list(_videos(path))
        folder = _folder_of(path, root, listed)
        for video in listed:
            video.folder = folder
            known = videos.setdefault((str(PurePosixPath(video.frames[0]).parent), video.name), video)
            known.splits |= video.splits
            if known.label != video.label:
                raise UserError(f"{path}: {video.name} is real and fake: correct the lists")
    _keep_one_split(list(videos.values()))
    several = len({video.dataset for video in videos.values()}) > 1
    there = [(video, _files(video)) for video in videos.values()]
    begun = {(video.dataset, video.compression) for video, found in there if found}
    items: list[Item] = []
    absent: list[Path] = []
    never = Counter[tuple[str, str]]()
    frames_absent = 0
    for video, found in there:
        frames_absent += len(video.frames) - len(found) if found else 0
        if not found:
            first = video.folder / video.frames[0]
            if (video.dataset, video.compression) not in begun:
                never[video.dataset, video.compression] += 1
                continue
            absent.append(first)
            found = [video.folder / frame for frame in video.frames]
        items += _items(video, found, video.dataset if several else "")
    for (dataset, compression), number in never.items():
        console.print(f"{root}: {dataset} {compression}: left out, as none of its {count(number, 'video')} is there")
    if absent:
        console.print(f"{root}: {len(absent)} of {count(len(items), 'listed video')} not there, such as {absent[0]}")
    if frames_absent:
        console.print(f"{root}: {count(frames_absent, 'listed frame')} of other videos not there")
    return _with_partners(some(items, root, "none of the listed videos is there: they lie in datasets/rgb"))


def _lists(root: Path) -> list[Path]:
    """The JSON files to read, sorted."""
    if root.is_file():
        return [root]
    for name in _LISTS:
        if found := sorted((root / name).glob("*.json")):
            return found
    raise UserError(f"{root}: no lists such as Celeb-DF-v2.json in it, in dataset_json or preprocessing/dataset_json")


def _videos(path: Path) -> Iterator[_Video]:
    """The videos of one list, once for each split that they are in."""
    try:
        content = read_json(path, "where the frames of videos are")
        entries = [
            (name, label, split, *entry)
            for name, labels in content.items()
            for label, splits in labels.items()
            for split, videos in splits.items()
            for entry in _entries(videos)
        ]
        nameless = sum("frames" in videos for ls in content.values() for s in ls.values() for videos in s.values())
    except (AttributeError, TypeError) as error:
        form = "{DATASET: {LABEL: {SPLIT: {VIDEO: {label, frames}}}}}"
        raise UserError(f"{path} is no list of DeepfakeBench, of the form {form}: {error}") from error
    if not entries and not nameless:
        raise UserError(f"{path} names no videos: download it again")
    if nameless:  # the list of DFDC has videos of val without their names, which are in train too
        console.print(f"{path}: {count(nameless, 'video')} without a name left out")
    for name, label, split, compression, video, entry in entries:
        where = f"{path}: {label}, {split}, {video}"
        if split not in SPLITS or compression not in ("", *COMPRESSIONS):
            raise UserError(f"{where}: split or compression {compression} is unknown")
        if not isinstance(entry, dict) or not entry.get("frames"):
            raise UserError(f"{where}: no frames listed: extract them, or take the video out of the list")
        label = str(entry.get("label", label))
        if not (match := re.search(r"real|fake", label, re.IGNORECASE)) and label not in METHODS:
            raise UserError(f"{where}: label {label} is neither real nor fake: name it so")
        fake = match is None or match[0].lower() == "fake"
        dataset = "FaceForensics++" if name in _FFPP else _df40(name)
        method = METHODS.get(label, re.sub("_(ff|cdf)$", "", name)) if fake else REAL
        frames = [frame.replace("\\", "/") for frame in entry["frames"]]
        yield _Video(dataset, int(fake), method, video, COMPRESSIONS.get(compression, ""), frames, {split})


def _df40(name: str) -> str:
    """Data set of a list that is none of FaceForensics++: those of DF40 end in what their fakes were made from."""
    return "DF40" if name.endswith("_ff") else CELEB if name.endswith("_cdf") else name


def _entries(videos: dict[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """Compression, name and entry of each video of a split, with or without the level of compressions."""
    for name, entry in videos.items():
        if name in ("label", "frames"):
            continue
        if "frames" in entry:
            yield "", name, entry
        else:
            yield from ((name, video, inner) for video, inner in entry.items())


def _folder_of(path: Path, root: Path, videos: list[_Video]) -> Path:
    """The folder that a list's paths are relative to; folders of another machine are taken from the paths' front.

    It is told by the first video that is there: not every one needs to be downloaded.
    """
    above = root if root.is_dir() else path.parent
    if root.is_file() and above.name == "dataset_json":
        above = above.parents[1] if above.parent.name == "preprocessing" else above.parent
    for video in videos:
        parts = PurePosixPath(video.frames[0]).parts
        for front in range(len(parts) - 2):
            for folder in _IMAGES:
                if (above / folder).joinpath(*parts[front:-1]).is_dir():
                    for other in videos if front else ():
                        other.frames = [str(PurePosixPath(*PurePosixPath(f).parts[front:])) for f in other.frames]
                    return above / folder
    return above


def _keep_one_split(videos: list[_Video]) -> None:
    """Leave each video in one split, or in none where a data set has all in all; print what was changed."""
    by_dataset: dict[str, list[_Video]] = {}
    for video in videos:
        by_dataset.setdefault(video.dataset, []).append(video)
    unsplit = [name for name, own in by_dataset.items() if all(len(video.splits) == len(SPLITS) for video in own)]
    for name, own in by_dataset.items():
        if name in unsplit and len(unsplit) == len(by_dataset):
            console.print(f"{name}: all {count(len(own), 'video')} are in train, val and test: the list splits nothing")
            for video in own:
                video.splits = set()
            continue
        overlaps = Counter(tuple(s for s in SPLITS if s in video.splits) for video in own if len(video.splits) > 1)
        for splits, number in sorted(overlaps.items()):
            kept = "test" if "test" in splits else "train"
            console.print(f"{name}: {count(number, 'video')} in {' and '.join(splits)} at once: kept in {kept} only")
        for video in own:
            video.splits = {next(split for split in ("test", "train", "val") if split in video.splits)}


def _files(video: _Video) -> list[Path]:
    """Those of its frames that are there."""
    there: dict[str, set[str]] = {}
    found = []
    for frame in video.frames:
        parent, _, name = frame.rpartition("/")
        folder = video.folder / parent
        if parent not in there:
            there[parent] = {file.name for file in folder.iterdir()} if folder.is_dir() else set()
        if name in there[parent]:
            found.append(folder / name)
    return found


def _items(video: _Video, files: list[Path], dataset: str) -> list[Item]:
    """The video; or stills, if their names do not number them."""
    fields: dict[str, Any] = {
        "label": video.label,
        "method": video.method,
        "split": next(iter(video.splits), ""),
        "compression": video.compression,
        "dataset": dataset,
    }
    try:
        images = numbered(files)
    except UserError:
        images = ()
    if not images or len({file.parent for file in files}) > 1 or re.fullmatch(r"\d+", files[0].stem) is None:
        return [Item(file, name_of(file, video.folder), **fields) for file in files]
    name = f"{video.method}/{video.name}" if video.label else video.name
    return [frames_item(files[0].parent, images, video.folder, video=name, **fields)]


def _with_partners(items: list[Item]) -> list[Item]:
    """The items with identity, source and target where names tell them: FaceForensics++, DFD, Celeb-DF and UADFV."""
    people: dict[str, list[tuple[str, str]]] = {}  # split and name of their real videos
    for item in items:
        if not item.label and item.video:
            people.setdefault(item.video.partition("_")[0], []).append((item.split, item.video))
    found = []
    for item in items:
        name = item.video.rpartition("/")[2]
        if not item.label:
            known = re.match(r"id\d+(?=_)|\d\d(?=__)|\d{3}$", name)
            item = replace(item, target=item.video, identity=known[0] if known else "")
        elif match := re.fullmatch(r"(\d{3})_(\d{3})", name):
            item = replace(item, target=match[1], source=match[2], identity=match[1])
        elif match := re.fullmatch(r"(\d\d)_(\d\d)__(.+)__\w{8}", name):
            actor, other, scene = match.groups()
            scenes = [(split, video) for split, video in people.get(other, ()) if video == f"{other}__{scene}"]
            source = face_video(other, item.split, {other: scenes} if scenes else people)
            item = replace(item, target=f"{actor}__{scene}", source=source, identity=actor)
        elif match := re.fullmatch(r"(id\d+)_(id\d+)_(\d+)", name):
            person, other, number = match.groups()
            source = face_video(other, item.split, people)
            item = replace(item, target=f"{person}_{number}", source=source, identity=person)
        elif match := re.fullmatch(r"(\d{4})_fake", name):
            item = replace(item, target=match[1])
        found.append(item)
    return found


READER = Reader(
    read_deepfakebench,
    "DATASET.json, or dataset_json/*.json and rgb/DATASET/.../frames/VIDEO/000.png",
    "as listed; a video that the list has in several stays in test, else in train",
    "https://github.com/SCLBD/DeepfakeBench",
    reads_file=True,
)
