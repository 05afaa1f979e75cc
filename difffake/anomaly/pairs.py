"""Which rows are compared with which: pairs of reference and probe within a video or an identity."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from difffake.errors import UserError
from difffake.randomness import named_generator

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Pairs:
    """Pairs of rows, in order of their groups' names, plus the groups that gave none.

    `reference` (P,) and `probe` (P,) are row numbers, `group` (P,) the pairs' group; `skipped` names the groups
    without a pair (too few rows, or no reference).
    """

    reference: Indices
    probe: Indices
    group: NDArray[np.str_]
    skipped: tuple[str, ...]

    def __len__(self) -> int:
        """Count of pairs."""
        return len(self.probe)


def sample_pairs(group: ArrayLike, order: ArrayLike, *, seed: int, max_frames: int = 40, pool_size: int = 8) -> Pairs:
    """Pair rows of the same group: frames of a video, or stills of an identity (DiffFake, WACVW 2025).

    Of a group at most `max_frames` rows are taken, evenly spaced in `order`; min(`pool_size`, half of them) random ones
    are the pool, and each other one is a probe whose reference is a random row of the pool: 40 frames give 32 pairs.

    `group` (N,) and `order` (N,) are one value a row: the group's key, and a sortable key that is unique in the group
    (such as the frame number or the path), so that the pairs do not depend on the order of the rows. A group's pairs
    depend on `seed` and its own rows and key alone: other groups, or other rows elsewhere, do not change them.

    Raises `UserError` for unequal lengths, rows without a group, `order` keys that repeat within a group, or sizes out
    of range.
    """
    if max_frames < 2 or pool_size < 1:
        raise UserError("pairs need max_frames of at least 2 and pool_size of at least 1")
    found: list[tuple[str, Indices, Indices]] = []
    for key, rows in _groups(group, order):
        rows = _evenly(rows, max_frames)
        random = named_generator(seed, key)
        size = min(pool_size, len(rows) // 2)
        if not size:
            found.append((key, rows[:0], rows[:0]))
            continue
        shuffled = random.permutation(len(rows))
        pool, probes = rows[shuffled[:size]], rows[np.sort(shuffled[size:])]
        found.append((key, pool[random.integers(size, size=len(probes))], probes))
    return _joined(found)


def reference_pairs(
    group: ArrayLike,
    order: ArrayLike,
    trusted: ArrayLike,
    image: ArrayLike,
    *,
    suspect: ArrayLike | None = None,
    seed: int,
    max_frames: int = 40,
    pool_size: int = 8,
) -> Pairs:
    """Pair each suspect row with a trusted row of the same group, usually a person (Ibsen et al., WIFS 2021).

    Of a group's `trusted` rows (N,) bool, real ones of the person, at most `pool_size` random ones are the pool. Every
    `suspect` row (N,) bool, by default every row, trusted ones too, is a probe (at most `max_frames` of them, evenly
    spaced in `order`). Its reference is a random row of the pool other than itself whose `image` key (N,) differs, so
    that a real probe is compared with other real images, and a forgery never with the very frame or still that it was
    made from. A probe without such a row is left out. An empty or missing key excludes nothing. `group`, `order`,
    `seed`, errors: as for `sample_pairs`.
    """
    if max_frames < 1 or pool_size < 1:
        raise UserError("pairs need max_frames and pool_size of at least 1")
    may_be_reference, made_from = np.asarray(trusted, dtype=bool), _keys(image)
    probed = np.ones(len(made_from), dtype=bool) if suspect is None else np.asarray(suspect, dtype=bool)
    if not len(may_be_reference) == len(made_from) == len(probed) == len(_keys(group)):
        raise UserError("pairs need one trusted flag, one suspect flag and one image key for each row")
    found: list[tuple[str, Indices, Indices]] = []
    for key, rows in _groups(group, order):
        random = named_generator(seed, key)
        pool = random.permutation(rows[may_be_reference[rows]])[:pool_size]
        references, probes = [], []
        for row in _evenly(rows[probed[rows]], max_frames):
            other = (made_from[pool] != made_from[row]) | (made_from[row] == "")
            allowed = pool[other & (pool != row)]
            if len(allowed):
                references.append(int(allowed[random.integers(len(allowed))]))
                probes.append(int(row))
        found.append((key, np.array(references, dtype=np.int64), np.array(probes, dtype=np.int64)))
    return _joined(found)


def _keys(values: ArrayLike) -> NDArray[np.str_]:
    """Keys as text, so that 7 and "7" are one group whichever way the table was read; missing ones are empty."""
    return pd.Series(np.asarray(values)).astype(object).map(str, na_action="ignore").fillna("").to_numpy(dtype=np.str_)


def _groups(group: ArrayLike, order: ArrayLike) -> list[tuple[str, Indices]]:
    """Each group's key with its row numbers in the order of `order`, groups in the order of their keys."""
    keys, order = _keys(group), np.asarray(order)
    if len(keys) != len(order):
        raise UserError(f"pairs need one order key a row: {len(keys)} rows, {len(order)} keys")
    if (keys == "").any():
        # Together they would be one group of strangers.
        raise UserError(f"{(keys == '').sum()} of {len(keys)} rows have no group: give each its video or identity")
    by_order = np.argsort(order, kind="stable")
    by_group = by_order[np.argsort(keys[by_order], kind="stable")]
    names, starts = np.unique(keys[by_group], return_index=True)
    ends = [*starts[1:], len(by_group)]
    groups = [(str(name), by_group[a:b]) for name, a, b in zip(names, starts, ends, strict=False)]
    for name, rows in groups:
        if (order[rows[1:]] == order[rows[:-1]]).any():
            raise UserError(f"rows of group {name!r} share an order key: give one that is unique, such as the path")
    return groups


def _evenly(rows: Indices, count: int) -> Indices:
    """At most `count` of `rows`, spread from the first to the last."""
    if len(rows) <= count:
        return rows
    return rows[np.linspace(0, len(rows) - 1, count).round().astype(np.int64)]


def _joined(found: list[tuple[str, Indices, Indices]]) -> Pairs:
    """One `Pairs` of the groups' references and probes."""
    none = np.empty(0, dtype=np.int64)
    return Pairs(
        np.concatenate([none, *(references for _, references, _ in found)]),
        np.concatenate([none, *(probes for _, _, probes in found)]),
        np.array([key for key, _, probes in found for _ in probes], dtype=np.str_),
        tuple(key for key, _, probes in found if not len(probes)),
    )
