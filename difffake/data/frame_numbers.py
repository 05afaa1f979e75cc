"""Which frames are taken of each video: a fake's are those of its source and target, so that they can be paired."""

import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd

from difffake.data.keys import join_groups, stem
from difffake.faces.video import announced_length, even_indices
from difffake.progress import track
from difffake.readers.item import Item

SHORTEST = 0.05
"""Share of the videos of a group, the shortest ones, that do not limit where the others' frames are taken. It matters
in large groups only, such as all the actors of DeepFakeDetection: a few short clips give fewer frames."""


def frame_numbers(items: Sequence[Item], frames: int, every: int = 0) -> list[list[int] | None]:
    """Numbers of the frames to take of each item (N,); None where each video is spaced by itself, or is a still.

    Videos that are joined by being source or target of one another, if only through others, get the same numbers:
    evenly spaced over the shortest of them (but see `SHORTEST`). A video that none is joined with is spaced by itself,
    when it is read.

    Args:
        items: files of a data set.
        frames: most frames of each video.
        every: distance from one frame to the next, beginning with frame 0, instead of `frames`.
    """
    if every:
        return [_every(item, every) if item.is_video else None for item in items]
    videos = [number for number, item in enumerate(items) if item.is_video]
    found: list[list[int] | None] = [None] * len(items)
    groups = list(_joined([items[number] for number in videos]))
    joined = [videos[place] for group in groups for place in group]
    length = dict(zip(joined, _lengths([items[number] for number in joined]), strict=True))
    for group in groups:
        members = [videos[place] for place in group]
        chosen = _common([items[number] for number in members], [length[number] for number in members], frames)
        for number in members if chosen else ():
            found[number] = chosen
    return found


def _every(item: Item, every: int) -> list[int]:
    if item.images:
        return [number for number, _ in item.images if number % every == 0]
    return list(range(0, announced_length(item.file), every))


def _joined(items: Sequence[Item]) -> Iterator[list[int]]:
    """Places of the videos of each group that has a fake and another video."""
    table = pd.DataFrame([(i.target or i.video, i.source, i.label) for i in items], columns=["own", "source", "label"])
    own, source = (stem(table[column]) for column in ("own", "source"))
    names = [{a, b} - {""} for a, b in zip(own, source, strict=True)]
    places = [str(place) for place in range(len(items))]
    groups: defaultdict[str, list[int]] = defaultdict(list)
    for place, group in enumerate(join_groups(places, names)):
        groups[group].append(place)
    for members in groups.values():
        if len(members) > 1 and any(items[place].label for place in members):
            yield members


def _lengths(items: Sequence[Item]) -> list[int]:
    """Frames of each video (n,), as its header or its folder says; 0 where it does not."""

    def length(item: Item) -> int:
        return len(item.images) or announced_length(item.file)

    with ThreadPoolExecutor(2 * (os.cpu_count() or 1)) as pool:
        return list(track(pool.map(length, items), "lengths", total=len(items)))


def _common(items: Sequence[Item], lengths: Sequence[int], frames: int) -> list[int]:
    """Numbers that the videos of a group have in common; none if frames were extracted at other numbers of each."""
    known = [length for length in lengths if length]
    if not known:
        return []
    shortest = int(np.quantile(known, SHORTEST, method="lower"))
    there = [{number for number, _ in item.images} for item in items if item.images]
    if not there:
        return even_indices(shortest, frames)
    common = sorted(set.intersection(*there))
    if any(not item.images for item in items):
        common = [number for number in common if number < shortest]
    if len(common) < min(frames, shortest // 2):
        return []
    return [common[place] for place in even_indices(len(common), frames)]
