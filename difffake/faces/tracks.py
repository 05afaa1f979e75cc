"""People of a video: which faces of successive frames belong to one another.

Faces are told apart by place, size and the arrangement of their landmarks, not by looks. The limits below were chosen
on real clips of 58 people with 16 frames each (a fifth of a second apart, and any two frames of a clip), against pairs
of faces of different people as a cut brings them together.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from difffake.faces.detection import Face

OVERLAP = 0.3
"""Least intersection over union of the boxes of one person in two frames. Seen in 99.8 % of successive frames."""
TURNED = 0.3
"""Largest difference of shape of one person's overlapping faces. Seen in all successive frames, 99.3 % of any two."""
GROWN = 1.25
"""Largest ratio of the sizes of one person's overlapping faces. All three together hold for 99.8 % of successive
frames, 98.5 % of any two frames of one person, and 8 % of pairs of two people in frames of their own."""
SAME_SHAPE = 0.08
"""Largest difference of shape of one person's faces whose boxes do not overlap."""
SAME_SIZE = 1.15
"""Largest ratio of their sizes. Both together hold for 89 % of successive frames and 1.4 % of pairs of two people."""
SHAPE_WEIGHT = 10
"""What a difference of shape counts for against one of overlap where two people could have changed places."""
_NEVER = 1e3


@dataclass
class Track:
    """One person: the face in each frame that shows it, by the place of the frame."""

    faces: dict[int, Face] = field(default_factory=dict)


def link(frames: Sequence[Sequence[Face]]) -> list[Track]:
    """Tracks of the faces of successive frames, those in most frames first, of equal ones the larger face.

    Each face continues the track whose last face it resembles: box over box with a similar shape, or elsewhere with
    nearly the same shape and size, as when someone moved quickly or frames lie far apart. Among the ways in which faces
    and tracks can be matched, the one with the least sum of differences is taken. A face that fits no track begins one.
    After a cut, another person in the place and of the size of the one before may be taken for the same.

    Args:
        frames: faces of each frame, in the order of time.
    """
    tracks: list[Track] = []
    last: list[Face] = []
    for place, faces in enumerate(frames):
        follows: dict[int, int] = {}
        if faces and last:
            costs = np.array([[difference(face, before) for before in last] for face in faces])
            for row, column in _matched(costs):
                if costs[row, column] < _NEVER:
                    follows[row] = column
        for number, face in enumerate(faces):
            if number not in follows:
                follows[number] = len(tracks)
                tracks.append(Track())
                last.append(face)
            tracks[follows[number]].faces[place] = face
            last[follows[number]] = face
    return sorted(tracks, key=lambda t: (-len(t.faces), -float(np.mean([face.area for face in t.faces.values()]))))


def _matched(costs: np.ndarray) -> list[tuple[int, int]]:
    """Rows and columns of the matching with the least sum of costs."""
    if len(costs) == 1:
        return [(0, int(costs[0].argmin()))]
    if costs.shape[1] == 1:
        return [(int(costs[:, 0].argmin()), 0)]
    from scipy.optimize import linear_sum_assignment  # here: its import takes longer than a clip of one person

    rows, columns = linear_sum_assignment(costs)
    return list(zip(rows.tolist(), columns.tolist(), strict=True))


def difference(face: Face, before: Face) -> float:
    """How unlike two faces of different frames are, from 0 on; 1000 if they are not one person."""
    overlap, shape = overlap_of(face, before), shape_difference(face, before)
    size = float(np.sqrt(max(face.area, before.area) / max(min(face.area, before.area), 1e-6)))
    near = overlap > OVERLAP and shape < TURNED and size < GROWN
    moved = shape < SAME_SHAPE and size < SAME_SIZE
    return 1 - overlap + SHAPE_WEIGHT * shape if near or moved else _NEVER


def overlap_of(face: Face, other: Face) -> float:
    """Intersection over union of two faces' boxes, in [0, 1]."""
    low, high = np.maximum(face.box[:2], other.box[:2]), np.minimum(face.box[2:], other.box[2:])
    both = float(np.prod(np.clip(high - low, 0, None)))
    return both / max(face.area + other.area - both, 1e-6)


def shape_difference(face: Face, other: Face) -> float:
    """Mean distance of the landmarks of two faces, moved and scaled to mean 0 and mean square distance from it 1.

    A turned head differs; a face that only moved or grew does not.
    """
    return float(np.linalg.norm(_shape(face) - _shape(other), axis=1).mean())


def _shape(face: Face) -> np.ndarray:
    points = face.landmarks - face.landmarks.mean(axis=0)
    return points / max(float(np.sqrt((points**2).sum(axis=1).mean())), 1e-6)
