"""Choice of sources: of another person, with similar pose and skin, each used equally often."""

from collections.abc import Iterator, Set
from dataclasses import dataclass

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from difffake.data.keys import original
from difffake.data.manifest import Manifest
from difffake.forge.tools.face import Image, Points
from difffake.forge.tools.regions import hull
from difffake.randomness import generator
from difffake.readers.item import SPLITS

Floats = NDArray[np.float64]

MAX_DISTANCE = 0.25
"""Pairs with a larger distance (see `distances`) are not forged."""
BLOCK = 2048
"""Number of clips or stills that are paired at a time, because the cost grows with the cube."""
_SWITCH = 0.03
"""Cost of changing to another frame of the source; without it, the source would flicker between similar poses."""
_COLOR_WEIGHT = 0.4
_OWN, _USED = 1e6, 1e3
"""Cost of a source of the same person, and of a source that the target had before."""


@dataclass(frozen=True)
class Clip:
    """A video's real faces in the order of their frames, or one still."""

    name: str
    """Name of the video, or of the still in the manifest's columns source and target."""
    identity: str
    """Person, or the clip itself if the person is unknown."""
    split: str
    moving: bool
    """Whether it is a video; a still has one row."""
    rows: tuple[int, ...]
    """Numbers of its rows in the manifest."""
    looks: Floats
    """(rows, 6), see `look`."""


@dataclass(frozen=True)
class Pair:
    """A clip to forge and its source, with the row of the source's frame for each frame of the target."""

    target: Clip
    source: Clip
    source_rows: tuple[int, ...]
    distance: float


def look(image: Image, landmarks: Points) -> Floats:
    """Pose and skin of a face, (6,): yaw, pitch, opening of the mouth, and mean Lab / 100 of the skin.

    Poses are ratios of distances between landmarks, after the roll of the head is removed. Yaw is the distance of the
    nose from the middle between the jaw's ends, pitch its position between eyes and mouth. Both are about 0.1 for ten
    degrees.
    """
    points = np.asarray(landmarks, dtype=np.float64)
    across = points[42:48].mean(axis=0) - points[36:42].mean(axis=0)
    across /= max(float(np.linalg.norm(across)), 1e-6)
    down = np.array([-across[1], across[0]])
    eyes, mouth = points[36:48].mean(axis=0), points[48:60].mean(axis=0)
    width = max(float(abs((points[16] - points[0]) @ across)), 1e-6)
    height = max(float((mouth - eyes) @ down), 1e-6)
    yaw = (points[30] - (points[0] + points[16]) / 2) @ across / width
    pitch = (points[30] - eyes) @ down / height
    opening = np.linalg.norm(points[62] - points[66]) / width
    skin = hull(points[np.r_[1:16, 31:36, 36, 45]], image.shape) > 0
    pixels = image[skin] if skin.any() else image.reshape(-1, 3)
    lab = cv2.cvtColor(pixels.mean(axis=0)[None, None].astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[0, 0]
    return np.array([yaw, pitch, opening, *(lab / 100)])


def distances(targets: Floats, sources: Floats) -> Floats:
    """Distance of every target's look (T, 6) to every source's (S, 6): (T, S).

    It is Euclidean, in units of yaw. Skin counts less than pose, because colors are matched afterwards.
    """
    weight = np.array([1.0, 1.0, 0.5, *3 * [_COLOR_WEIGHT]])
    return np.linalg.norm((targets[:, None] - sources[None]) * weight, axis=2)


def clips_of(manifest: Manifest, looks: Floats) -> list[Clip]:
    """The clips and stills of a manifest of real faces, in the order of names; `looks` (N, 6) has one look per row."""
    table = manifest.table
    name = original(table)
    found = []
    for (dataset, own), rows in pd.Series(np.arange(len(table))).groupby([table["dataset"], name], sort=True):
        order = rows.to_numpy()[np.argsort(table["frame"].to_numpy()[rows], kind="stable")]
        first = table.iloc[order[0]]
        identity = f"{dataset}/{first['identity'] or own}"
        moving = first["video"] != ""
        found.append(Clip(str(own), identity, first["split"], moving, tuple(order.tolist()), looks[order]))
    return found


def pair_copies(clips: list[Clip], seed: int, copies: int) -> Iterator[tuple[list[Pair], list[tuple[Clip, str]]]]:
    """`pair_clips` several times, each time with other sources for each clip."""
    used: set[tuple[str, str]] = set()
    for _ in range(copies):
        pairs, left_out = pair_clips(clips, seed, used)
        used |= {(pair.target.name, pair.source.name) for pair in pairs}
        yield pairs, left_out


def pair_clips(
    clips: list[Clip], seed: int, used: Set[tuple[str, str]] = frozenset()
) -> tuple[list[Pair], list[tuple[Clip, str]]]:
    """Choose a source for each clip.

    Pairs stay within a split, so that people of the test split are not sources or targets in other splits. Within a
    split, the sources are a permutation of the targets with the smallest sum of distances (Jonker and Volgenant's
    assignment). So each clip, and each person, is a source as often as a target, except for pairs that are left out
    because of their distance. An identity is never paired with itself; a clip of unknown identity counts as a person.
    Videos are paired with videos, stills with stills.

    Args:
        clips: all clips and stills.
        seed: random seed.
        used: names of the targets and sources of pairs that are not made again.

    Returns:
        The pairs, and the clips without a source, each with the reason.
    """
    pairs: list[Pair] = []
    left_out: list[tuple[Clip, str]] = []
    groups: list[list[Clip]] = [
        [c for c in clips if c.split == split and c.moving == moving] for split in SPLITS for moving in (False, True)
    ]
    for group in groups:
        # Blocks of clips with similar yaw and about equal size.
        order = np.argsort([np.median(clip.looks[:, 0]) for clip in group], kind="stable")
        for block in np.array_split(order, max(1, -(-len(order) // BLOCK))):
            _pair_block([group[i] for i in block], seed, used, pairs, left_out)
    return pairs, left_out


def _pair_block(
    block: list[Clip],
    seed: int,
    used: Set[tuple[str, str]],
    pairs: list[Pair],
    left_out: list[tuple[Clip, str]],
) -> None:
    if not block:
        return
    middle = np.stack([np.median(clip.looks, axis=0) for clip in block])
    cost = distances(middle, middle)
    # Small noise, so that another seed gives other pairs; much smaller than relevant differences of distances.
    cost += generator(seed, len(block)).uniform(0, 0.02, cost.shape)
    identity = np.unique([clip.identity for clip in block], return_inverse=True)[1]
    cost[identity[:, None] == identity] = _OWN
    if used:
        place = {clip.name: number for number, clip in enumerate(block)}
        for before, by in used:
            if before in place and by in place:
                cost[place[before], place[by]] += _USED
    for target, source, distance in zip(block, *_assigned(block, cost), strict=True):
        if distance >= _OWN:
            left_out.append((target, "no other person in its split"))
        elif distance >= _USED:
            left_out.append((target, "no further face of another person"))
        elif distance > MAX_DISTANCE:
            left_out.append((target, "no face of another person with a similar pose"))
        else:
            pairs.append(Pair(target, source, _source_rows(target, source), float(distance)))


def _assigned(block: list[Clip], cost: Floats) -> tuple[list[Clip], list[float]]:
    rows, columns = linear_sum_assignment(cost)
    return [block[i] for i in columns], cost[rows, columns].tolist()


def _source_rows(target: Clip, source: Clip) -> tuple[int, ...]:
    """For each frame of the target, the row of the source's frame with the nearest pose, with few changes."""
    cost = distances(target.looks, source.looks)
    chosen: list[int] = []
    for of_frame in cost:
        if chosen:
            of_frame = of_frame + _SWITCH * (np.arange(len(of_frame)) != chosen[-1])
        chosen.append(int(of_frame.argmin()))
    return tuple(source.rows[i] for i in chosen)
