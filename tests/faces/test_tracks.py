"""Which faces of successive frames belong to one person."""

import numpy as np

from difffake.faces.detection import Face
from difffake.faces.tracks import link

RNG = np.random.default_rng(0)
SHAPES = [RNG.uniform(0, 1, (68, 2)).astype(np.float32) for _ in range(3)]
"""Landmarks of three people, in a box of side 1."""


def face(person: int, x: float, y: float = 0, side: float = 100) -> Face:
    corner = np.array([x, y], np.float32)
    return Face(corner + side * SHAPES[person], np.array([x, y, x + side, y + side], np.float32))


def people(frames: list[list[Face]]) -> list[list[int]]:
    """Which of `SHAPES` each track is in its frames, in the order of tracks."""
    found = []
    for track in link(frames):
        shapes = [(f.landmarks - f.box[:2]) / (f.box[2] - f.box[0]) for _, f in sorted(track.faces.items())]
        found.append([int(np.argmin([np.abs(shape - known).sum() for known in SHAPES])) for shape in shapes])
    return found


def test_two_people_side_by_side_are_two_tracks_whatever_the_order_of_faces() -> None:
    frames = [[face(0, 10 + i), face(1, 300 - i)] if i % 2 else [face(1, 300 - i), face(0, 10 + i)] for i in range(6)]
    assert people(frames) == [[0] * 6, [1] * 6] or people(frames) == [[1] * 6, [0] * 6]


def test_someone_who_leaves_and_returns_is_the_same() -> None:
    frames = [[face(0, 10), face(1, 300)], [face(0, 12)], [face(0, 14)], [face(0, 16), face(1, 305)]]
    tracks = link(frames)
    assert [sorted(track.faces) for track in tracks] == [[0, 1, 2, 3], [0, 3]]


def test_a_jump_is_followed_by_the_shape_of_the_face() -> None:
    frames = [[face(0, 0), face(1, 400)], [face(1, 150), face(0, 700)]]
    assert sorted(people(frames)) == [[0, 0], [1, 1]]


def test_after_a_cut_to_another_person_a_track_begins() -> None:
    frames = [[face(0, 0)], [face(0, 5)], [face(2, 600, 300, 60)], [face(2, 600, 300, 60)], [face(2, 602, 300, 60)]]
    assert people(frames) == [[2, 2, 2], [0, 0]]


def test_of_tracks_in_as_many_frames_the_larger_face_comes_first() -> None:
    frames = [[face(0, 0, side=60), face(1, 300, side=120)]] * 2
    assert people(frames) == [[1, 1], [0, 0]]


def test_a_face_that_turned_far_or_grew_is_not_another_person_if_its_box_overlaps() -> None:
    frames = [[face(0, 0)], [face(1, 20, 10, 140)]]  # another shape in nearly the same place
    assert len(link(frames)) == 1


def test_nothing_is_no_track() -> None:
    assert link([]) == []
    assert link([[], []]) == []
