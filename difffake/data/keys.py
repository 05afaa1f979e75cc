"""What a row of a manifest belongs to: its video, person, original, pair group, resampling unit and leak keys.

Every such question is answered here and nowhere else. The functions take a manifest's `table` (N rows) and give one
value for each row.

How videos and stills are named. Readers name a file by its path below the root of the data set, without suffix; the
columns video, source and target hold such names, and the crop of a still has its name below the folder crops/. In a
manifest that was made by hand a name may have its suffix, or be the path of a crop: `stem` makes them equal, so
`crops/ann/1.png`, `ann/1.jpg` and `ann/1` are one still.
"""

import hashlib
import re
from collections.abc import Sequence, Set
from pathlib import Path

import numpy as np
import pandas as pd

from difffake.errors import UserError
from difffake.faces.listing import MEDIA_SUFFIXES
from difffake.readers.item import SPLITS

FORGED = "forged-"
"""How the names of data sets begin that `difffake forge` made of others."""
VIDEO = ["dataset", "compression", "method", "video"]
"""Columns that tell one video from another: FaceForensics++ has a folder 000_003 for each manipulation."""
NAMES = ["dataset", "label", "identity", "video", "source", "target", "path"]
"""Columns that leak keys are made of."""
_CROPS = re.compile(r"^(?:.*/)?crops/")
_SUFFIX = re.compile("(?:" + "|".join(map(re.escape, MEDIA_SUFFIXES)) + ")+$", re.IGNORECASE)
_HASHED = 4096
"""Bytes at either end of a file that tell it from others; the end of a PNG file is a checksum of all its pixels."""


def stem(names: pd.Series) -> pd.Series:
    """Names of videos and stills (N,) without the suffix of an image or video and without what leads to crops/."""
    return names.map({name: _SUFFIX.sub("", _CROPS.sub("", name)) for name in names.unique()})


def home(table: pd.DataFrame) -> pd.Series:
    """Name of the data set (N,) that each row's people and videos are from: forged data sets share those of their own.

    A name of a video or a person means the same in one home only.
    """
    return table["dataset"].map({name: name.removeprefix(FORGED) for name in table["dataset"].unique()})


def original(table: pd.DataFrame) -> pd.Series:
    """Name (N,) of the real video or still that each row is or was made from: its target, else its video, else itself.

    Of a real row it is what fakes call it in their columns source and target.
    """
    itself = table["video"].where(table["video"] != "", table["path"])
    return stem(table["target"].where(table["target"] != "", itself))


def original_image(table: pd.DataFrame) -> pd.Series:
    """The frame of the original video, or the original still (N,), that each row is or was made from."""
    return original(table) + "/" + table["frame"].astype(str)


def subject(table: pd.DataFrame) -> pd.Series:
    """The person (N,) that each row claims to show: its identity in its data set, else its original."""
    return table["dataset"] + "/" + table["identity"].where(table["identity"] != "", original(table))


def pair_group(table: pd.DataFrame) -> pd.Series:
    """What a pair is drawn within (N,): a person of the row's video, or for stills its manipulation and identity.

    Stills of unknown identity are groups of their own, which give no pairs.
    """
    prefix = table["dataset"] + "/" + table["compression"] + "/" + table["method"] + "/"
    still = ("identity " + table["identity"]).where(table["identity"] != "", "path " + table["path"])
    person = ("#" + table["track"].astype(str)).where(table["track"] > 0, "")
    return prefix + ("video " + table["video"] + person).where(table["video"] != "", still)


def frame_order(table: pd.DataFrame) -> pd.Series:
    """A key of each row (N,) that sorts frames by number and stills by path."""
    return table["frame"].map("{:09d}".format) + "/" + table["path"]


def resampling_unit(table: pd.DataFrame) -> tuple[np.ndarray, str]:
    """What the bootstrap draws as a whole (N,), and what kinds of units these are, such as "video".

    Frames go by their video. Stills go by their original, so that it is drawn together with its fakes; where no still
    has a target, by identity; where none has that either, each is a unit of its own.
    """
    video = table["video"] != ""
    stills = table[~video]
    unit = ("video " + table["method"] + "/" + table["video"]).astype(object)
    kinds = ["video"] if video.any() else []
    if len(stills):
        kind = next((column for column in ("target", "identity") if (stills[column] != "").any()), "path")
        name = original(stills) if kind == "target" else stills[kind].where(stills[kind] != "", stills["path"])
        unit[~video] = "still " + name
        kinds.append(kind)
    return unit.to_numpy(), " + ".join(kinds)


def split_group(table: pd.DataFrame, groups: Sequence[str]) -> list[str]:
    """The group of each row (N,) that must be in one split, named as the first of the groups that it joins.

    `groups` (N,), such as identities, are one if a row of each is or was made of the same video or still, if only
    through others: a fake joins its source's group to its own.
    """
    columns = (stem(table[column]) for column in ("video", "source", "target", "path"))
    return join_groups(groups, [set(names) - {""} or {path} for *names, path in zip(*columns, strict=True)])


def join_groups(groups: Sequence[str], names: Sequence[Set[str]]) -> list[str]:
    """Group of each row (N,), where groups that share one of their rows' `names` (N,), if only through others, are one.

    A joint group is named as its first.
    """
    before = {group: group for group in groups}  # one of the same joint group with a lesser name, else itself

    def first(group: str) -> str:
        while before[group] != group:
            before[group] = group = before[before[group]]
        return group

    group_of: dict[str, str] = {}
    for group, own in zip(groups, names, strict=True):
        for name in own:
            low, high = sorted((first(group), first(group_of.setdefault(name, group))))
            before[high] = low
    return [first(group) for group in groups]


def leak_keys(table: pd.DataFrame, known: pd.DataFrame | None = None) -> set[str]:
    """Names that must not be on both sides of training and test: identities, videos, sources, targets, lone stills.

    All but identities are videos or stills, so they share one name space. Whose they are is looked up among the real
    rows of `known`, by default `table` itself: a person whose face was put into a training video has been seen in
    training. A data set that `difffake forge` made shares all names with the one that it was made of.
    """
    table, known = _distinct(table), _distinct(table if known is None else known)
    keys = _named("identity", table, table["identity"])
    real = known[(known["label"] == 0) & (known["identity"] != "")]
    person = dict(zip(home(real) + "/" + original(real), real["identity"], strict=True))
    for column in ("video", "source", "target"):
        keys |= _named("video", table, stem(table[column]))
        if column != "video":
            keys |= _named("identity", table, (home(table) + "/" + stem(table[column])).map(person).fillna(""))
    # A lone still is known by its name to those that were made from it.
    lone = table[(table["identity"] == "") & (table["video"] == "") & (table["target"] == "")]
    return keys | _named("video", lone, original(lone))


def _distinct(table: pd.DataFrame) -> pd.DataFrame:
    """One row of all that have the same names, as the frames of a video have; lone stills are all different."""
    names = table[NAMES]
    lone = (names["identity"] == "") & (names["video"] == "") & (names["target"] == "")
    return names[lone | ~names.drop(columns="path").duplicated()]


def _named(kind: str, table: pd.DataFrame, names: pd.Series) -> set[str]:
    named = names != ""
    return set((kind + " " + home(table)[named] + "/" + names[named]).tolist())


def content_keys(table: pd.DataFrame, root: Path) -> set[str]:
    """Fingerprints of crops, which must not be on both sides of training and test either, whatever their names.

    One of each video, its first frame, and one of each still: they find the same files prepared under another name.
    240,000 stills take a few seconds. `root` is the manifest's folder; a crop that is missing has none.
    """
    moving = table["video"] != ""
    first = table[moving].sort_values("frame", kind="stable").drop_duplicates(VIDEO)["path"]
    found = set()
    for path in [*first, *table["path"][~moving]]:
        try:
            with (root / path).open("rb") as file:
                head = file.read(_HASHED)
                size = file.seek(0, 2)
                file.seek(max(0, size - _HASHED))
                digest = hashlib.blake2b(head + file.read() + str(size).encode(), digest_size=10)
        except OSError:
            continue  # it is said where the crop is read
        found.add(f"crop {digest.hexdigest()}")
    return found


def check_leaks(train: Set[str], test: Set[str], where: str) -> None:
    """Raise `UserError` with the offending keys if training and test share any. `where` names the test set."""
    shared = sorted(train & test)
    named = [key for key in shared if not key.startswith("crop ")]
    if named:
        shown = ", ".join(named[:5]) + (" ..." if len(named) > 5 else "")
        raise UserError(
            f"{where} shares {len(named)} key(s) with the training data ({shown}): split by identity, video or "
            "original, so that none is on both sides; if other people or videos have these names, prepare one of the "
            "two again with another --dataset"
        )
    if shared:
        raise UserError(
            f"{where} holds {len(shared)} crop(s) of the training data under other names: test on videos and images "
            "that were not trained on, and prepare each data set under one --dataset name"
        )


def check_splits(table: pd.DataFrame) -> None:
    """Raise `UserError` if two splits of one manifest share an identity, video, source or target."""
    names = table[[*NAMES, "split"]]  # without landmarks, whose copying takes most of the time
    keys = {split: leak_keys(names[names["split"] == split], names) for split in SPLITS}
    check_leaks(keys["train"], keys["val"], "the val split")
    check_leaks(keys["train"] | keys["val"], keys["test"], "the test split")
