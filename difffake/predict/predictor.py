"""The Python interface for users: scores for images and videos from a checkpoint."""

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, overload

import numpy as np

from difffake.errors import UsageError, UserError
from difffake.evaluation.calibration import Calibration, calibration_file, read_calibration, too_few
from difffake.faces.crops import MARGIN
from difffake.faces.detection import FaceFinder, LandmarkDetector
from difffake.faces.images import read_image
from difffake.faces.listing import Kind, kind_of
from difffake.faces.model_file import landmarker_model
from difffake.faces.video import read_clip
from difffake.logits import mean_logit, sigmoid
from difffake.predict.inputs import as_rgb, is_single
from difffake.predict.people import OtherScores, References, calibration_of, find_anomaly, verdict_of
from difffake.predict.prediction import FaceScore, Person, Prediction, Promise
from difffake.predict.scorer import Scorer, Scores
from difffake.predict.seen import SHARE, Seen, Shown

FALSE_ALARMS = 0.05
"""The promised rate of false alarms, unless another is chosen."""


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
        anomaly: file of `difffake fit-anomaly`, or none; auto takes anomaly.safetensors beside the checkpoint, if it
            exists. It gives each person an anomaly score, and with a calibration a fused one.
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
        anomaly: str | Path = "auto",
        false_alarms: float | None = None,
    ) -> None:
        if false_alarms is not None and not 0 < false_alarms < 1:
            raise UsageError(f"a false-alarm rate of {false_alarms} is out of range: choose one between 0 and 1")
        self.scorer = open_scorer(Path(ckpt), device, imports)
        found = find_anomaly(anomaly, self.scorer)
        file = calibration_file(calibration, self.scorer.path)
        self.calibration: Calibration | None = (
            read_calibration(file, self.scorer.path, found[1] if found else None, self.scorer.checkpoint)
            if file
            else None
        )
        if false_alarms is not None and not self.calibration:
            raise UsageError(
                f"a false-alarm rate of {100 * false_alarms:g} % needs a calibration, and there is none: make one with "
                f"difffake calibrate --ckpt {ckpt}, name its file with --calibration, or choose no rate"
            )
        self.false_alarms = FALSE_ALARMS if false_alarms is None else false_alarms
        self._others = OtherScores(found[0], self.calibration, self.false_alarms) if found else None
        self.frames = frames
        self.margin = margin or self.scorer.margin or MARGIN
        if not cropped and find_faces is None:
            find_faces = LandmarkDetector(landmarker_model(Path(landmarker) if landmarker else None))
        self._seen = Seen(None if cropped else find_faces, self.margin)

    @overload
    def predict(
        self, source: list[str] | list[Path], references: References | None = None, name: str = "the images"
    ) -> list[Prediction]: ...

    @overload
    def predict(self, source: Any, references: References | None = None, name: str = "the images") -> Prediction: ...

    def predict(
        self, source: Any, references: References | None = None, name: str = "the images"
    ) -> Prediction | list[Prediction]:
        """Score every face of a photograph, or every person of a video.

        Args:
            source: the path of an image or a video; or an image: an array (H, W, 3) of uint8 RGB or floats in [0, 1], a
                tensor (3, H, W), a PIL image, or another form that `as_rgb` accepts; or a list of images, which are
                scored like the frames of one video; or a list of paths, each of which is scored by itself.
            references: real images of the same person, from `references`. Then the anomaly score compares the source
                with them, and not the frames of a video with one another.
            name: name of images that are no files, for error messages. The choice of the frames that are compared with
                one another depends on it.

        Returns:
            The result; of a list of paths, a list with the result of each.

        Raises `UserError` if a file cannot be read, something is not an image, no face is found, or a file shows
        several people and there are references.
        """
        if isinstance(source, str | Path):
            return self._predict_file(Path(source), references)
        if is_single(source):
            return self._predict_photo(as_rgb(source), name, references)
        given = list(source)
        if not given:
            raise UserError(f"{name}: the list is empty")
        if all(isinstance(one, str | Path) for one in given):
            return [self._predict_file(Path(one), references) for one in given]
        frames = [(number, None, as_rgb(image)) for number, image in enumerate(given)]
        return self._predict_frames(frames, len(frames), "", name, references)

    def references(self, images: Sequence[Any]) -> References:
        """Read real images of one person once, to compare any number of files with them.

        Args:
            images: paths, or images as for `predict`; the largest face of each is taken.

        Raises `UserError` if there is no anomaly model, an image cannot be read, or no face is found in one.
        """
        if not self._others:
            raise UserError(
                "references need an anomaly model: run difffake fit-anomaly, or name its file with --anomaly"
            )
        crops = []
        for number, image in enumerate(images):
            is_path = isinstance(image, str | Path)
            found = self._seen.crops(read_image(Path(image)) if is_path else as_rgb(image))
            if not found:
                raise UserError(f"{image if is_path else f'reference {number}'}: no face found")
            crops.append(found[0].pixels)
        return References(self._scores(crops, "the references").embeddings)

    def calibrated(self, kind: Kind, logit: float) -> float:
        """The calibrated probability of an image or video with this logit; its sigmoid without a calibration."""
        found = calibration_of(self.calibration, "classifier", kind)
        return float(found.to_probability(logit)) if found else sigmoid(logit)

    def _promise(self, kind: Kind, logit: float, people: int) -> Promise | None:
        """What the calibration says of a file with this logit, which shows so many people."""
        found = calibration_of(self.calibration, "classifier", kind)
        if not found or not self.calibration:
            return None
        broken = []
        if kind == "video" and not self.calibration.at("classifier", "video"):
            broken.append("no videos calibrated: for videos, thresholds of single images are used and promise nothing")
        if people > 1:
            broken.append(f"{kind}s with several people get the highest of their scores: for them, nothing is promised")
        notes = (*broken, *too_few(found, self.false_alarms))
        rate = None if broken or not found.real.enough(self.false_alarms) else self.false_alarms
        return Promise(rate, found.limits(self.false_alarms), self.calibrated(kind, logit), notes)

    def close(self) -> None:
        """Free MediaPipe's network; the predictor cannot be used afterwards."""
        self._seen.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _predict_file(self, path: Path, known: References | None) -> Prediction:
        if path.is_dir():
            raise UserError(f"{path} is a folder: give one of its files")
        if kind_of(path) == "video":
            clip = read_clip(path, self.frames)
            return self._predict_frames(clip.frames, clip.total, clip.shortfall, str(path), known)
        return self._predict_photo(read_image(path), str(path), known)

    def _predict_photo(self, image: np.ndarray, name: str, known: References | None) -> Prediction:
        people = [[Shown(0, None, crop)] for crop in self._seen.crops(image)]
        if not people:
            raise UserError(f"{name}: no face found")
        return self._prediction("image", people, name, known)

    def _predict_frames(
        self,
        frames: Sequence[tuple[int, float | None, np.ndarray]],
        total: int,
        shortfall: str,
        name: str,
        known: References | None,
    ) -> Prediction:
        """Score frames (number, seconds, image). `shortfall` says what is wrong with the video; empty if nothing is."""
        notes = [shortfall] if shortfall else []
        people = self._seen.people(frames)
        if not people:
            raise UserError("; ".join([f"{name}: no face found in {len(frames)} frames", *notes]))
        shown = {face.frame for person in people for face in person}
        kept = [person for person in people if len(person) >= SHARE * len(people[0])]
        if left := len(people) - len(kept):
            who = f"{left} other people were seen" if left > 1 else "another person was seen"
            notes.append(f"{who} in a few frames only and not scored")
        missed = [(number, time) for number, time, _ in frames if number not in shown]
        return self._prediction("video", kept, name, known, notes, frames_without_face=missed, total_frames=total)

    def _prediction(
        self,
        kind: Kind,
        people: Sequence[Sequence[Shown]],
        name: str,
        known: References | None,
        notes: Sequence[str] = (),
        **seen: Any,
    ) -> Prediction:
        """Score the faces of each person."""
        if known is not None and len(people) > 1:
            raise UserError(f"{name} shows {len(people)} people: references are for a file that shows one")
        scores = self._scores([face.crop.pixels for person in people for face in person], name)
        logits = scores.logits.tolist()
        means, start = [], 0
        parts: list[slice] = []
        for person in people:
            parts.append(slice(start, start := start + len(person)))
            means.append(mean_logit(logits[parts[-1]]) if kind == "video" else logits[parts[-1].start])
        promise = self._promise(kind, max(means), len(people))
        limits = promise.limits if promise else None
        found = []
        for person, part, logit in zip(people, parts, means, strict=True):
            faces = [
                FaceScore(face.frame, face.time, face.crop.box, one)
                for face, one in zip(person, logits[part], strict=True)
            ]
            others = (
                self._others.of(kind, logits[part], scores.embeddings[part], name, known)
                if self._others
                else (None, None)
            )
            verdict = verdict_of(logit, limits, self.scorer.threshold)
            calibrated = self.calibrated(kind, logit) if promise else None
            found.append(Person(faces, logit, verdict, calibrated, *others))
        said = [*notes, *(promise.notes if promise else ())]
        return Prediction(kind, max(means), self.scorer.threshold, found, notes=said, promise=promise, **seen)

    def _scores(self, crops: list[np.ndarray], name: str) -> Scores:
        """Scores of crops; an error if a logit is not finite."""
        scores = self.scorer(crops)
        if not np.isfinite(scores.logits).all():
            raise UserError(f"{name}: the detector's score is NaN or infinite: its checkpoint is broken")
        return scores


def open_scorer(path: Path, device: str = "auto", imports: Sequence[str] = ()) -> Scorer:
    """Read the detector of a checkpoint or run folder; for the arguments and errors see `Predictor`."""
    from difffake.predict.torch_scorer import TorchScorer  # here, because a detector may need no torch

    return TorchScorer(path, device, imports)
