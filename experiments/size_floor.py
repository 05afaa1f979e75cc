"""The floor of a table data set: what the size of the image files alone tells of real and fake.

    python experiments/size_floor.py --root dfdc_faces --manifest data/dfdc_faces

Compression goes with the label in many data sets, so a detector must beat this before its AUC means anything. With
`--manifest`, only the files of which `difffake prepare` made a crop count, split by split.
"""

import argparse
from pathlib import Path

import numpy as np

from difffake.data.manifest import Manifest
from difffake.intervals import bootstrap_intervals
from difffake.metrics import auc
from difffake.readers.item import SPLITS, Item, read_table


def main() -> None:
    """Print the AUC of minus the file size for all files and for each split."""
    parser = argparse.ArgumentParser(description="AUC of the file size alone (smaller = more fake).")
    parser.add_argument("--root", type=Path, required=True, help="folder with manifest.csv")
    parser.add_argument("--manifest", type=Path, required=True, help="what difffake prepare made of it")
    options = parser.parse_args()
    items = {item.name: item for item in read_table(options.root)}
    show("every file", list(items.values()))
    table = Manifest.read(options.manifest).table
    names = table["path"].str.removeprefix("crops/").str.removesuffix(".png")
    show("files with a face", [items[name] for name in names])
    for split in SPLITS:
        show(f"split {split}", [items[name] for name in names[table["split"] == split]])


def show(name: str, items: list[Item]) -> None:
    """One line: AUC with its interval, resampled by original."""
    if not items:
        return
    label = np.array([item.label for item in items])
    score = -np.array([float(item.file.stat().st_size) for item in items])
    low, high = bootstrap_intervals(label, score, np.array([item.target for item in items]))["auc"]
    counts = f"{(label == 0).sum()} real, {(label == 1).sum()} fake"
    print(f"{name}: AUC {auc(label, score):.3f} [{low:.3f}, {high:.3f}], {counts}")


if __name__ == "__main__":
    main()
