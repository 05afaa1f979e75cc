"""MediaPipe's models of the face, loaded without the rest of the package and without its noise."""

import os
import signal
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from difffake.errors import UserError
from difffake.narrow_imports import bare, one_at_a_time

_silence = threading.Lock()  # two threads that silence at once would put back each other's silence


class Models(NamedTuple):
    """MediaPipe's tasks, whose `detect` takes an image that `wrap` has made."""

    landmarker: Any
    """Finds faces and their landmarks; includes the detector, with MediaPipe's own thresholds."""
    detector: Any
    """Finds boxes of faces alone: the short-range detector that the landmarker uses."""
    wrap: Callable[[np.ndarray], Any]
    """MediaPipe's image of an array (H, W, 3) uint8 RGB."""


def load(model: Path, max_faces: int, confidence: float) -> Models:
    """The models in `face_landmarker.task`, warmed up. Raises `UserError` if the file is another one.

    Args:
        model: the file, a zip of TensorFlow Lite models.
        max_faces: at most so many faces get landmarks in an image.
        confidence: least confidence in [0, 1] of the boxes that the detector gives.
    """
    _ignore_profiling_signal()
    with silent_stderr():
        try:
            models = _load(model, max_faces, confidence)
        except (RuntimeError, OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise UserError(f"{model} is not MediaPipe's face landmark model: get face_landmarker.task") from error
        for task in (models.landmarker, models.detector):
            task.detect(models.wrap(np.zeros((64, 64, 3), np.uint8)))
    return models


def _load(model: Path, max_faces: int, confidence: float) -> Models:
    packages = ("mediapipe", "mediapipe.tasks", "mediapipe.tasks.python", "mediapipe.tasks.python.vision")
    # The rest of MediaPipe, such as sound, and matplotlib, with which it draws, takes longer to import than to find a
    # hundred faces.
    with one_at_a_time, nullcontext() if "mediapipe" in sys.modules else bare(packages):
        from mediapipe.tasks.python.core.base_options import BaseOptions
        from mediapipe.tasks.python.vision.core.image import Image, ImageFormat
        from mediapipe.tasks.python.vision.face_detector import FaceDetector, FaceDetectorOptions
        from mediapipe.tasks.python.vision.face_landmarker import FaceLandmarker, FaceLandmarkerOptions

        options = without_reports(BaseOptions)
        with zipfile.ZipFile(model) as file:
            boxes = options(model_asset_buffer=file.read("face_detector.tflite"))
        landmarker = FaceLandmarker.create_from_options(
            FaceLandmarkerOptions(base_options=options(model_asset_path=str(model)), num_faces=max_faces)
        )
        detector = FaceDetector.create_from_options(
            FaceDetectorOptions(base_options=boxes, min_detection_confidence=confidence)
        )
    return Models(
        _quiet(landmarker),
        _quiet(detector),
        lambda image: Image(image_format=ImageFormat.SRGB, data=np.ascontiguousarray(image)),
    )


def without_reports(base_options: Any) -> Any:
    """MediaPipe's class `BaseOptions` for models that report nothing.

    Its tasks send counts and times of their calls, and the versions of MediaPipe and Python, to play.googleapis.com,
    and have no switch for that. They check the server with the certificates that the options name; here there are none,
    so that the connection ends before anything is sent.
    """

    class WithoutReports(base_options):
        def to_ctypes(self) -> Any:
            options = super().to_ctypes()
            options.ca_bundle_path = os.devnull.encode()
            return options

    return WithoutReports


def _quiet(task: Any) -> Any:
    """`task`, which from now on closes quietly where it was forgotten; MediaPipe's own prints an error at the end."""
    kind = type(task)

    class Quiet(kind):  # type: ignore[misc,valid-type]
        def __del__(self) -> None:
            if not sys.is_finalizing():
                with suppress(RuntimeError):  # its thread has ended before it
                    super().__del__()

    task.__class__ = Quiet  # which the constructor would not give if called on it
    return task


def _ignore_profiling_signal() -> None:
    """Ignore SIGPROF in Python's books too.

    MediaPipe starts a profiling timer and ignores its signal, but behind Python's back: Lightning, which puts back
    all signal handlers that it found after a fit, would put back the default, and the next tick end the process.
    """
    if hasattr(signal, "SIGPROF") and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGPROF, signal.SIG_IGN)


@contextmanager
def silent_stderr() -> Iterator[None]:
    """Drop what MediaPipe's C++ side writes while it starts and ends: a dozen lines that no setting turns off.

    Its errors come as Python exceptions all the same. What other threads write to stderr meanwhile is dropped too.
    Blocks may not be nested: the inner one would wait for the outer one.
    """
    with _silence, Path(os.devnull).open("wb") as nowhere:
        sys.stderr.flush()
        kept = os.dup(2)
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
