"""People of a video: which faces of successive frames belong to one another."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linear_sum_assignment

from difffake.faces.detection import Face

OVERLAP = 0.15
"""Least intersection over union of the boxes of one person in two successive frames."""
SHAPE = 0.12
"""Largest mean distance of landmarks, in face widths after moving one face onto the other, of one person who has moved
further than its box."""
SCALE = 1.5
"""Largest ratio of the sizes of one person's face in two successive frames."""


@dataclass
class Track:
    """One person: the face in each frame that shows it, by the place of the frame."""

    faces: dict[int, Face] = field(default_factory=dict)


def link(frames: Sequence[Sequence[Face]]) -> list[Track]:
    """Tracks of the faces of successive frames, those in most frames first, of equal ones the larger face.

    A face continues the track whose last box overlaps its own most; where none does, as when someone moved quickly or
    frames lie far apart, the one whose landmarks have the most similar shape and size. Else it begins a track.

    Args:
        frames: faces of each frame, in the order of time.
    """
    tracks: list[Track] = []
    last: list[Face] = []
    for place, faces in enumerate(frames):
        if not faces:
            continue
        taken: dict[int, int] = {}
        if tracks:
            cost = np.array([[_cost(face, before) for before in last] for face in faces])
            for row, column in zip(*linear_sum_assignment(cost), strict=True):
                if cost[row, column] < 2:
                    taken[int(row)] = int(column)
        for number, face in enumerate(faces):
            if number not in taken:
                taken[number] = len(tracks)
                tracks.append(Track())
                last.append(face)
            tracks[taken[number]].faces[place] = face
            last[taken[number]] = face
    return sorted(tracks, key=lambda t: (-len(t.faces), -float(np.mean([face.area for face in t.faces.values()]))))


def _cost(face: Face, before: Face) -> float:
    """Below 1 for boxes that overlap, below 2 for faces of one shape and size, 3 for what is not one person."""
    low, high = np.maximum(face.box[:2], before.box[:2]), np.minimum(face.box[2:], before.box[2:])
    both = float(np.prod(np.clip(high - low, 0, None)))
    overlap = both / max(face.area + before.area - both, 1e-6)
    if overlap > OVERLAP:
        return 1 - overlap
    sizes = np.sqrt([max(face.area, 1e-6), max(before.area, 1e-6)])
    if max(sizes) > SCALE * min(sizes):
        return 3.0
    shapes = [(f.landmarks - f.landmarks.mean(0)) / size for f, size in zip((face, before), sizes, strict=True)]
    away = float(np.linalg.norm(shapes[0] - shapes[1], axis=1).mean())
    return 1 + away / SHAPE if away < SHAPE else 3.0
