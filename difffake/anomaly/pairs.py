"""Pairs of a reference and a probe within a video or an identity."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from difffake.errors import UserError
from difffake.randomness import named_generator

Indices = NDArray[np.int64]
NOISE = 1e-5
"""Differences below this share of the embeddings' largest entry count as rounding errors of float32 networks."""


@dataclass(frozen=True)
class Pairs:
    """Pairs of rows, in the order of their groups' names, and the groups without pairs.

    `reference` (P,) and `probe` (P,) are row numbers, `group` (P,) has the group of each pair. `skipped` has the names
    of groups without a pair (too few rows, or no reference).
    """

    reference: Indices
    probe: Indices
    group: NDArray[np.str_]
    skipped: tuple[str, ...]

    def __len__(self) -> int:
        """Number of pairs."""
        return len(self.probe)


def sample_pairs(group: ArrayLike, order: ArrayLike, *, seed: int, max_frames: int = 40, pool_size: int = 8) -> Pairs:
    """Pair rows of the same group: frames of a video, or stills of an identity (DiffFake, WACVW 2025).

    At most `max_frames` rows of a group are used, evenly spaced in `order`. Of these, min(`pool_size`, half of them)
    random rows are the pool. Each other row is a probe, and its reference is a random row of the pool. So 40 frames
    give 32 pairs. The pairs of a group depend only on `seed`, the group's key and its own rows.

    Args:
        group: key (N,) of each row's group.
        order: sortable key (N,) of each row that is unique in its group, such as the frame number or the path. Because
            of it, pairs do not depend on the order of the rows.
        seed: random seed of the pools and references.
        max_frames: largest number of rows per group.
        pool_size: number of rows per group that probes are compared with.

    Raises:
        UserError: lengths differ, a row has no group, an `order` key occurs twice in a group, or a size is too small.
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

    The reference of a probe is a random row of its group's pool, but never the probe itself or a row with the same
    `image` key. So a real probe is compared with other real images, and a forgery never with the frame or still that it
    was made from. A probe without a possible reference is left out.

    Args:
        group: key (N,) of each row's group.
        order: sortable key (N,) of each row that is unique in its group.
        trusted: bool (N,); the real images of the person. At most `pool_size` random ones per group are the pool.
        image: key (N,) of the image that a row shows or was made from; an empty or missing key excludes nothing.
        suspect: bool (N,); rows that are probes, by default all rows, trusted ones included.
        seed: random seed of the pools and references.
        max_frames: largest number of probes per group, evenly spaced in `order`.
        pool_size: largest number of rows in a pool.

    Raises:
        UserError: as in `sample_pairs`.
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
    """Keys as text, so that 7 and "7" are the same group however the table was read; missing keys are empty."""
    # Without pandas, which takes half a second to import, so that `predict` starts quickly.
    return np.array([_text(value) for value in np.asarray(values, dtype=object)], dtype=np.str_)


def _text(value: object) -> str:
    try:
        missing = value is None or bool(value != value)  # NaN is not equal to itself
    except TypeError:  # pandas' NA is neither equal nor not
        missing = True
    return "" if missing else str(value)


def _groups(group: ArrayLike, order: ArrayLike) -> list[tuple[str, Indices]]:
    """Each group's key with its row numbers in the order of `order`, groups in the order of their keys."""
    keys, order = _keys(group), np.asarray(order)
    if len(keys) != len(order):
        raise UserError(f"pairs need one order key per row: {len(keys)} rows, {len(order)} keys")
    if (keys == "").any():
        # Together they would be one group of different people.
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
    """At most `count` of `rows`, evenly spaced from the first to the last."""
    if len(rows) <= count:
        return rows
    return rows[np.linspace(0, len(rows) - 1, count).round().astype(np.int64)]


def _joined(found: list[tuple[str, Indices, Indices]]) -> Pairs:
    """Join the references and probes of all groups into one `Pairs`."""
    none = np.empty(0, dtype=np.int64)
    return Pairs(
        np.concatenate([none, *(references for _, references, _ in found)]),
        np.concatenate([none, *(probes for _, _, probes in found)]),
        np.array([key for key, _, probes in found for _ in probes], dtype=np.str_),
        tuple(key for key, _, probes in found if not len(probes)),
    )
