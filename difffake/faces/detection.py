"""Face landmarks by MediaPipe, and square crops around them."""

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

# iBUG-68 order; the jaw (first 17) is replaced by evenly spaced points of the face oval below.
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

    The box bounds MediaPipe's whole mesh, so it includes the forehead, which the 68 points leave out.
    """

    landmarks: np.ndarray
    box: np.ndarray

    @property
    def area(self) -> float:
        """Area of the box in square pixels."""
        return float(np.prod(self.box[2:] - self.box[:2]))


def landmarks_68(mesh: np.ndarray) -> np.ndarray:
    """68 landmarks (68, 2) in iBUG order from MediaPipe's mesh (478, 2), in the mesh's units.

    MediaPipe's points crowd around the chin, so the jaw is spaced evenly along the face oval, from each ear
    to the chin.
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
"""Gives the faces of an image (H, W, 3) uint8 RGB, largest first, such as a `LandmarkDetector`."""


class LandmarkDetector:
    """MediaPipe's Face Landmarker. Call it with (H, W, 3) uint8 RGB; gives the faces, largest first.

    Args:
        model: the file `face_landmarker.task`; `difffake.faces.model_file.landmarker_model` finds it.
        max_faces: at most so many faces are found in an image.
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
            # The face detector expects some surroundings; a crop that the face fills gets them from its border.
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
        """Free MediaPipe's resources; a detector that is forgotten does so by itself."""
        self._landmarker.close()

    def __enter__(self) -> "LandmarkDetector":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _landmarker(model: Path, max_faces: int) -> tuple[Any, Callable[[np.ndarray], Any]]:
    """MediaPipe's landmarker, and what makes its images of arrays."""
    packages = ("mediapipe", "mediapipe.tasks", "mediapipe.tasks.python", "mediapipe.tasks.python.vision")
    # The rest of MediaPipe, such as sound, and matplotlib, with which it draws, takes longer to import than to find a
    # hundred faces.
    with nullcontext() if "mediapipe" in sys.modules else bare(packages):
        from mediapipe.tasks.python.core.base_options import BaseOptions
        from mediapipe.tasks.python.vision.core.image import Image, ImageFormat
        from mediapipe.tasks.python.vision.face_landmarker import FaceLandmarker, FaceLandmarkerOptions

        class QuietLandmarker(FaceLandmarker):
            """Closes quietly where it was forgotten; the original prints an error when the interpreter ends."""

            def __del__(self) -> None:
                if not sys.is_finalizing():
                    with suppress(RuntimeError):  # its thread has ended before it
                        super().__del__()

        options = FaceLandmarkerOptions(base_options=BaseOptions(model_asset_path=str(model)), num_faces=max_faces)
        try:
            landmarker = FaceLandmarker.create_from_options(options)
        except (RuntimeError, OSError, ValueError) as error:
            raise UserError(f"{model} is not MediaPipe's face landmark model: get face_landmarker.task") from error
        landmarker.__class__ = QuietLandmarker  # which the line above would not give if called on it
    return landmarker, lambda image: Image(image_format=ImageFormat.SRGB, data=np.ascontiguousarray(image))


def _ignore_profiling_signal() -> None:
    """Ignore SIGPROF in Python's books too.

    MediaPipe starts a profiling timer and ignores its signal, but behind Python's back: Lightning, which puts back
    all signal handlers that it found after a fit, would put back the default, and the next tick end the process.
    """
    if hasattr(signal, "SIGPROF") and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGPROF, signal.SIG_IGN)


@contextmanager
def _silent_stderr() -> Iterator[None]:
    """Drop what MediaPipe's C++ side writes while it starts: a dozen lines that no setting turns off.

    Its errors come as Python exceptions all the same.
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
