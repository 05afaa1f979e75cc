"""The detector's result for one file."""

import math
from dataclasses import dataclass, field
from typing import Any, Literal

import torch

from difffake.faces.listing import Kind

Verdict = Literal["real", "fake", "cannot tell"]


def sigmoid(logit: float) -> float:
    """1 / (1 + exp(-logit)), without overflow for large negative logits."""
    return float(torch.tensor(logit, dtype=torch.float64).sigmoid())


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
class Promise:
    """What a calibration says of one file."""

    false_alarms: float
    """The promised rate: of real files, at most this share is called fake; of fakes, at most this share real."""
    fake_above: float | None
    """Smallest probability at which the file is called fake; None if none is (too few real faces calibrated)."""
    real_below: float | None
    """Largest probability at which the file is called real; None if none is."""
    calibrated_probability: float
    """Probability that the file is fake, if fakes are as frequent as among the calibrating data."""


@dataclass(frozen=True)
class Prediction:
    """The detector's result for one file."""

    kind: Kind
    probability: float
    """Probability that the file is fake, in [0, 1]: the highest over the faces of an image, the mean over frames."""
    threshold: float | None
    """Smallest probability at which the file is called fake, from validation data; None if the checkpoint has none."""
    faces: list[FaceScore]
    """For an image, every face, the largest first; for a video, the largest face of each frame that has one."""
    frames_without_face: list[tuple[int, float | None]] = field(default_factory=list)
    """Number and time in seconds of the chosen frames of a video in which no face was found."""
    frames_with_several: list[int] = field(default_factory=list)
    """Numbers of the frames of a video with several faces; only the largest face was scored."""
    total_frames: int = 1
    """Number of frames of the video that can be decoded; 1 for an image."""
    notes: list[str] = field(default_factory=list)
    """Other remarks for the user, such as that the video is cut short."""
    promise: Promise | None = None
    """Calibrated probability and thresholds; None without a calibration."""

    @property
    def verdict(self) -> Verdict | None:
        """`fake`, `real`, or with a calibration `cannot tell`, if the probability is between its thresholds.

        Without a calibration, `fake` if the probability reaches the threshold of the checkpoint; None if there is none.
        """
        if self.promise:
            if self.promise.fake_above is not None and self.probability >= self.promise.fake_above:
                return "fake"
            if self.promise.real_below is not None and self.probability <= self.promise.real_below:
                return "real"
            return "cannot tell"
        if self.threshold is None:
            return None
        return "fake" if self.probability >= self.threshold else "real"

    @property
    def logits(self) -> list[float]:
        """Logits of all faces."""
        return [face.logit for face in self.faces]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; docs/guide.md lists the keys."""
        return {
            "kind": self.kind,
            "probability": self.probability,
            "threshold": self.threshold,
            "verdict": self.verdict,
            **(vars(self.promise) if self.promise else {}),
            "faces": [vars(face) | {"probability": face.probability} for face in self.faces],
            "frames_without_face": [{"frame": frame, "time": time} for frame, time in self.frames_without_face],
            "frames_with_several": self.frames_with_several,
            "total_frames": self.total_frames,
            "notes": self.notes,
        }


def mean_probability(faces: list[FaceScore]) -> float:
    """Mean probability over faces, as the evaluation scores a video."""
    return math.fsum(face.probability for face in faces) / len(faces)
