"""The Python interface for users: scores for images and videos from a checkpoint."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, overload

import numpy as np

from difffake.errors import UsageError, UserError
from difffake.evaluation.calibration import Calibration, calibration_file, read_calibration
from difffake.faces.crops import MARGIN
from difffake.faces.detection import FaceFinder, LandmarkDetector
from difffake.faces.images import read_image
from difffake.faces.listing import Kind, count, kind_of
from difffake.faces.model_file import landmarker_model
from difffake.predict.credentials import read_credentials
from difffake.predict.finders import Finders
from difffake.predict.inputs import as_rgb, is_single
from difffake.predict.judge import Judge
from difffake.predict.overlap import look_through, overlapped, scored
from difffake.predict.people import OtherScores, References, find_anomaly
from difffake.predict.prediction import Prediction
from difffake.predict.pretrained import Pretrained
from difffake.predict.scorer import open_scorer
from difffake.predict.seen import SHARE, Crop, Frame, Look, Seen, Shown
from difffake.predict.within import Stopwatch, looks_within

T = TypeVar("T")
R = TypeVar("R")

AT_ONCE = 2
"""Files that are worked on at the same time: one ends while the next begins."""
MAX_FACES = 20
"""Most faces of an image or frame that are scored."""
SMALL = 48
"""Side of a face in pixels below which a score says little: little is left of a forgery's traces."""
FALSE_ALARMS = 0.05
"""The promised rate of false alarms, unless another is chosen."""
IMAGES = "the images"
"""Name of images that have none, in error messages."""


class Predictor(Pretrained):
    """Finds, crops and scores faces in the same way as in training.

    It holds MediaPipe's networks. Free them with `close`, or use `with Predictor(...) as predictor`.

    Images are RGB: (H, W, 3) arrays of uint8, or of floats in [0, 1]; `predict` names other forms. A logit is any
    number, higher = more fake; probabilities and rates are in [0, 1]; boxes are (x0, y0, x1, y1) in pixels.

    Example:
        ```python
        import numpy as np
        from PIL import Image

        from difffake import Predictor

        with Predictor.from_pretrained("runs/lfw") as predictor:  # without a name: the detector of the package
            photo = predictor.predict("photo.jpg")
            print(photo.verdict, photo.probability, photo.faces[0].box)
            pixels = np.asarray(Image.open("photo.jpg").convert("RGB"))  # (H, W, 3) uint8
            print(predictor.predict(pixels).logit, photo.logit)  # the same photograph
            clip = predictor.predict([pixels, pixels[:, ::-1]])  # a list of images is one clip
            for person in clip.people:
                print(person.verdict, [face.frame for face in person.faces])
            for result in predictor.predict(["photo.jpg", "clip.mp4"]):  # a list of paths gives a list
                print(result.kind, result.to_dict()["verdict"])
        ```

    Args:
        ckpt: checkpoint of `difffake fit`, the run folder, whose best.ckpt is used, or a model folder; or an
            .onnx file of `difffake export`. For a name on the Hub, or the detector of the
            package, use `from_pretrained`.
        landmarker: MediaPipe's face_landmarker.task; by default it is found as in `difffake prepare`.
        frames: number of frames to score per video, evenly spaced over the whole clip.
        seconds: time per video after which no further frame is begun, so that the answer comes soon; None: all `frames`
            are scored. The frames so far are always spread over the clip, and at least one face is scored.
        margin: side of the crop as a multiple of the side of the face's box; by default that of the detector's training
            data, or 1.3 if the checkpoint does not record it.
        device: auto, cpu, cuda or cuda:N. On a CPU, onnxruntime runs the detector if it can, else torch.
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

    Raises `UsageError` if a rate is given without a calibration, or a rate or time is out of range, and `UserError` if
    the checkpoint, MediaPipe's model or the device cannot be used.
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
        seconds: float | None = None,
    ) -> None:
        if seconds is not None and not seconds > 0:
            raise UsageError(f"a time of {seconds:g} s is out of range: choose one above 0")
        if false_alarms is not None and not 0 < false_alarms < 1:
            raise UsageError(f"a false-alarm rate of {false_alarms} is out of range: choose one between 0 and 1")
        self.scorer = open_scorer(Path(ckpt), device, imports)
        super().__init__(self.scorer.path, anomaly=anomaly, calibration=calibration, imports=imports)
        self.about = self.scorer.about
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
        others = OtherScores(found[0], self.calibration, self.false_alarms) if found else None
        self._judge = Judge(self.scorer.threshold, self.calibration, self.false_alarms, others)
        self.frames, self.seconds = frames, seconds
        self.margin = margin or self.scorer.margin or MARGIN
        if cropped:
            finders = None
        elif find_faces is not None:  # it may not be made for several threads
            finders = Finders(lambda: find_faces)
        else:
            model = landmarker_model(Path(landmarker) if landmarker else None)
            finders = Finders(lambda: LandmarkDetector(model, MAX_FACES), AT_ONCE)
        self._seen = Seen(finders, self.margin)

    @overload
    def predict(
        self, source: list[str] | list[Path], references: References | None = None, name: str | None = None
    ) -> list[Prediction]: ...

    @overload
    def predict(self, source: Any, references: References | None = None, name: str | None = None) -> Prediction: ...

    def predict(
        self, source: Any, references: References | None = None, name: str | None = None
    ) -> Prediction | list[Prediction]:
        """Score every face of a photograph, or every person of a video.

        Args:
            source: the path of an image or a video; or an image: an array (H, W, 3) of uint8 RGB or floats in [0, 1], a
                tensor (3, H, W), a PIL image, or another form that `as_rgb` accepts; or a list of images, which are
                scored like the frames of one video; or a list of paths, each of which is scored by itself.
            references: real images of the same person, from `references`. Then the anomaly score compares the source
                with them, and not the frames of a video with one another.
            name: name of the source in error messages; by default its path, or "the images". The choice of the frames
                that are compared with one another depends on it. In a list of paths, each has its own.

        Returns:
            The result; of a list of paths, a list with the result of each.

        Raises `UserError` if a file cannot be read, something is not an image, no face is found, or a file shows
        several people and there are references.
        """
        watch = Stopwatch()
        if isinstance(source, str | Path):
            found = self._predict_file(Path(source), name or str(Path(source)), references, watch)
        elif is_single(source):
            found = self._predict_photo(as_rgb(source), name or IMAGES, references)
        else:
            name = name or IMAGES
            given = list(source)
            if not given:
                raise UserError(f"{name}: the list is empty")
            if all(isinstance(one, str | Path) for one in given):
                with self.overlapped(lambda one: self.predict(Path(one), references), given) as answers:
                    return [answer.result() for answer in answers]
            frames = ((number, None, as_rgb(image)) for number, image in enumerate(given))
            looks = scored(self._seen.looks(frames), partial(self._score, name=name))
            found = self._predict_looks(looks, len(given), [], name, references)
        seconds = watch.seconds
        credentials = read_credentials(Path(source)) if isinstance(source, str | Path) else None
        return replace(found, seconds=seconds, credentials=credentials, detector=self.about)

    def references(self, images: Sequence[Any]) -> References:
        """Read real images of one person once, to compare any number of files with them.

        Args:
            images: paths, or images as for `predict`; the largest face of each is taken.

        Raises `UserError` if there is no anomaly model, an image cannot be read, or no face is found in one.
        """
        if not self._judge.others:
            raise UserError(
                "references need an anomaly model, which this detector does not have: run difffake fit-anomaly for a "
                "detector of your own, or name its file with --anomaly"
            )
        crops: list[Crop] = []
        for number, image in enumerate(images):
            is_path = isinstance(image, str | Path)
            found = self._seen.crops(read_image(Path(image)) if is_path else as_rgb(image))
            if not found:
                raise UserError(f"{image if is_path else f'reference {number}'}: no face found")
            crops.append(found[0])
        self._score(crops, "the references")
        return References(np.stack([crop.score[1] for crop in crops if crop.score]))

    def overlapped(self, work: Callable[[T], R], items: Iterable[T]) -> AbstractContextManager[Iterator[Future[R]]]:
        """Work on files with this predictor; while one is finished, the next is begun, unless time is limited.

        If the block ends with an error, so does all other work of this predictor that still runs: use one block at a
        time.

        Args:
            work: uses this predictor for one item.
            items: for example the files.
        """
        return overlapped(work, items, AT_ONCE if self.seconds is None else 1, self._seen.stop)

    @property
    def has_anomaly(self) -> bool:
        """Whether there is an anomaly model, which references need."""
        return self._judge.others is not None

    def calibrated(self, kind: Kind, logit: float) -> float:
        """The calibrated probability of an image or video with this logit; its sigmoid without a calibration."""
        return self._judge.calibrated(kind, logit)

    def close(self) -> None:
        """Free MediaPipe's networks; the predictor cannot be used afterwards."""
        self._seen.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _predict_file(self, path: Path, name: str, known: References | None, watch: Stopwatch) -> Prediction:
        if path.is_dir():
            raise UserError(f"{path} is a folder: give one of its files")
        if kind_of(path) != "video":
            return self._predict_photo(read_image(path), name, known)
        if self.seconds is None:
            looks, video = look_through(path, self.frames, self._seen, partial(self._score, name=name))
            notes = [video.shortfall] if video.shortfall else []
            return self._predict_looks(looks, len(video.there), notes, name, known)
        look, check = partial(self._scored, name=name), self._seen.check_open
        seen = looks_within(path, self.frames, self.seconds, watch, look, check)
        return self._predict_looks(seen.looks, seen.total, seen.notes, name, known)

    def _scored(self, frame: Frame, name: str) -> Look:
        """Look at one frame and score its faces at once."""
        look = self._seen.look(frame)
        self._score(look.crops, name)
        return look

    def _predict_photo(self, image: np.ndarray, name: str, known: References | None) -> Prediction:
        people = [[Shown(0, None, crop)] for crop in self._seen.crops(image)]
        if not people:
            raise UserError(f"{name}: no face found")
        return self._prediction("image", people, name, known, _crowd(len(people)), faces_found=len(people))

    def _predict_looks(
        self, looks: Sequence[Look], total: int, notes: Sequence[str], name: str, known: References | None
    ) -> Prediction:
        """Score what was seen in the frames of a video, which has `total` of them; `notes` are of its reading."""
        said = [*notes, *_crowd(max((len(look.crops) for look in looks), default=0))]
        people = self._seen.people(looks)
        if not people:
            raise UserError("; ".join([f"{name}: no face found in {count(len(looks), 'frame')}", *said]))
        kept = [person for person in people if len(person) >= SHARE * len(people[0])]
        if left := len(people) - len(kept):
            who = f"{left} other people were seen" if left > 1 else "another person was seen"
            said.append(f"{who} in a few frames only and not scored")
        return self._prediction(
            "video",
            kept,
            name,
            known,
            said,
            frames_without_face=[(look.frame, look.time) for look in looks if not look.crops],
            total_frames=total,
            frames_used=len(looks),
            faces_found=sum(len(look.crops) for look in looks),
        )

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
        self._score([face.crop for person in people for face in person], name)
        return self._judge(kind, people, name, known, [*notes, *_small(people)], **seen)

    def _score(self, crops: Sequence[Crop], name: str) -> None:
        """Score the crops that have no score yet; an error if a logit is not finite."""
        new = [crop for crop in crops if crop.score is None]
        pixels = [crop.pixels for crop in new if crop.pixels is not None]
        if not pixels:
            return
        scores = self.scorer(pixels)
        if not np.isfinite(scores.logits).all():
            raise UserError(f"{name}: the detector's score is NaN or infinite: its checkpoint is broken")
        for crop, logit, embedding in zip(new, *scores, strict=True):
            crop.score, crop.pixels = (float(logit), embedding), None


def _crowd(faces: int) -> list[str]:
    """A note if there may be more faces than were looked at."""
    return [f"there may be more than {MAX_FACES} faces, of which {MAX_FACES} were scored"] if faces >= MAX_FACES else []


def _small(people: Sequence[Sequence[Shown]]) -> list[str]:
    """A note for each person whose face is small in most of the frames."""
    notes = []
    for number, person in enumerate(people, 1):
        sides = [face.crop.side for face in person if face.crop.side is not None]
        if sides and (side := float(np.median(sides))) < SMALL:
            who = "the face" if len(people) == 1 else f"the face of person {number}"
            notes.append(f"{who} has {side:.0f} pixels: below {SMALL}, a score says little")
    return notes
