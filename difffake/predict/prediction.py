"""What the detector says of one file."""

import math
from dataclasses import dataclass, field
from typing import Any, Literal

import torch

from difffake.faces.listing import Kind

Verdict = Literal["real", "fake"]


def sigmoid(logit: float) -> float:
    """1 / (1 + exp(-logit)), also where the exponential is out of range."""
    return float(torch.tensor(logit, dtype=torch.float64).sigmoid())


@dataclass(frozen=True)
class FaceScore:
    """The score of one face."""

    frame: int
    """Number of the frame, counted from 0; 0 for an image."""
    time: float | None
    """Seconds from the start of the video; None for an image."""
    box: tuple[int, int, int, int] | None
    """The crop that was scored, (x0, y0, x1, y1) in pixels of the image; None where it is the whole image."""
    logit: float
    """Higher = more fake."""

    @property
    def probability(self) -> float:
        """That the face is fake, in [0, 1]: the sigmoid of the logit."""
        return sigmoid(self.logit)


@dataclass(frozen=True)
class Prediction:
    """What the detector says of one file."""

    kind: Kind
    probability: float
    """That it is fake, in [0, 1]. Of an image the highest of its faces; of a video the mean over its frames."""
    threshold: float | None
    """Probability from which on it is called fake: that of the checkpoint's validation data, None if it has none."""
    faces: list[FaceScore]
    """Of an image every face, the largest first; of a video the largest face of each frame that shows one."""
    frames_without_face: list[tuple[int, float | None]] = field(default_factory=list)
    """Number and time in seconds of those frames of a video that were looked at but show no face."""
    frames_with_several: list[int] = field(default_factory=list)
    """Numbers of those frames of a video that show several faces, of which the largest was scored."""
    total_frames: int = 1
    """Frames of the video that can be decoded; 1 for an image."""
    notes: list[str] = field(default_factory=list)
    """What else the user should know, such as that the video is cut short."""

    @property
    def verdict(self) -> Verdict | None:
        """`fake` where the probability reaches the threshold, else `real`; None without a threshold."""
        if self.threshold is None:
            return None
        return "fake" if self.probability >= self.threshold else "real"

    @property
    def logits(self) -> list[float]:
        """Of each face."""
        return [face.logit for face in self.faces]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; docs/guide.md lists the keys."""
        return {
            "kind": self.kind,
            "probability": self.probability,
            "threshold": self.threshold,
            "verdict": self.verdict,
            "faces": [vars(face) | {"probability": face.probability} for face in self.faces],
            "frames_without_face": [{"frame": frame, "time": time} for frame, time in self.frames_without_face],
            "frames_with_several": self.frames_with_several,
            "total_frames": self.total_frames,
            "notes": self.notes,
        }


def mean_probability(faces: list[FaceScore]) -> float:
    """Mean over faces of the probability, as evaluation scores a video."""
    return math.fsum(face.probability for face in faces) / len(faces)
