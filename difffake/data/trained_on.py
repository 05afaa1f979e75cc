"""What a detector learned from, in numbers: for reports, and to find the published numbers of the same protocol."""

from typing import TYPE_CHECKING

import pandas as pd

from difffake.data.keys import VIDEO
from difffake.readers.item import REAL

if TYPE_CHECKING:  # a report needs this module, but not torch
    from difffake.data.datasets import Fakes

Entry = dict[str, str | int]
"""split, dataset, compression, method, and the numbers of its crops and videos."""
PSEUDO = "pseudo-deepfakes"
"""Method of the fakes that are made of real faces during training; their number is that of the real faces."""

_KEYS = ["split", "dataset", "compression", "method"]


def trained_on(table: pd.DataFrame, fakes: "Fakes") -> list[Entry]:
    """Count what a run trains and selects its checkpoint on.

    Args:
        table: rows that the run may use, of the splits train and val; rows of the split test are not counted.
        fakes: which fakes the run learns from, as in `difffake.data.datasets.PairDataset`.
    """
    found: list[Entry] = []
    used = table[table["split"].isin(("train", "val"))]
    for names, part in used.groupby(_KEYS, sort=False):
        entry: Entry = {key: str(name) for key, name in zip(_KEYS, names, strict=True)}
        real = entry["method"] == REAL
        counts: Entry = {"crops": len(part), "videos": int(part[part["video"] != ""].drop_duplicates(VIDEO).shape[0])}
        if real or fakes != "pseudo":
            found.append(entry | counts)
        if real and fakes != "manifest":
            found.append(entry | {"method": PSEUDO} | counts)
    return found
