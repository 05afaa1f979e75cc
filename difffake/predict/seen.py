"""The faces that a file shows, cropped as in training, and which of them are one person."""

import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from difffake.errors import UserError
from difffake.faces.crops import crop_face
from difffake.faces.detection import Face, FaceFinder, LandmarkDetector
from difffake.faces.tracks import link
from difffake.predict.finders import CLOSED, Finders

SHARE = 0.1
"""Who is in fewer frames than this share of those of the person in most frames is left out: passers-by and posters."""
LOOK_AROUND = 5
"""Every so many frames, the whole frame is searched, also for people who were not in the last one."""

Frame = tuple[int, float | None, np.ndarray]
"""Number, seconds from the start, and picture (H, W, 3) uint8 of a frame."""


@dataclass(eq=False)
class Crop:
    """A cropped face, and its score as soon as it has one."""

    pixels: np.ndarray | None
    """(H, W, 3) uint8 RGB; None after it was scored, because the crops of a long video would fill the memory."""
    box: tuple[int, int, int, int] | None
    """(x0, y0, x1, y1) in pixels of the image; None if it is the whole image."""
    side: float | None = None
    """Longer side of the face in pixels, without the margin; None if the whole image is the crop."""
    score: tuple[float, np.ndarray] | None = None
    """Logit and embedding (D,)."""


class Shown(NamedTuple):
    """A face of one person in a frame."""

    frame: int
    time: float | None
    crop: Crop


@dataclass(frozen=True, eq=False)
class Look:
    """What a frame shows."""

    frame: int
    time: float | None
    faces: list[Face]
    """Empty if the whole frame is a crop of one face."""
    crops: list[Crop]
    """Of the faces, in their order."""


class Seen:
    """Finds and crops the faces of images and frames.

    Args:
        finders: face detectors; None takes each image as a crop of one face.
        margin: side of the crop as a multiple of the side of the face's box.
    """

    def __init__(self, finders: Finders | None, margin: float) -> None:
        self.finders = finders
        self.margin = margin
        self.stop = threading.Event()
        """While it is set, whoever asks for a face gets an error."""
        self._closed = False

    def crops(self, image: np.ndarray) -> list[Crop]:
        """Crops of all faces of an image, the largest face first."""
        self.check_open()
        if self.finders is None:
            return [Crop(image, None)]
        with self.finders.lent() as find:
            faces = find(image)
        return [self._crop(image, face) for face in faces]

    def look(self, frame: Frame, last: Sequence[Face] = ()) -> Look:
        """Find and crop the faces of a frame.

        Args:
            frame: the frame.
            last: faces of the frame before; if there are any, they are looked for in their places too.
        """
        self.check_open()
        number, time, image = frame
        if self.finders is None:
            return Look(number, time, [], [Crop(image, None)])
        with self.finders.lent() as find:
            faces = _faces(find, image, last)
        return Look(number, time, faces, [self._crop(image, face) for face in faces])

    def looks(self, frames: Iterable[Frame]) -> Iterator[Look]:
        """Find and crop the faces of successive frames."""
        last: Sequence[Face] = ()
        for place, frame in enumerate(frames):
            look = self.look(frame, last if place % LOOK_AROUND else ())
            last = look.faces
            yield look

    def people(self, looks: Sequence[Look]) -> list[list[Shown]]:
        """The faces of each person in the order of time, first who is in most frames."""
        if self.finders is None:
            return [[Shown(look.frame, look.time, look.crops[0]) for look in looks]]
        people = []
        for track in link([look.faces for look in looks]):
            person = []
            for place, face in sorted(track.faces.items(), key=lambda item: item[0]):
                look = looks[place]
                crop = next(cut for cut, other in zip(look.crops, look.faces, strict=True) if other is face)
                person.append(Shown(look.frame, look.time, crop))
            people.append(person)
        return people

    def close(self) -> None:
        """Free MediaPipe's networks, if they are the face detectors."""
        self._closed = True
        if self.finders is not None:
            self.finders.close()

    def _crop(self, image: np.ndarray, face: Face) -> Crop:
        pixels, _, box = crop_face(image, face, self.margin)
        return Crop(pixels, box, float(max(face.box[2:] - face.box[:2])))

    def check_open(self) -> None:
        """Raises `UserError` while `stop` is set, and after `close`."""
        if self.stop.is_set():
            raise UserError("stopped before the end")
        if self._closed:
            raise UserError(CLOSED)


def _faces(find: FaceFinder, image: np.ndarray, last: Sequence[Face]) -> list[Face]:
    """Faces of a frame; MediaPipe looks for those of the last frame in their places too."""
    if last and isinstance(find, LandmarkDetector):
        return find.follow(image, last)
    return list(find(image))
