"""Training with some frames of each video only."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from difffake.data.keys import frame_order, pair_group
from difffake.data.manifest import Manifest


def thinned(manifest: Manifest, frames: Mapping[int, int | None]) -> Manifest:
    """The manifest with at most so many training frames per video, evenly spaced from the first to the last.

    Other splits and stills stay as they are. Several people of one video are several videos here.

    Args:
        manifest: rows of all splits.
        frames: largest number of frames of a video by label, 0 real and 1 fake; None for all.
    """
    if not any(frames.values()):
        return manifest
    table = manifest.table
    limit = table["label"].map(frames).astype(float)
    used = table[(table["split"] == "train") & (table["video"] != "") & limit.notna()]
    if not len(used):
        return manifest
    order = frame_order(used).sort_values(kind="stable").index
    lost: list[int] = []
    for _, rows in pd.Series(order, order).groupby(pair_group(used)[order], sort=False):
        count = int(limit[rows.index[0]])
        if len(rows) > count:
            kept = np.linspace(0, len(rows) - 1, count).astype(int)
            lost += np.delete(rows.to_numpy(), kept).tolist()
    return Manifest(table.drop(index=lost), manifest.root)
