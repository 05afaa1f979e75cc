"""People, videos, sources and targets that two splits share, by their names."""

from collections.abc import Iterator

import pandas as pd

from difffake.data.check.finding import SHOWN, Finding, counted, first
from difffake.data.keys import home, leak_keys, original, stem
from difffake.data.manifest import LIST_COLUMNS
from difffake.readers.item import SPLITS

PAIRS = (("train", "val"), ("train", "test"), ("val", "test"))
"""Splits that must not share anything."""


def leaks(table: pd.DataFrame) -> Iterator[Finding]:
    """A fault for each pair of splits and kind of name that they share.

    A video counts as shared whatever it is to either: the video or still itself, or a source or target of fakes.
    """
    table = table.drop(columns=[column for column in LIST_COLUMNS if column in table])  # whose copying takes long
    keys = {split: leak_keys(table[table["split"] == split], table) for split in SPLITS}
    for one, other in PAIRS:
        shared = sorted(keys[one] & keys[other])
        people = [key.removeprefix("identity ") for key in shared if key.startswith("identity ")]
        videos = [key.removeprefix("video ") for key in shared if key.startswith("video ")]
        if people:
            text = f"{one} and {other} share {counted(len(people), 'person', 'people')}: split by identity"
            yield Finding("fault", "identity leak", text, first(people))
        if videos:
            roles = _roles(table, videos[:SHOWN])
            found = [
                f"{name}: {' and '.join(roles[name, one])} in {one}, {' and '.join(roles[name, other])} in {other}"
                for name in videos[:SHOWN]
            ]
            kinds = sorted({role for name in videos[:SHOWN] for split in (one, other) for role in roles[name, split]})
            number = counted(len(videos), "video or still", "videos or stills")
            text = f"{one} and {other} share {number}: split by original, so that fakes go with what they were made of"
            yield Finding("fault", f"{', '.join(kinds)} leak", text, first(found, len(videos)))


def _roles(table: pd.DataFrame, names: list[str]) -> dict[tuple[str, str], list[str]]:
    """What each of the names is to the rows of each split: video, source, target or still."""
    lone = (table["identity"] == "") & (table["video"] == "") & (table["target"] == "")
    found: dict[tuple[str, str], list[str]] = {(name, split): [] for name in names for split in SPLITS}
    prefix = home(table) + "/"
    for role in ("video", "source", "target", "still"):
        own = original(table).where(lone, "") if role == "still" else stem(table[role])
        full = (prefix + own).where(own != "", "")
        hits = full.isin(names)
        for name, split in set(zip(full[hits], table["split"][hits], strict=True)):
            found[name, split].append(role)
    return found
