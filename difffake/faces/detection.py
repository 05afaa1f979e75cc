"""Face detection and landmarks by MediaPipe."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import cv2
import numpy as np

from difffake.errors import UserError
from difffake.narrow_imports import bare

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
    """MediaPipe's Face Landmarker. Call it with an image (H, W, 3) uint8 RGB to get the faces, largest first.

    Args:
        model: the file `face_landmarker.task`; `difffake.faces.model_file.landmarker_model` finds it.
        max_faces: largest number of faces per image.
    """

    def __init__(self, model: Path, max_faces: int = 5) -> None:
        _ignore_profiling_signal()
        with _silent_stderr():
            self._landmarker, self._wrap = _landmarker(model, max_faces)
            self._landmarker.detect(self._wrap(np.zeros((64, 64, 3), np.uint8)))

    def __call__(self, image: np.ndarray) -> list[Face]:
        """Faces of one image (H, W, 3) uint8 RGB, largest first."""
        faces = self._detect(image, 0)
        if not faces:
            # The face detector expects background around a face. A crop that the face fills gets a border instead.
            faces = self._detect(image, max(image.shape[:2]) // 4)
        return sorted(faces, key=lambda face: -face.area)

    def _detect(self, image: np.ndarray, border: int) -> list[Face]:
        if border:
            image = cv2.copyMakeBorder(image, border, border, border, border, cv2.BORDER_REPLICATE)
        height, width = image.shape[:2]
        faces = []
        for found in self._landmarker.detect(self._wrap(image)).face_landmarks:
            mesh = np.array([(p.x * width - border, p.y * height - border) for p in found], dtype=np.float32)
            faces.append(Face(landmarks_68(mesh), np.concatenate([mesh.min(0), mesh.max(0)])))
        return faces

    def close(self) -> None:
        """Free MediaPipe's resources; this also happens when the detector is deleted."""
        self._landmarker.close()

    def __enter__(self) -> "LandmarkDetector":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _landmarker(model: Path, max_faces: int) -> tuple[Any, Callable[[np.ndarray], Any]]:
    """MediaPipe's landmarker, and a function that converts arrays to its images."""
    packages = ("mediapipe", "mediapipe.tasks", "mediapipe.tasks.python", "mediapipe.tasks.python.vision")
    # Importing the rest of MediaPipe, such as audio, and matplotlib, which it uses for drawing, takes longer than
    # finding a hundred faces.
    with nullcontext() if "mediapipe" in sys.modules else bare(packages):
        from mediapipe.tasks.python.core.base_options import BaseOptions
        from mediapipe.tasks.python.vision.core.image import Image, ImageFormat
        from mediapipe.tasks.python.vision.face_landmarker import FaceLandmarker, FaceLandmarkerOptions

        class QuietLandmarker(FaceLandmarker):
            """Closes without a message; the original prints an error when the interpreter ends."""

            def __del__(self) -> None:
                if not sys.is_finalizing():
                    with suppress(RuntimeError):  # its thread has ended already
                        super().__del__()

        options = FaceLandmarkerOptions(base_options=BaseOptions(model_asset_path=str(model)), num_faces=max_faces)
        try:
            landmarker = FaceLandmarker.create_from_options(options)
        except (RuntimeError, OSError, ValueError) as error:
            raise UserError(f"{model} is not MediaPipe's face landmark model: get face_landmarker.task") from error
        landmarker.__class__ = QuietLandmarker  # create_from_options always returns the original class
    return landmarker, lambda image: Image(image_format=ImageFormat.SRGB, data=np.ascontiguousarray(image))


def _ignore_profiling_signal() -> None:
    """Ignore SIGPROF in Python too.

    MediaPipe starts a profiling timer and ignores its signal, but Python does not know this. After a fit, Lightning
    restores all signal handlers that Python knew, so it would restore the default, and the next tick of the timer would
    end the process.
    """
    if hasattr(signal, "SIGPROF") and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGPROF, signal.SIG_IGN)


@contextmanager
def _silent_stderr() -> Iterator[None]:
    """Suppress the output of MediaPipe's C++ code at its start: a dozen lines that no setting turns off.

    Errors are still raised as Python exceptions.
    """
    sys.stderr.flush()
    with Path(os.devnull).open("wb") as nowhere:
        kept = os.dup(2)
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
