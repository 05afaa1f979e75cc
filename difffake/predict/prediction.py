"""The detector's result for one file."""

import math
from dataclasses import dataclass, field
from typing import Any

from difffake.evaluation.calibration import Limits
from difffake.faces.listing import Kind
from difffake.logits import sigmoid
from difffake.predict.credentials import Credentials
from difffake.predict.people import OtherScore, Verdict, verdict_of


@dataclass(frozen=True)
class FaceScore:
    """The score of one face."""

    frame: int
    """Number of the frame, counted from 0; 0 for an image."""
    time: float | None
    """Seconds from the start of the video; None for an image."""
    box: tuple[int, int, int, int] | None
    """The scored crop, (x0, y0, x1, y1) in pixels of the image; None if it is the whole image."""
    logit: float
    """Higher = more fake."""

    @property
    def probability(self) -> float:
        """Probability that the face is fake, in [0, 1]: the sigmoid of the logit."""
        return sigmoid(self.logit)


@dataclass(frozen=True)
class Person:
    """One person of a file: a face of an image, or the faces of one person in the frames of a video."""

    faces: list[FaceScore]
    """In the order of time."""
    logit: float
    """Higher = more fake: of several faces, the logit of their mean probability."""
    verdict: Verdict | None
    """By the same limits or threshold as the file's."""
    calibrated_probability: float | None
    """Probability that the person is fake, in [0, 1]; None without a calibration."""
    anomaly: OtherScore | None = None
    """None without an anomaly model, or if there is no second frame or reference to compare with."""
    fusion: OtherScore | None = None
    """Of the logit and the anomaly score; None if `difffake calibrate` fitted none."""

    @property
    def probability(self) -> float:
        """Probability that the person is fake, in [0, 1]: the sigmoid of the logit."""
        return sigmoid(self.logit)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "logit": self.logit,
            "probability": self.probability,
            "calibrated_probability": self.calibrated_probability,
            "verdict": self.verdict,
            "anomaly": vars(self.anomaly) if self.anomaly else None,
            "fusion": vars(self.fusion) if self.fusion else None,
            "faces": [vars(face) | {"probability": face.probability} for face in self.faces],
        }


@dataclass(frozen=True)
class Promise:
    """What a calibration says of one file."""

    false_alarms: float | None
    """The promised rate: of real files, at most this share is called fake; of fakes, at most this share real. None if
    it cannot be promised for this file; `notes` then says why."""
    limits: Limits
    """Logits between the verdicts."""
    calibrated_probability: float
    """Probability that the file is fake, if fakes are as frequent as among the calibrating data."""
    notes: tuple[str, ...] = ()
    """What is not promised, one sentence each."""

    @property
    def fake_above(self) -> float | None:
        """Smallest probability at which the file is called fake; None if none is (too few real faces calibrated)."""
        return _probability(self.limits.fake_above)

    @property
    def real_below(self) -> float | None:
        """Largest probability at which the file is called real; None if none is (too few fakes calibrated)."""
        return _probability(self.limits.real_below)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, without the notes."""
        return {
            "false_alarms": self.false_alarms,
            "fake_above": self.fake_above,
            "real_below": self.real_below,
            "fake_above_logit": _finite(self.limits.fake_above),
            "real_below_logit": _finite(self.limits.real_below),
            "calibrated_probability": self.calibrated_probability,
        }


@dataclass(frozen=True)
class Prediction:
    """The detector's result for one file."""

    kind: Kind
    logit: float
    """Higher = more fake: the highest logit of its people. Verdicts compare it, because probabilities of large logits
    are all 1."""
    threshold_logit: float | None
    """Smallest logit at which the file is called fake, from validation data; None if the checkpoint has none."""
    people: list[Person]
    """Of an image, the largest face first; of a video, who is in most of its frames."""
    frames_without_face: list[tuple[int, float | None]] = field(default_factory=list)
    """Number and time in seconds of the chosen frames of a video in which no face was found."""
    total_frames: int = 1
    """Number of frames of the video that can be decoded; 1 for an image."""
    frames_used: int = 1
    """Number of frames in which faces were looked for; 1 for an image."""
    faces_found: int = 1
    """Number of faces in them, also of people who were not scored."""
    seconds: float = field(default=0.0, compare=False)
    """Time that reading and scoring took, without loading the detector and without Content Credentials."""
    credentials: Credentials | None = field(default=None, compare=False)
    """Content Credentials of the file, which change nothing of the score; None if none could be looked for."""
    notes: list[str] = field(default_factory=list)
    """Other remarks for the user, such as that the video is cut short; those of `promise` are among them."""
    promise: Promise | None = None
    """Calibrated probability and thresholds; None without a calibration."""
    detector: str = ""
    """What the detector was trained and measured on, in one line; empty if it is not from a model folder."""

    @property
    def probability(self) -> float:
        """Probability that the file is fake, in [0, 1]: the sigmoid of the logit."""
        return sigmoid(self.logit)

    @property
    def threshold(self) -> float | None:
        """Smallest probability at which the file is called fake; None if the checkpoint has no threshold."""
        return None if self.threshold_logit is None else sigmoid(self.threshold_logit)

    @property
    def verdict(self) -> Verdict | None:
        """`fake`, `real`, or with a calibration `cannot tell`, if the logit is between its limits.

        Without a calibration, `fake` if the logit reaches the threshold of the checkpoint; None if there is none.
        """
        return verdict_of(self.logit, self.promise.limits if self.promise else None, self.threshold_logit)

    @property
    def faces(self) -> list[FaceScore]:
        """The faces of all people, one person after the other."""
        return [face for person in self.people for face in person.faces]

    @property
    def logits(self) -> list[float]:
        """Logits of all faces."""
        return [face.logit for face in self.faces]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; docs/guide.md lists the keys."""
        return {
            "kind": self.kind,
            "logit": self.logit,
            "probability": self.probability,
            "threshold": self.threshold,
            "threshold_logit": self.threshold_logit,
            "verdict": self.verdict,
            **(self.promise.to_dict() if self.promise else {}),
            "people": [person.to_dict() for person in self.people],
            "frames_without_face": [{"frame": frame, "time": time} for frame, time in self.frames_without_face],
            "total_frames": self.total_frames,
            "frames_used": self.frames_used,
            "faces_found": self.faces_found,
            "seconds": self.seconds,
            "content_credentials": self.credentials.to_dict() if self.credentials else None,
            "notes": self.notes,
            "detector": self.detector,
        }


def _finite(limit: float) -> float | None:
    return limit if math.isfinite(limit) else None


def _probability(limit: float) -> float | None:
    return sigmoid(limit) if math.isfinite(limit) else None
