"""What a row of a manifest belongs to: its video, person, original, pair group, resampling unit and leak keys.

Only this module answers such questions. Most functions take a manifest's `table` (N rows) and return one value per row.

Names of videos and stills: readers name a file by its path below the root of the data set, without suffix. The columns
video, source and target contain such names, and the crop of a still has this name below the folder crops/. In a
manifest that was made by hand, a name may have a suffix or be the path of a crop. `stem` makes them equal, so that
`crops/ann/1.png`, `ann/1.jpg` and `ann/1` are the same still.
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
"""Prefix of the names of data sets that `difffake forge` made from others."""
VIDEO = ["dataset", "compression", "method", "video"]
"""Columns that identify a video; FaceForensics++ has a folder 000_003 for each manipulation."""
NAMES = ["dataset", "label", "identity", "video", "source", "target", "path"]
"""Columns that leak keys are made of."""
_CROPS = re.compile(r"^(?:.*/)?crops/")
_SUFFIX = re.compile("(?:" + "|".join(map(re.escape, MEDIA_SUFFIXES)) + ")+$", re.IGNORECASE)
_HASHED = 4096
"""Number of bytes at each end of a file that are hashed; a PNG file ends with a checksum of all its pixels."""


def stem(names: pd.Series) -> pd.Series:
    """Names of videos and stills (N,) without the suffix of an image or video, and without the path up to crops/."""
    return names.map({name: stem_of(name) for name in names.unique()})


def stem_of(name: str) -> str:
    """As `stem`, of one name."""
    return _SUFFIX.sub("", _CROPS.sub("", name))


def home(table: pd.DataFrame) -> pd.Series:
    """Name (N,) of the data set that each row's people and videos are from; for forged data sets, the original one.

    The name of a video or person identifies it only within this data set.
    """
    return table["dataset"].map({name: name.removeprefix(FORGED) for name in table["dataset"].unique()})


def original(table: pd.DataFrame) -> pd.Series:
    """Name (N,) of the real video or still that each row is or was made from: its target, else its video, else itself.

    For a real row, it is the name that fakes have in their columns source and target.
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
    """Group (N,) within which pairs are drawn: a person of a video, or for stills their manipulation and identity.

    A still of unknown identity is a group of its own, which gives no pairs.
    """
    prefix = table["dataset"] + "/" + table["compression"] + "/" + table["method"] + "/"
    still = ("identity " + table["identity"]).where(table["identity"] != "", "path " + table["path"])
    person = ("#" + table["track"].astype(str)).where(table["track"] > 0, "")
    return prefix + ("video " + table["video"] + person).where(table["video"] != "", still)


def frame_order(table: pd.DataFrame) -> pd.Series:
    """Sort key (N,) of each row: frames are sorted by number, stills by path."""
    return table["frame"].map("{:09d}".format) + "/" + table["path"]


def resampling_unit(table: pd.DataFrame) -> tuple[np.ndarray, str]:
    """Unit (N,) of each row that the bootstrap draws as a whole, and the kinds of these units, such as "video".

    The unit of a frame is its video. The unit of a still is its original, so that a real image and its fakes are drawn
    together; if no still has a target, its identity; if no still has an identity either, the still itself.
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
    """Group (N,) of each row, where all rows of a group must be in one split.

    Groups are joined if rows of both are or were made from the same video or still, directly or through other groups.
    So a fake joins the group of its source and its own.

    Args:
        table: N rows.
        groups: first groups (N,), such as identities.

    Returns:
        The name of each row's joined group: the smallest name of the groups in it.
    """
    columns = (stem(table[column]) for column in ("video", "source", "target", "path"))
    return join_groups(groups, [set(names) - {""} or {path} for *names, path in zip(*columns, strict=True)])


def join_groups(groups: Sequence[str], names: Sequence[Set[str]]) -> list[str]:
    """Join groups whose rows share a name, directly or through other groups.

    Args:
        groups: group (N,) of each row.
        names: set of names (N,) of each row.

    Returns:
        Joined group (N,) of each row; its name is the smallest of its groups' names.
    """
    before = {group: group for group in groups}  # a group of the same joined group with a smaller name, or itself

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
    """Names that training and test must not share: identities, videos, sources, targets, stills without these.

    Videos and stills (all except identities) have one common name space. The identities of sources and targets are
    included: a person whose face was put into a training video is known from training. A data set of `difffake forge`
    shares all names with the data set that it was made from.

    Args:
        table: rows of a manifest.
        known: real rows of it are used to look up the identities of videos and stills; by default `table`.
    """
    table, known = _distinct(table), _distinct(table if known is None else known)
    keys = _named("identity", table, table["identity"])
    real = known[(known["label"] == 0) & (known["identity"] != "")]
    person = dict(zip(home(real) + "/" + original(real), real["identity"], strict=True))
    for column in ("video", "source", "target"):
        keys |= _named("video", table, stem(table[column]))
        if column != "video":
            keys |= _named("identity", table, (home(table) + "/" + stem(table[column])).map(person).fillna(""))
    # Fakes that were made from such a still refer to it by its name.
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
    """Hashes of crops, which training and test must not share either, to find the same files under other names.

    The first frame of each video and each still are hashed. 240,000 stills take a few seconds. Missing crops are left
    out.

    Args:
        table: rows of a manifest.
        root: folder of the manifest.
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
            continue  # reported where the crop is read
        found.add(f"crop {digest.hexdigest()}")
    return found


def check_leaks(train: Set[str], test: Set[str], where: str) -> None:
    """Raise `UserError` if training and test share keys.

    Args:
        train: keys of the training data.
        test: keys of the test data.
        where: name of the test data in the message.
    """
    named, crops = _shared(train, test)
    if named:
        raise UserError(
            f"{where} shares {_counted(named)[0]} with the training data ({_counted(named)[1]}): split by identity, "
            "video or original, so that training and test share none; if these names belong to different people or "
            "videos, prepare one of the two again with another --dataset"
        )
    if crops:
        raise UserError(
            f"{where} has {len(crops)} crop(s) of the training data under other names: test on videos and images "
            "that were not in the training data, and prepare each data set under one --dataset name"
        )


def check_calibrating(keys: Set[str], test: Set[str], where: str, calibration: Path) -> None:
    """Raise `UserError` if a calibration was made on test data.

    Args:
        keys: keys of the calibrating data.
        test: keys of the test data.
        where: name of the test data in the message.
        calibration: file of the calibration, for the message.
    """
    named, crops = _shared(keys, test)
    if named or crops:
        what, shown = _counted(named) if named else (f"{len(crops)} crop(s)", "under other names")
        raise UserError(
            f"{where} shares {what} with the data that calibrated {calibration} ({shown}): test on other rows, name a "
            "calibration that was made on others, or use --calibration none"
        )


def _shared(known: Set[str], test: Set[str]) -> tuple[list[str], list[str]]:
    """The names that both have, and the hashes of crops."""
    shared = sorted(known & test)
    named = [key for key in shared if not key.startswith("crop ")]
    return named, [key for key in shared if key.startswith("crop ")]


def _counted(named: list[str]) -> tuple[str, str]:
    """How many names, and the first of them."""
    return f"{len(named)} key(s)", ", ".join(named[:5]) + (" ..." if len(named) > 5 else "")


def check_splits(table: pd.DataFrame) -> None:
    """Raise `UserError` if two splits of one manifest share an identity, video, source or target."""
    names = table[[*NAMES, "split"]]  # without landmarks, whose copying takes most of the time
    keys = {split: leak_keys(names[names["split"] == split], names) for split in SPLITS}
    check_leaks(keys["train"], keys["val"], "the val split")
    check_leaks(keys["train"] | keys["val"], keys["test"], "the test split")
