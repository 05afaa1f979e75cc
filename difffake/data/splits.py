"""Which split each file of a data set is in."""

from collections import Counter
from collections.abc import Sequence

import pandas as pd

from difffake.data.keys import NAMES, check_splits, split_group
from difffake.data.manifest import split_by_group
from difffake.errors import UserError
from difffake.progress import console
from difffake.readers.item import Item


def choose_splits(
    items: list[Item], dataset: str, fractions: Sequence[float], split_by: str | None, seed: int, val: float = 0.0
) -> list[str]:
    """Split of each file (N,): its own where files have one, else by groups that stay together.

    Args:
        items: files of the data set.
        dataset: its name.
        fractions: shares of train, val and test.
        split_by: identity, original, video or none; None takes the first of these that is known for every file.
        seed: of the split.
        val: share of the groups of the split train that become val, if files have a split train but none has val.

    Raises:
        UserError: files lack what they are split by, two would write to one crop, or splits share an identity, video,
            source or target.
    """
    _refuse_same_names(items)
    splits = [item.split for item in items]
    if any(splits) and not all(splits):
        item = items[splits.index("")]
        raise UserError(f"{item.file} has no split, but others have: give every file one, or none")
    table = pd.DataFrame(
        {column: [getattr(item, column) for item in items] for column in NAMES if column not in ("path", "dataset")}
    ).assign(path=[item.name for item in items], dataset=[item.dataset or dataset for item in items])
    if not all(splits):
        splits = split_by_group(split_group(table, _groups(items, split_by)), fractions, seed).tolist()
    elif val and "train" in splits and "val" not in splits:
        train = [place for place, name in enumerate(splits) if name == "train"]
        part = split_group(table.iloc[train], _groups([items[place] for place in train], split_by))
        for place, name in zip(train, split_by_group(part, (1 - val, val, 0), seed), strict=True):
            splits[place] = str(name)
        console.print(
            f"there is no split val: {splits.count('val')} of {len(train)} files of the split train become val"
        )
    # Before hours of cropping; the manifest is checked again whenever it is used.
    check_splits(table.assign(split=splits))
    return splits


def _groups(items: list[Item], split_by: str | None) -> list[str]:
    """What each file (N,) is split by."""
    groups = {
        # A fake and its original, and the videos of one identity, must not part; so these are tried first.
        "identity": [item.identity for item in items],
        "original": [item.target for item in items],
        "video": [item.video for item in items],
        "none": [item.name for item in items],
    }
    chosen = split_by or next(name for name in groups if all(groups[name]))
    if not all(groups[chosen]):
        raise UserError(
            f"--split-by {chosen}: {groups[chosen].count('')} of {len(items)} files have none: choose another value"
        )
    return groups[chosen]


def _refuse_same_names(items: list[Item]) -> None:
    """Two files that differ only by suffix would write to one crop."""
    name, times = Counter(item.name for item in items).most_common(1)[0]
    if times > 1:
        files = ", ".join(item.file.name for item in items if item.name == name)
        raise UserError(f"{times} files have the name {name} ({files}): rename or remove all but one")
