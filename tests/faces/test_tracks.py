"""Which faces of successive frames belong to one person."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from difffake.faces.detection import Face, LandmarkDetector
from difffake.faces.tracks import GROWN, TURNED, _matched, link, overlap_of, shape_difference
from difffake.faces.video import read_clip

RNG = np.random.default_rng(0)
SHAPES = [RNG.uniform(0, 1, (68, 2)).astype(np.float32) for _ in range(3)]
"""Landmarks of three people, in a box of side 1."""


def face(person: int, x: float, y: float = 0, side: float = 100) -> Face:
    corner = np.array([x, y], np.float32)
    return Face(corner + side * SHAPES[person], np.array([x, y, x + side, y + side], np.float32))


def alike(person: int, x: float) -> Face:
    """Another person whose face is much like that of `person`."""
    known = face(person, x)
    return Face(known.landmarks + 100 * 0.15 * (SHAPES[2] - 0.5), known.box)


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


def test_overlap_and_shape_by_hand() -> None:
    first, second = face(0, 0), face(0, 50, side=100)
    assert overlap_of(first, second) == pytest.approx(1 / 3)
    assert overlap_of(first, face(0, 200)) == 0
    assert shape_difference(first, face(0, 300, 40, 250)) == pytest.approx(0, abs=1e-5)  # neither place nor size counts
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]] * 17, np.float32)
    wide = corners * np.array([np.sqrt(1.5), np.sqrt(0.5)], np.float32)  # of mean square 2, as the corners
    expected = np.hypot(np.sqrt(1.5) - 1, 1 - np.sqrt(0.5)) / np.sqrt(2)
    assert shape_difference(Face(corners, first.box), Face(wide, first.box)) == pytest.approx(expected, rel=1e-5)


def test_a_face_that_turned_or_grew_in_its_place_is_the_same() -> None:
    """Up to limits; beyond them the picture was cut to another person."""
    before = face(0, 100)
    narrow = Face((before.landmarks - 150) * np.array([0.7, 1], np.float32) + 150, before.box)
    assert 0.15 < shape_difference(before, narrow) < TURNED
    assert len(link([[before], [narrow]])) == 1
    assert shape_difference(before, face(1, 100)) > TURNED
    assert len(link([[before], [face(1, 100)]])) == 2
    grown = 100 * (GROWN - 0.05)
    assert len(link([[before], [face(0, 100, side=grown)]])) == 1
    assert len(link([[before], [face(0, 100, side=grown + 10)]])) == 2


def test_people_who_pass_each_other_keep_their_tracks() -> None:
    """In the middle each stands where the other was the frame before, and overlaps it more than itself."""
    walks = [[face(0, 30 * i), alike(0, 315 - 30 * i)] for i in range(11)]
    before, after = walks[5:7]
    assert overlap_of(after[0], before[1]) > overlap_of(after[0], before[0])
    assert 0.1 < shape_difference(*walks[0]) < TURNED  # as much alike as real people
    tracks = link(walks)
    assert len(tracks) == 2
    for track in tracks:
        steps = np.diff([seen.box[0] for _, seen in sorted(track.faces.items())])
        assert len(set(np.sign(steps))) == 1, steps


def test_a_frame_without_faces_parts_no_track() -> None:
    assert [sorted(track.faces) for track in link([[face(0, 0)], [], [], [face(0, 10)]])] == [[0, 3]]


def test_two_real_people_side_by_side(shared_data: Path, landmarker: Path) -> None:
    """Two clips stitched together, the second person away for a while."""
    left, right = (
        [
            cv2.resize(frame.image, (480 * frame.image.shape[1] // frame.image.shape[0], 480))
            for frame in read_clip(shared_data / "clips" / name, 8).frames
        ]
        for name in ("portrait_d0.mp4", "portrait_d10.mp4")
    )
    middle = left[0].shape[1]
    away = (3, 4)
    frames = []
    with LandmarkDetector(landmarker) as detector:
        for number, pair in enumerate(zip(left, right, strict=True)):
            picture = np.hstack([pair[0], np.zeros_like(pair[1]) if number in away else pair[1]])
            frames.append(detector.follow(picture, frames[-1] if frames else []))
    tracks = link(frames)
    assert [sorted(track.faces) for track in tracks] == [[*range(8)], [0, 1, 2, 5, 6, 7]]
    for track, side in zip(tracks, (0, 1), strict=True):
        assert {int(seen.box[[0, 2]].mean() > middle) for seen in track.faces.values()} == {side}
    cut = link([*frames[:2], *([face] for face in [tracks[1].faces[6], tracks[1].faces[7]])])
    assert len(cut) == 2


def test_nothing_is_no_track() -> None:
    assert link([]) == []
    assert link([[], []]) == []


def test_faces_are_matched_as_by_scipy() -> None:
    """Also where one face or one track is matched without it."""
    for rows, columns in ((1, 1), (1, 4), (3, 1), (3, 4)):
        costs = RNG.uniform(0, 1, (rows, columns))
        assert _matched(costs) == list(zip(*(side.tolist() for side in linear_sum_assignment(costs)), strict=True))
