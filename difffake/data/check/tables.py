"""What a table says by itself: labels and compressions of splits, small faces, fakes without partners."""

from collections.abc import Container, Iterator

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import compute

from difffake.data.check.finding import Finding, counted, first
from difffake.data.keys import VIDEO, home
from difffake.data.manifest import Manifest
from difffake.data.partners import Partners, other_frames
from difffake.readers.item import REAL, SPLITS

SMALLEST = 64
"""Side of the smallest face, in pixels of the original image, that counts as large enough."""
RARE = 0.1
"""Share of a split under which one of two labels is called rare."""


def labels(table: pd.DataFrame) -> Iterator[Finding]:
    """How many real faces and fakes each split has, and labels that something else gives away or contradicts."""
    table = table[[*VIDEO, "path", "split", "label"]]
    both = table["label"].nunique() == 2
    for split in SPLITS:
        part = table[table["split"] == split]
        if not len(part):
            continue
        fake = int(part["label"].sum())
        counts = [(len(part) - fake, "real"), (fake, "fake")]
        text = ", ".join(f"{number:,} {name}{_videos(part, name)}" for number, name in counts)
        rare = min(fake, len(part) - fake) / len(part)
        if both and rare == 0:
            yield Finding("warning", "labels", f"{split} has {'no fakes' if not fake else 'fakes only'}: {text}")
        elif both and rare < RARE:
            yield Finding("warning", "labels", f"{split} is uneven, {100 * rare:.1f} % of the rarer label: {text}")
        else:
            yield Finding("note", "labels", f"{split}: {text}")
    if both:
        of = table.assign(dataset=home(table)).groupby("dataset", sort=False)["label"].agg(["min", "max"])
        alone = of[of["min"] == of["max"]]
        if len(alone):
            named = [f"{name}: {'fakes' if row['min'] else 'real faces'} only" for name, row in alone.iterrows()]
            text = "of one label only: a detector learns to tell the data sets apart, not the labels"
            yield Finding("warning", "labels", f"{counted(len(alone), 'data set')} {text}", first(named))
    wrong = (table["method"] == REAL) != (table["label"] == 0)
    if wrong.any():
        text = f"{counted(int(wrong.sum()), 'row')} with a label that the column method contradicts"
        yield Finding("warning", "labels", text, first(table["path"][wrong].iloc[:4]))


def _videos(part: pd.DataFrame, name: str) -> str:
    own = part[(part["label"] == int(name == "fake")) & (part["video"] != "")]
    number = len(own[VIDEO].drop_duplicates())
    return f" of {counted(number, 'video')}" if number else ""


def compressions(table: pd.DataFrame) -> Iterator[Finding]:
    """A warning where a data set holds several compressions, or one that only real faces or only fakes have."""
    for dataset, part in table.groupby("dataset", sort=False):
        sizes = part.groupby("compression").size()
        if len(sizes) > 1:
            text = ", ".join(f"{name or 'unknown'} {number:,}" for name, number in sizes.items())
            advice = "choose with --compressions what to train and test on"
            yield Finding("warning", "compressions", f"{dataset} has {len(sizes)}, {text}: {advice}")
    counts = table.groupby(["compression", "label"]).size().unstack(fill_value=0)
    shown = {name: name or "unknown" for name in counts.index}
    if len(counts.columns) == 2:
        alone = counts[(counts == 0).any(axis=1)]
        named = [f"{shown[name]}: {'fakes' if row[0] == 0 else 'real faces'} only" for name, row in alone.iterrows()]
        if named:
            text = "the compression gives the label away"
            yield Finding("warning", "compressions", text, first(named))


def boxes(table: pd.DataFrame) -> NDArray[np.float64]:
    """Boxes (N, 4) of the crops in their original images, NaN where unknown."""
    column = table["box"]
    if not isinstance(column.dtype, pd.ArrowDtype):
        column = pd.Series([None if cell is None else np.asarray(cell) for cell in column], dtype=object)
    lists = pa.array(column.array, pa.list_(pa.float64()), from_pandas=True)
    lists = lists.combine_chunks() if isinstance(lists, pa.ChunkedArray) else lists
    whole = compute.fill_null(compute.equal(compute.list_value_length(lists), 4), False)
    found = np.full((len(table), 4), np.nan)
    values = compute.list_flatten(lists.filter(whole)).to_numpy(zero_copy_only=False)
    found[whole.to_numpy(zero_copy_only=False)] = values.reshape(-1, 4)
    return found


def face_sides(table: pd.DataFrame, crop_sides: NDArray[np.float64]) -> NDArray[np.float64]:
    """Side (N,) of each face in pixels of its original image, NaN where unknown.

    That of the column box, without the margin around the face where the column margin says how much it is.

    Args:
        table: rows of a manifest.
        crop_sides: (N,) longer side of each crop, taken where there is no box; NaN where it was not opened.
    """
    box = boxes(table)
    side = np.fmax(box[:, 2] - box[:, 0], box[:, 3] - box[:, 1])
    side = np.where(np.isnan(side), crop_sides, side)
    margin = table["margin"].to_numpy()
    return side / np.where(np.isfinite(margin), margin, 1.0)


def small_faces(table: pd.DataFrame, sides: NDArray[np.float64]) -> Iterator[Finding]:
    """A warning of faces whose side (N,) in the original image is under `SMALLEST` pixels."""
    small = np.flatnonzero(sides < SMALLEST)
    if len(small):
        order = small[np.argsort(sides[small], kind="stable")][:4]
        named = [f"{table['path'].iat[row]}: {sides[row]:.0f} px" for row in order]
        split = ", ".join(f"{name} {number:,}" for name, number in table["split"].iloc[small].value_counts().items())
        text = f"{counted(len(small), 'face')} under {SMALLEST} px in the original image ({split})"
        yield Finding("warning", "small faces", text, first(named))


def partners(manifest: Manifest, found: Partners, recorded: Container[str] = ()) -> Iterator[Finding]:
    """Fakes whose source or target is not among the real faces, or is a frame of another number than theirs.

    Args:
        manifest: all rows.
        found: source and target of each.
        recorded: files whose partners are recorded, from `records.exact_partners`; they may be of other numbers.
    """
    table = manifest.table[["path", "label", "frame", "source", "target"]]
    fake = table["label"].to_numpy() == 1
    if not fake.any():
        return
    for role, rows in zip(("source", "target"), found, strict=True):
        without = fake & (rows < 0)
        named = without & (table[role] != "").to_numpy()
        if named.any():
            text = f"{counted(int(named.sum()), 'fake')} of {int(fake.sum()):,} name one that is no real face here"
            names = (table["path"] + ": " + table[role])[named].iloc[:4]
            yield Finding("warning", f"no {role}", text, first(names))
        if rest := int(without.sum() - named.sum()):
            text = f"{rest:,} of {counted(int(fake.sum()), 'fake')} name none: there is nothing to pair them with"
            yield Finding("note", f"no {role}", text)
    frame = table["frame"].to_numpy()
    other = other_frames(table, found)
    for row in np.flatnonzero(other).tolist() if recorded else ():
        other[row] = manifest.file(row).as_posix() not in recorded
    if other.any():
        text = f"{counted(int(other.sum()), 'fake')} of {int(fake.sum()):,} pair with a frame of another number"
        advice = "prepare fakes and real videos together, or all frames with --frames"
        examples = []
        for row in np.flatnonzero(other)[:4]:
            partner = next(rows[row] for rows in found if rows[row] >= 0 and frame[rows[row]] != frame[row])
            examples.append(f"{table['path'].iat[row]} with {table['path'].iat[partner]}")
        yield Finding("warning", "other frames", f"{text}: {advice}", first(examples))
