"""Pictures of an answer, as JPEG inside the page: they are never files."""

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from difffake.faces.images import read_image
from difffake.faces.video import even_indices, read_frames
from difffake.predict.overlay import over
from difffake.predict.prediction import FaceScore, Person, Prediction

WIDE, SMALL = 1024, 128
"""Largest sides of a whole picture and of a face, in pixels."""
OVERVIEW = 3
"""Frames of a clip that are shown whole."""


@dataclass(frozen=True)
class Box:
    """Where a person is in a picture, in pixels of the original."""

    person: int
    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class Picture:
    """A whole picture or frame with the people in it."""

    uri: str
    width: int
    """Of the original, in pixels, as are the boxes."""
    height: int
    time: float | None
    boxes: list[Box]


@dataclass(frozen=True)
class Portrait:
    """A face of a person."""

    uri: str
    face: FaceScore
    map_uri: str = ""
    """The face with its activation map; empty without one."""


Maps = Callable[[list[np.ndarray]], list[np.ndarray]]
"""Function from faces (H, W, 3) uint8 to an activation map (h, w) in [0, 1] of each; none if there are no maps."""


def pictures_of(
    path: Path, prediction: Prediction, people: Mapping[int, Person], maps: Maps
) -> tuple[list[Picture], list[list[Portrait]]]:
    """Read the pictures that an answer shows.

    Args:
        path: the file that was scored.
        prediction: its result.
        people: the people to show, by their numbers.
        maps: gives the activation map of each person's face with the highest score.

    Returns:
        The picture, or some frames of a clip, with boxes; and for each person some faces in the order of time, among
        them the one with the highest score.
    """
    if prediction.kind == "image":
        frames = {0: read_image(path)}
        overview = [0]
    else:
        seen = sorted({face.frame for face in prediction.people[0].faces})
        overview = [seen[place] for place in even_indices(len(seen), OVERVIEW)]
        frames = {frame.number: frame.image for frame in read_frames(path, sorted(_needed(people, overview))).frames}
    times = {face.frame: face.time for face in prediction.faces}
    shown = [_picture(frames[number], number, times[number], people) for number in overview if number in frames]
    highest = [max(person.faces, key=lambda face: face.logit) for person in people.values()]
    there = [face for face in highest if face.frame in frames]
    cut = {face: _cut(frames[face.frame], face) for face in there}
    drawn = {face: over(crop, own) for (face, crop), own in zip(cut.items(), maps(list(cut.values())), strict=False)}
    portraits = [
        [
            Portrait(
                _uri(_cut(frames[face.frame], face), SMALL), face, _uri(drawn[face], SMALL) if face in drawn else ""
            )
            for face in person.faces
            if face.frame in frames
        ]
        for person in people.values()
    ]
    return shown, portraits


def _needed(people: Mapping[int, Person], overview: Sequence[int]) -> set[int]:
    """The overview, and for each person the frame with the highest score."""
    return set(overview) | {max(person.faces, key=lambda face: face.logit).frame for person in people.values()}


def _picture(image: np.ndarray, number: int, time: float | None, people: Mapping[int, Person]) -> Picture:
    boxes = []
    for who, person in people.items():
        for face in person.faces:
            if face.frame == number and face.box:
                x0, y0, x1, y1 = face.box
                boxes.append(Box(who, x0, y0, x1 - x0, y1 - y0))
    height, width = image.shape[:2]
    return Picture(_uri(image, WIDE), width, height, time, boxes)


def _cut(image: np.ndarray, face: FaceScore) -> np.ndarray:
    x0, y0, x1, y1 = face.box or (0, 0, image.shape[1], image.shape[0])
    return image[y0:y1, x0:x1]


def _uri(image: np.ndarray, most: int) -> str:
    """A picture (H, W, 3) uint8 RGB as data URI of a JPEG, its longer side at most `most` pixels."""
    scale = most / max(image.shape[:2])
    if scale < 1:
        size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    encoded = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 88])[1]
    return "data:image/jpeg;base64," + base64.b64encode(encoded.tobytes()).decode()
