"""Reader of the Deepfake Detection Challenge (DFDC): parts of the training set, validation and test set.

    dfdc_train_part_0/metadata.json             {"aaqaifqrwn.mp4": {"label": "FAKE", "original": "rruk....mp4", ...}}
    dfdc_train_part_0/aaqaifqrwn.mp4            a part at any place, two folders deep at most
    validation/labels.csv, test/labels.csv      filename,label with 0 for real and 1 for fake
    test/metadata.json                          or {"aalscayrfi.mp4": {"is_fake": 1, ...}}

The videos may also be in a subfolder videos, or lie as frames: `dfdc_train_part_0/frames/aaqaifqrwn/000.png`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from difffake.errors import UserError
from difffake.faces.listing import count
from difffake.progress import console
from difffake.readers.clips import Clip, clips_in, report_missing
from difffake.readers.item import REAL, Item
from difffake.readers.lists import read_csv, read_json
from difffake.readers.reader import Reader

DFDC = "DFDC"
SAYS = "which videos are real or fake"
_LABELS = {"REAL": 0, "FAKE": 1, "0": 0, "1": 1, "0.0": 0, "1.0": 1}


class Fact(NamedTuple):
    """What the data set says of a video."""

    label: int
    original: str  # of a training fake; empty where it is not published


def read_dfdc(root: Path) -> list[Item]:
    """The videos that metadata.json or labels.csv name, in `root` or in folders below it.

    The target of a training fake is its original; who is shown, and whose face, is not published. Training parts are
    train if a validation or test set is there too, else --split shares them out by original. Videos that are missing
    are printed, and stay among the items so that they are counted as lost; what the list does not name is left out.
    Raises `UserError` if there is no list, or one of them says something else than real or fake.
    """
    files = list(_files(root))
    lists = [_read_list(file) for file in files]
    if not lists:
        raise UserError(
            f"{root} has no metadata.json and no labels.csv, nor have folders in it: take them from the download"
        )
    known = {file.parent for file in files}
    for folder in sorted({up.parent for up in known}) if root not in known else ():
        for other in (path for path in sorted(folder.iterdir()) if path.is_dir() and path not in known):
            if videos := [file for file in other.iterdir() if file.suffix.lower() == ".mp4"]:
                console.print(f"{other}: {count(len(videos), 'video')} left out, without metadata.json or labels.csv")
    apart = any(split != "train" for _, split, _ in lists)
    items = []
    for folder, split, facts in lists:
        clips = {clip.name: clip for clip in clips_in(folder, ("metadata.json", "labels.csv"))}
        report_missing(facts, clips, str(folder))
        if unknown := sorted(set(clips) - set(facts)):
            console.print(
                f"{folder}: {count(len(unknown), 'video')} left out that its list does not name ({unknown[0]})"
            )
        for name, fact in facts.items():
            clip = clips.get(name, Clip(folder / f"{name}.mp4"))
            method, target = (DFDC, fact.original) if fact.label else (REAL, name)
            fields = {"method": method, "video": name, "target": target, "split": split if apart else ""}
            items.append(clip.item(root, label=fact.label, **fields))
    return items


def _files(root: Path) -> Iterator[Path]:
    """The list of each folder: labels.csv, or else metadata.json."""
    for pattern in ("", "*/", "*/*/"):
        labels = sorted(root.glob(f"{pattern}labels.csv"))
        yield from labels
        known = {file.parent for file in labels}
        yield from (file for file in sorted(root.glob(f"{pattern}metadata.json")) if file.parent not in known)


def _read_list(file: Path) -> tuple[Path, str, dict[str, Fact]]:
    """Folder of a list, its split, and what it says of each video by name without suffix."""
    split = "val" if file.parent.name.startswith("val") else "test"
    try:
        if file.suffix == ".csv":
            rows = {row["filename"]: (row["label"], "") for row in read_csv(file, SAYS, ("filename", "label"))}
        else:
            known = read_json(file, SAYS)
            rows = {
                n: (fact.get("label", fact.get("is_fake")), fact.get("original") or "") for n, fact in known.items()
            }
            split = "train" if any("label" in fact for fact in known.values()) else split
    except AttributeError as error:
        raise UserError(f"{file} is no list of videos and labels ({error}): download it again") from error
    facts = {}
    for name, (label, original) in rows.items():
        if (value := _LABELS.get(str(label).upper())) is None:
            raise UserError(f"{file}: the label of {name}, {label!r}, is neither REAL (0) nor FAKE (1)")
        facts[Path(name).stem] = Fact(value, Path(original).stem)
    if not facts:
        raise UserError(f"{file} names no videos: download it again")
    return file.parent, split, facts


READER = Reader(
    read_dfdc,
    "dfdc_train_part_N/metadata.json with *.mp4, validation/labels.csv, test/labels.csv",
    "training parts, validation, test; training parts alone by original: --split",
    "https://ai.meta.com/datasets/dfdc/",
)
