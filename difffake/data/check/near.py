"""Pairs of nearly equal 64-bit hashes among millions, without a comparison of all pairs."""

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

RADIUS = 4
"""Most bits in which two hashes of one picture differ."""
_BYTES = 8


def near_pairs(hashes: NDArray[np.uint64], group: NDArray[np.int64]) -> NDArray[np.int64]:
    """Pairs (P, 2) of different groups whose hashes differ in `RADIUS` bits at most, each once, the lower place first.

    Two hashes with at most 4 different bits agree in at least 4 of their 8 bytes. So they meet in one of the 70 ways to
    choose 4 bytes, and each way is a sort by these 32 bits and a comparison of what is equal in them (Manku, Jain and
    Das Sarma 2007, "Detecting near-duplicates for web crawling", section 3).

    Args:
        hashes: (M,) uint64; M is below 2^32.
        group: (M,) number of what each is of; pairs within a group are left out.
    """
    by_group = np.argsort(group, kind="stable")
    whole, own = hashes[by_group], group[by_group]
    size = len(whole)
    octets = [(whole >> np.uint64(8 * place)) & np.uint64(255) for place in range(_BYTES)]
    index = np.arange(size, dtype=np.uint64)
    found = np.zeros(0, dtype=np.int64)
    for kept in combinations(octets, _BYTES - RADIUS):
        # The chosen bytes and, below them, the place: a plain sort, which is many times as fast as one of places.
        key = index.copy()
        for place, octet in enumerate(kept):
            key |= octet << np.uint64(32 + 8 * place)
        key.sort()
        part, order = key >> np.uint64(32), (key & np.uint64(2**32 - 1)).astype(np.int64)
        # The first place of another group, and the end of what has the same bytes.
        high = _ends((part[1:] != part[:-1]) | (own[order[1:]] != own[order[:-1]]), size)
        end = _ends(part[1:] != part[:-1], size)
        low = np.flatnonzero(high < end)
        high, end = high[low], end[low]
        while len(low):
            first, second = order[low], order[high]
            near = np.bitwise_count(whole[first] ^ whole[second]) <= RADIUS
            first, second = by_group[first[near]], by_group[second[near]]
            found = np.append(found, np.minimum(first, second) * size + np.maximum(first, second))
            high = high + 1
            more = high < end
            low, high, end = low[more], high[more], end[more]
        found = np.unique(found)
    return np.stack([found // max(size, 1), found % max(size, 1)], axis=1)


def _ends(changes: NDArray[np.bool_], size: int) -> NDArray[np.int64]:
    """For each place (size,) the end of its run, where `changes` (size - 1,) says that a new one begins after it."""
    ends = np.append(np.flatnonzero(changes) + 1, size)
    return np.repeat(ends, np.diff(ends, prepend=0))
