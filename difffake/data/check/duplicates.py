"""Crops that show the same picture although their names say nothing of it."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from difffake.data.check.finding import Finding, counted, first
from difffake.data.check.leaks import PAIRS
from difffake.data.check.near import near_pairs
from difffake.data.check.pictures import Looks
from difffake.data.keys import home, original

CORRELATION = 0.99
"""Of two thumbnails of one picture at least."""
FLAT = 4.0
"""Standard deviation of a thumbnail, in gray levels, under which a picture shows too little to be recognized."""


class Duplicates(NamedTuple):
    """Pairs of rows that show the same picture."""

    pairs: NDArray[np.int64]
    """(P, 2) rows, pairs in different splits first, then rising; equal pictures of one original are left out."""
    exact: NDArray[np.bool_]
    """(P,), whether the pixels are equal."""
    flat: NDArray[np.int64]
    """(F,) rows that show hardly anything, such as black frames; they are in no pair."""
    frozen: NDArray[np.int64]
    """(Z,) rows whose pixels are those of an earlier frame of the same video."""
    unchanged: NDArray[np.int64]
    """(U,) fakes whose pixels are those of a real face."""


def find_duplicates(table: pd.DataFrame, looks: Looks) -> Duplicates:
    """Crops of different originals that show the same picture: with equal pixels, or re-encoded, resized or brightened.

    The latter have perceptual hashes that differ in `near.RADIUS` bits at most, and thumbnails whose correlation is at
    least `CORRELATION`. Frames of one video look alike, and so do a fake and what it was made of: what has the same
    original by its names is never a duplicate.
    """
    readable = looks.readable
    thumbnails = looks.thumbnails.reshape(len(looks.rows), -1)
    spread = np.concatenate([part.std(axis=1) for part in np.array_split(thumbnails, 1 + len(thumbnails) // 65536)])
    shown = np.flatnonzero(readable & (spread >= FLAT))
    part = table.iloc[looks.rows[shown]]
    group = pd.factorize(home(part) + "/" + original(part))[0].astype(np.int64)
    content, hashes = looks.content[shown], looks.perceptual[shown]
    equal = _equal_pairs(content, group)
    # Equal frames of one original are compared with the others once.
    kept = np.flatnonzero(~pd.DataFrame({"content": content, "group": group}).duplicated().to_numpy())
    _, kept_of = np.unique(content[kept], return_index=True)
    kept = kept[np.sort(kept_of)]
    near = kept[near_pairs(hashes[kept], group[kept])]
    near = near[_correlation(thumbnails[shown], near) >= CORRELATION]
    pairs = looks.rows[shown[np.concatenate([equal, near])]].reshape(-1, 2)
    exact = np.arange(len(pairs)) < len(equal)
    split = table["split"].to_numpy()
    order = np.lexsort((pairs[:, 1], pairs[:, 0], split[pairs[:, 0]] == split[pairs[:, 1]]))
    rows = looks.rows[shown]
    return Duplicates(
        pairs[order],
        exact[order],
        looks.rows[readable & (spread < FLAT)],
        _frozen(table.iloc[rows], content),
        _unchanged(table["label"].to_numpy(), rows, content),
    )


def _equal_pairs(content: NDArray[np.uint64], group: NDArray[np.int64]) -> NDArray[np.int64]:
    """Pairs (P, 2) of places with equal content: the first of each other group with the first of all."""
    table = pd.DataFrame({"content": content, "group": group}).drop_duplicates()
    leader = table.index.to_series().groupby(table["content"]).transform("first")
    later = table.index.to_numpy()[(leader != table.index).to_numpy()]
    return np.stack([leader.to_numpy()[(leader != table.index).to_numpy()], later], axis=1).astype(np.int64)


def _correlation(thumbnails: NDArray[np.uint8], pairs: NDArray[np.int64]) -> NDArray[np.float64]:
    """Of the two thumbnails (M, K) of each pair (P, 2)."""
    found = np.empty(len(pairs))
    for start in range(0, len(pairs), 65536):
        one, other = (thumbnails[rows].astype(np.float64) for rows in pairs[start : start + 65536].T)
        one -= one.mean(axis=1, keepdims=True)
        other -= other.mean(axis=1, keepdims=True)
        norms = np.sqrt((one**2).sum(axis=1) * (other**2).sum(axis=1))
        found[start : start + 65536] = (one * other).sum(axis=1) / norms
    return found


def _frozen(part: pd.DataFrame, content: NDArray[np.uint64]) -> NDArray[np.int64]:
    moving = (part["video"] != "").to_numpy()
    names = part[["dataset", "compression", "method", "video"]].assign(content=content)
    return part.index.to_numpy()[moving & names.duplicated().to_numpy()].astype(np.int64)


def _unchanged(label: NDArray[np.int64], rows: NDArray[np.int64], content: NDArray[np.uint64]) -> NDArray[np.int64]:
    fake = label[rows] == 1
    return rows[fake & np.isin(content, content[~fake])]


def duplicates(table: pd.DataFrame, found: Duplicates) -> Iterator[Finding]:
    """A fault for each pair of splits that share pictures; warnings of those within a split, and of odd crops."""
    path, split, label = (table[column].to_numpy() for column in ("path", "split", "label"))
    person = (home(table) + "/" + table["identity"]).where(table["identity"] != "", "").to_numpy()
    ends = split[found.pairs]
    for one, other in (*PAIRS, ("", "")):
        within = ends[:, 0] == ends[:, 1]
        among = (ends == (one, other)).all(axis=1) | (ends == (other, one)).all(axis=1) if one else within
        for exact in (True, False):
            pairs = found.pairs[among & (found.exact == exact)]
            if not len(pairs):
                continue
            named = [f"{path[a]} and {path[b]}" for a, b in pairs[:4]]
            what = (
                "the same pixels"
                if exact
                else "nearly the same pixels (re-encoded, resized, or another moment of one scene)"
            )
            text = f"{counted(len(pairs), 'pair')} of crops under different names have {what}"
            if mixed := int((label[pairs[:, 0]] != label[pairs[:, 1]]).sum()):
                text += f"; {counted(mixed, 'pair')} of a real face and a fake"
            if same := int(((person[pairs[:, 0]] == person[pairs[:, 1]]) & (person[pairs[:, 0]] != "")).sum()):
                text += f"; {counted(same, 'pair')} of one person"
            subject = f"{'exact' if exact else 'near'} duplicates"
            if one:
                text = f"{one} and {other}: {text}: keep each in one split"
                yield Finding("fault", f"{subject} leak", text, first(named, len(pairs)))
            else:
                sets = table["dataset"].to_numpy()[pairs]
                if across := int((sets[:, 0] != sets[:, 1]).sum()):
                    text += f"; {across:,} across data sets"
                yield Finding("warning", subject, f"within a split, {text}", first(named, len(pairs)))
    odd = (
        ("unchanged fakes", found.unchanged, "with the very pixels of a real face: their label is wrong"),
        ("frozen videos", found.frozen, "with the pixels of an earlier frame of the same video"),
        ("flat pictures", found.flat, "that show hardly anything, such as black frames"),
    )
    for subject, rows, text in odd:
        if len(rows):
            text = f"{counted(len(rows), 'fake' if subject == 'unchanged fakes' else 'crop')} {text}"
            yield Finding("warning", subject, text, first(path[rows[:4]]))
