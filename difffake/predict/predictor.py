"""The Python interface for users: scores for images and videos from a checkpoint."""

import math
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np
import torch

from difffake.data.batches import to_tensors, to_unit
from difffake.errors import UsageError, UserError
from difffake.evaluation.calibration import Calibration, ScoreCalibration, find_calibration, too_few
from difffake.faces.crops import MARGIN, crop_face
from difffake.faces.detection import FaceFinder, LandmarkDetector
from difffake.faces.images import read_image
from difffake.faces.listing import Kind, kind_of
from difffake.faces.model_file import landmarker_model
from difffake.faces.video import read_clip
from difffake.logits import mean_logit, sigmoid
from difffake.models.checkpoint import load_detector
from difffake.models.device import choose_device
from difffake.models.weights import weights_file
from difffake.predict.inputs import as_rgb, is_single
from difffake.predict.prediction import FaceScore, Prediction, Promise

FALSE_ALARMS = 0.05
"""The promised rate of false alarms, unless another is chosen."""


class _Crop(NamedTuple):
    pixels: np.ndarray
    box: tuple[int, int, int, int] | None


class Predictor:
    """Finds, crops and scores faces in the same way as in training.

    It holds MediaPipe's network. Free it with `close`, or use `with Predictor(...) as predictor`.

    Args:
        ckpt: checkpoint of `difffake fit`, or the run folder, whose best.ckpt is used.
        landmarker: MediaPipe's face_landmarker.task; by default it is found as in `difffake prepare`.
        frames: number of frames to score per video, evenly spaced over the whole clip.
        margin: side of the crop as a multiple of the side of the face's box; by default that of the detector's training
            data, or 1.3 if the checkpoint does not record it.
        device: auto, cpu, cuda or cuda:N.
        cropped: take each image as a crop of one face and score it unchanged, without face detection.
        find_faces: another face detector: a function from an image (H, W, 3) uint8 RGB to its faces, the largest first;
            by default MediaPipe's.
        imports: packages of your own whose code may run, if the encoder is in one of them.
        calibration: file of `difffake calibrate`, or none; auto takes calibration.json beside the checkpoint, if it
            exists.
        false_alarms: the promised false-alarm rate, in (0, 1), which needs a calibration: of real files like those that
            calibrated, at most this share is called fake, and of fakes, at most this share real. Files between are
            neither. By default 0.05, if there is a calibration.

    Raises `UsageError` if a rate is given without a calibration or out of range, and `UserError` if the checkpoint,
    MediaPipe's model or the device cannot be used.
    """

    def __init__(
        self,
        ckpt: str | Path,
        landmarker: str | Path | None = None,
        frames: int = 32,
        margin: float | None = None,
        device: str = "auto",
        cropped: bool = False,
        find_faces: FaceFinder | None = None,
        imports: Sequence[str] = (),
        calibration: str | Path = "auto",
        false_alarms: float | None = None,
    ) -> None:
        if false_alarms is not None and not 0 < false_alarms < 1:
            raise UsageError(f"a false-alarm rate of {false_alarms} is out of range: choose one between 0 and 1")
        self.device = choose_device(device)
        path = weights_file(str(ckpt))
        self.detector, self.info = load_detector(path, self.device, imports)
        self.calibration: Calibration | None = find_calibration(calibration, path)
        if false_alarms is not None and not self.calibration:
            raise UsageError(
                f"a false-alarm rate of {100 * false_alarms:g} % needs a calibration, and there is none: make one with "
                f"difffake calibrate --ckpt {ckpt}, name its file with --calibration, or choose no rate"
            )
        self.false_alarms = FALSE_ALARMS if false_alarms is None else false_alarms
        self.frames = frames
        self.margin = margin or self.info.margin or MARGIN
        self._landmarks: LandmarkDetector | None = None
        self._find_faces = find_faces
        if not cropped and find_faces is None:
            self._landmarks = LandmarkDetector(landmarker_model(Path(landmarker) if landmarker else None))
            self._find_faces = self._landmarks
        self._cropped = cropped
        self._closed = False

    def predict_file(self, path: str | Path) -> Prediction:
        """Score every face of an image, or the largest face of each chosen frame of a video.

        Raises `UserError` if the file cannot be read or no face is found.
        """
        if not isinstance(path, str | Path):
            raise UserError(f"predict_file needs a path, not a {type(path).__name__}: use predict_images for images")
        path = Path(path)
        if path.is_dir():
            raise UserError(f"{path} is a folder: give one of its files")
        if kind_of(path) == "video":
            clip = read_clip(path, self.frames)
            return self._predict_frames(clip.frames, clip.total, clip.shortfall, str(path))
        return self._predict_photo(read_image(path), str(path))

    def predict_images(self, images: Any, name: str = "the images") -> Prediction:
        """Score every face of one photograph, or a list of frames of one face together.

        Args:
            images: one image, or a list of images that are scored like the frames of a video. An image is an array
                (H, W, 3) of uint8 RGB or floats in [0, 1], a tensor (3, H, W), a PIL image, or another form that
                `as_rgb` accepts.
            name: name of the images in error messages.

        Raises `UserError` if something is not an image, or no face is found.
        """
        if is_single(images):
            return self._predict_photo(as_rgb(images), name)
        frames = [(number, None, as_rgb(image)) for number, image in enumerate(images)]
        if not frames:
            raise UserError(f"{name}: the list is empty")
        return self._predict_frames(frames, len(frames), "", name)

    def calibrated(self, kind: Kind, logit: float) -> float:
        """The calibrated probability of an image or video with this logit; its sigmoid without a calibration."""
        found = self._calibration_of(kind)
        return float(found.to_probability(logit)) if found else sigmoid(logit)

    def _calibration_of(self, kind: Kind) -> ScoreCalibration | None:
        """Calibration of images or videos; for videos, that of images if there is none."""
        if not self.calibration:
            return None
        frame = self.calibration.at("classifier", "frame")
        return (self.calibration.at("classifier", "video") or frame) if kind == "video" else frame

    def _promise(self, kind: Kind, logit: float, faces: int) -> Promise | None:
        """What the calibration says of a file with this logit, which has so many scored faces."""
        found = self._calibration_of(kind)
        if not found or not self.calibration:
            return None
        broken = []
        if kind == "video" and not self.calibration.at("classifier", "video"):
            broken.append("no videos calibrated: for videos, thresholds of single images are used and promise nothing")
        if kind == "image" and faces > 1:
            broken.append("an image with several faces gets the highest of their scores: for it, nothing is promised")
        notes = (*broken, *too_few(found, self.false_alarms))
        rate = None if broken or not found.real.enough(self.false_alarms) else self.false_alarms
        return Promise(rate, found.limits(self.false_alarms), self.calibrated(kind, logit), notes)

    def close(self) -> None:
        """Free MediaPipe's network; the predictor cannot be used afterwards."""
        self._closed = True
        if self._landmarks:
            self._landmarks.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _predict_photo(self, image: np.ndarray, name: str) -> Prediction:
        crops = self._crops(image)
        if not crops:
            raise UserError(f"{name}: no face found")
        logits = self._logits([crop.pixels for crop in crops], name)
        faces = [FaceScore(0, None, crop.box, logit) for crop, logit in zip(crops, logits, strict=True)]
        return self._prediction("image", max(logits), faces)

    def _predict_frames(
        self, frames: Sequence[tuple[int, float | None, np.ndarray]], total: int, shortfall: str, name: str
    ) -> Prediction:
        """Score frames (number, seconds, image). `shortfall` says what is wrong with the video; empty if nothing is."""
        found = [(number, time, self._crops(image)) for number, time, image in frames]
        largest = [(number, time, crops[0]) for number, time, crops in found if crops]
        notes = [shortfall] if shortfall else []
        if not largest:
            raise UserError("; ".join([f"{name}: no face found in {len(found)} frames", *notes]))
        logits = self._logits([crop.pixels for _, _, crop in largest], name)
        faces = [
            FaceScore(number, time, crop.box, logit)
            for (number, time, crop), logit in zip(largest, logits, strict=True)
        ]
        return self._prediction(
            "video",
            mean_logit(logits),
            faces,
            frames_without_face=[(number, time) for number, time, crops in found if not crops],
            frames_with_several=[number for number, _, crops in found if len(crops) > 1],
            total_frames=total,
            notes=notes,
        )

    def _prediction(
        self, kind: Kind, logit: float, faces: list[FaceScore], notes: Sequence[str] = (), **seen: Any
    ) -> Prediction:
        promise = self._promise(kind, logit, len(faces))
        notes = [*notes, *(promise.notes if promise else ())]
        return Prediction(kind, logit, self.info.threshold, faces, notes=notes, promise=promise, **seen)

    def _crops(self, image: np.ndarray) -> list[_Crop]:
        """Crops of all faces of an image, largest face first."""
        if self._closed:
            raise UserError("this Predictor is closed: make another, or score inside its `with` block")
        if self._cropped or self._find_faces is None:
            return [_Crop(image, None)]
        cropped = (crop_face(image, face, self.margin) for face in self._find_faces(image))
        return [_Crop(pixels, box) for pixels, _, box in cropped]

    @torch.inference_mode()
    def _logits(self, crops: list[np.ndarray], name: str) -> list[float]:
        batch = to_tensors(crops, self.info.config.image_size)
        parts = batch.to(self.device).split(32)
        logits = torch.cat([self.detector(to_unit(part)).logit for part in parts]).double().tolist()
        if not all(map(math.isfinite, logits)):
            raise UserError(f"{name}: the detector's score is NaN or infinite: its checkpoint is broken")
        return logits
