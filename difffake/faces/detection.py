"""Face landmarks by MediaPipe, also of faces that it does not see by itself."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np

from difffake.errors import UserError
from difffake.faces.mediapipe_models import load, silent_stderr
from difffake.faces.squares import SMALLEST_SHARE, Box, distinct, pyramid, same_face, square_box, tiles

SMALL = 64
"""Longer side in pixels from which on all faces are looked for where the whole image shows none."""
SMALLEST = 40
"""The same for faces that are looked for where there is none of `SMALL`."""
CANDIDATE = 0.3
"""Confidence of MediaPipe's detector from which on a box in a tile is looked at again."""
FACE = 0.7
"""Confidence at which a face seen in a square around it is one. Measured: 0.72 to 0.97 for 594 real faces of 45 to
130 pixels, at most 0.65 for 403 boxes of at least `CANDIDATE` in images without faces."""
AROUND_CANDIDATE = 2.5
"""Side of that square as a multiple of the box's longer side: MediaPipe finds its landmarks best with surroundings."""
AROUND_LAST = 4.0
"""Side of the square in which a face of the last frame is looked for, as a multiple of its longer side."""
MAX_SIDE = 32_766
"""Longest side in pixels of what is given to MediaPipe, which ends the process where a side is longer."""
HALVINGS = 3
"""How often a long image is halved. Longer images than 16 to 1 have parts that are still long."""

# Order of iBUG-68. The first 17 points, the jaw, are replaced by evenly spaced points of the face oval below.
_MESH_TO_68 = np.array(
    "127 234 93 132 58 172 136 150 152 379 365 397 288 361 323 454 356 70 63 105 66 107 336 296 334 293 300 "
    "168 197 5 4 75 97 2 326 305 33 160 158 133 153 144 362 385 387 263 373 380 61 39 37 0 267 269 291 405 "
    "314 17 84 181 78 82 13 312 308 317 14 87".split(),
    dtype=int,
)
# The lower half of MediaPipe's face oval, ear to chin and chin to ear.
_OVAL_TO_CHIN = np.array([127, 234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152])
_OVAL_FROM_CHIN = np.array([152, 377, 400, 378, 379, 365, 397, 288, 361, 323, 454, 356])


@dataclass(frozen=True)
class Face:
    """One face: `landmarks` (68, 2) in iBUG order and `box` (x0, y0, x1, y1), float32 pixels of the image.

    The box contains MediaPipe's whole mesh, so it includes the forehead, which has none of the 68 points.
    """

    landmarks: np.ndarray
    box: np.ndarray

    @property
    def area(self) -> float:
        """Area of the box in square pixels."""
        return float(np.prod(self.box[2:] - self.box[:2]))

    def moved(self, by: np.ndarray) -> "Face":
        """The same face, moved by so many pixels (x, y)."""
        return Face(self.landmarks + by, self.box + np.tile(by, 2))


def landmarks_68(mesh: np.ndarray) -> np.ndarray:
    """Landmarks (68, 2) in iBUG order from MediaPipe's mesh (478, 2), in the units of the mesh.

    MediaPipe's points are dense around the chin. So the points of the jaw are placed evenly along the face oval, from
    each ear to the chin.
    """
    points = mesh[_MESH_TO_68].astype(np.float32)
    points[:9] = _evenly(mesh[_OVAL_TO_CHIN], 9)
    points[8:17] = _evenly(mesh[_OVAL_FROM_CHIN], 9)
    return points


def _evenly(line: np.ndarray, count: int) -> np.ndarray:
    """`count` points at equal arc length along a polyline (N, 2), its ends included."""
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    at = np.linspace(0, length[-1], count)
    return np.stack([np.interp(at, length, line[:, axis]) for axis in range(2)], axis=1)


FaceFinder = Callable[[np.ndarray], list[Face]]
"""Function from an image (H, W, 3) uint8 RGB to its faces, largest first, such as a `LandmarkDetector`."""


class LandmarkDetector:
    """MediaPipe's Face Landmarker, and a search for faces that are too small for it.

    MediaPipe misses most faces below 12 % of the image's longer side. Where it finds none, the image is searched in
    overlapping tiles at several scales with MediaPipe's own detector; a face found so is looked at again in a square
    around it, where it must be plain to see, and gets its landmarks there. All faces from 64 pixels on are looked for,
    and faces from 40 pixels on where there is none of those. An image in which MediaPipe finds a face is not searched.

    An image at least twice as wide as high, or twice as high as wide, is also looked at in halves, because MediaPipe
    shrinks what it is given until its longer side fits. So each of two clips of one size side by side gets the
    landmarks that it has alone. A face on the cut between two halves is taken from the whole image.

    Args:
        model: the file `face_landmarker.task`; `difffake.faces.model_file.landmarker_model` finds it.
        max_faces: largest number of faces per image.
    """

    def __init__(self, model: Path, max_faces: int = 5) -> None:
        self._max_faces = max_faces
        self._models = load(model, max_faces, CANDIDATE)

    def __call__(self, image: np.ndarray) -> list[Face]:
        """Faces of one image (H, W, 3) uint8 RGB, largest first. For the errors see `follow`."""
        return self.follow(image, ())

    def follow(self, image: np.ndarray, last: Sequence[Face]) -> list[Face]:
        """Faces of the next frame of a clip, largest first; those of the last frame are looked for in their places.

        That is faster than the search of the whole frame, which is left out if no face of `last` is missing, and keeps
        a person whom MediaPipe loses while it still sees another. A person who comes in while only small faces are
        there is not noticed, so give none now and then. What MediaPipe finds in the whole frame does not depend on
        `last`.

        Args:
            image: (H, W, 3) uint8 RGB.
            last: faces of the last frame or of several; none at the start of a clip.

        Raises `UserError` if a side has more than `MAX_SIDE` pixels.
        """
        height, width = image.shape[:2]
        if (longer := max(height, width)) > MAX_SIDE:
            raise UserError(
                f"an image of {width} x {height} pixels: faces are looked for where no side has more than {MAX_SIDE}"
            )
        faces = self._landmarks(image)
        whole = bool(faces)  # the frame shows a face that needs no search
        faces = self._with_halves(image, faces, HALVINGS)
        places = [face.box for face in last if not _among(face.box, faces)]
        faces += self._look(image, [square_box(box, AROUND_LAST, height, width) for box in places], faces)
        if not faces:
            # The face detector expects some surroundings; a crop that the face fills gets them from its border.
            faces = self._landmarks(image, min(longer // 4, (MAX_SIDE - longer) // 2))
            whole = bool(faces)
        if not whole and (not last or len(faces) < len(last)):
            faces += self._search(image, faces)
        return sorted(faces, key=lambda face: -face.area)

    def _with_halves(self, image: np.ndarray, faces: list[Face], times: int) -> list[Face]:
        """`faces`, seen in a whole image, and what MediaPipe finds in its halves if it is long, so often halved.

        A face that is seen both ways is taken from the half, which MediaPipe sees at a higher resolution. One that only
        a half shows must be plain to see in a square around it.
        """
        lengths = image.shape[:2]
        axis = int(np.argmax(lengths))
        if not times or lengths[axis] < 2 * lengths[1 - axis] or lengths[1 - axis] < SMALLEST:
            return faces
        cut = lengths[axis] // 2
        for start, part in zip((0, cut), np.split(image, [cut], axis), strict=True):
            corner = np.array([start, 0] if axis else [0, start], dtype=np.float32)
            for found in self._with_halves(part, self._landmarks(part), times - 1):
                face = found.moved(corner)
                if _is_cut(face.box, 1 - axis, cut):
                    continue
                others = [other for other in faces if not _among(other.box, [face])]
                if len(others) < len(faces) or self._plain(image, face.box):
                    faces = [*others, face]
        return sorted(faces, key=lambda face: -face.area)[: self._max_faces]

    def _landmarks(self, image: np.ndarray, border: int = 0) -> list[Face]:
        """What MediaPipe finds by itself in an image, after a border of so many pixels was added.

        A face at the limit of what it finds is sometimes found twice; the second one is left out.
        """
        if border:
            image = cv2.copyMakeBorder(image, border, border, border, border, cv2.BORDER_REPLICATE)
        height, width = image.shape[:2]
        faces: list[Face] = []
        for found in self._models.landmarker.detect(self._models.wrap(image)).face_landmarks:
            mesh = np.array([(p.x * width - border, p.y * height - border) for p in found], dtype=np.float32)
            face = Face(landmarks_68(mesh), np.concatenate([mesh.min(0), mesh.max(0)]))
            if not _among(face.box, faces):
                faces.append(face)
        return faces

    def _boxes(self, image: np.ndarray, square: Box) -> Iterator[tuple[np.ndarray, float]]:
        """What might be a face in a part of an image: box (4,) in pixels of the image, and confidence in [0, 1]."""
        x0, y0, x1, y1 = square
        for found in self._models.detector.detect(self._models.wrap(image[y0:y1, x0:x1])).detections:
            box = found.bounding_box
            x, y = x0 + box.origin_x, y0 + box.origin_y
            yield np.array([x, y, x + box.width, y + box.height], dtype=np.float32), found.categories[0].score

    def _search(self, image: np.ndarray, known: list[Face]) -> list[Face]:
        """Faces found in tiles of the image, but those that are known."""
        height, width = image.shape[:2]
        found = self._look(image, pyramid(height, width, SMALL), known)
        if not found and not known:
            found = self._look(image, list(tiles(height, width, SMALLEST / SMALLEST_SHARE, SMALL)), known)
        return found

    def _look(self, image: np.ndarray, squares: Sequence[Box], known: list[Face]) -> list[Face]:
        """Faces found in parts of the image, but those that are known."""
        candidates = [candidate for square in squares for candidate in self._boxes(image, square)]
        if not candidates:
            return []
        boxes, scores = (np.array(values) for values in zip(*candidates, strict=True))
        faces: list[Face] = []
        for index in distinct(boxes, scores):
            if len(known) + len(faces) >= self._max_faces:
                break
            if not _among(boxes[index], known + faces):
                face = self._zoom(image, boxes[index])
                if face and not _among(face.box, known + faces):
                    faces.append(face)
        return faces

    def _zoom(self, image: np.ndarray, box: np.ndarray) -> Face | None:
        """The face in a box, seen in a square around it; None if there is none."""
        if not self._plain(image, box):
            return None
        x0, y0, x1, y1 = square_box(box, AROUND_CANDIDATE, *image.shape[:2])
        corner = np.array([x0, y0], dtype=np.float32)
        for found in self._landmarks(image[y0:y1, x0:x1]):
            face = found.moved(corner)
            if _among(box, [face]):
                return face
        return None

    def _plain(self, image: np.ndarray, box: np.ndarray) -> bool:
        """Whether a box shows a face that is plain to see in a square around it."""
        square = square_box(box, AROUND_CANDIDATE, *image.shape[:2])
        return any(score >= FACE and same_face(box, seen[None]).any() for seen, score in self._boxes(image, square))

    def close(self) -> None:
        """Free MediaPipe's resources; a detector that is forgotten does so by itself."""
        with silent_stderr():
            self._models.landmarker.close()
            self._models.detector.close()

    def __enter__(self) -> "LandmarkDetector":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _is_cut(box: np.ndarray, axis: int, cut: int) -> bool:
    """Whether a box has parts on both sides of a cut, in pixels along `axis` (0 for x)."""
    return bool(box[axis] < cut < box[axis + 2])


def _among(box: np.ndarray, faces: Sequence[Face]) -> bool:
    """Whether a box shows one of these faces."""
    return bool(faces) and bool(same_face(box, np.stack([face.box for face in faces])).any())
