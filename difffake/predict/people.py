"""The people of a file, and their scores beside the classifier's: anomaly and fusion."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from difffake.anomaly.file import FILE
from difffake.errors import UserError
from difffake.evaluation.calibration import Calibration, Limits, ScoreCalibration
from difffake.faces.listing import Kind
from difffake.files import absent
from difffake.predict.scorer import AnomalyScores, Scorer

Verdict = Literal["real", "fake", "cannot tell"]
ANOMALY, FUSION = "anomaly", "fusion"


@dataclass(frozen=True)
class References:
    """Real images of one person, from `Predictor.references`, to compare files with."""

    embeddings: np.ndarray
    """(R, D) float32."""


@dataclass(frozen=True)
class OtherScore:
    """A score of one person beside the classifier's."""

    value: float
    """Higher = more fake; a fused score is a logit, an anomaly score has no unit."""
    calibrated_probability: float | None
    """Probability that the person is fake, in [0, 1]; None without a calibration of this score."""
    verdict: Verdict | None
    """None if there is neither a calibration nor a threshold from validation data."""
    pairs: int
    """Number of pairs of images, or of frames, whose mean it is."""


def verdict_of(value: float, limits: Limits | None, threshold: float | None) -> Verdict | None:
    """The verdict on a score: by the limits of a calibration, else by a threshold, else None."""
    if limits:
        return "fake" if limits.fake(value) else "real" if limits.real(value) else "cannot tell"
    return None if threshold is None else "fake" if value >= threshold else "real"


def find_anomaly(option: str | Path, scorer: Scorer) -> tuple[AnomalyScores, Path] | None:
    """The anomaly model that an option names, and its file.

    Args:
        option: a file of `difffake fit-anomaly`, or none; auto is anomaly.safetensors beside the scorer's file, if it
            exists.
        scorer: the detector whose embeddings it must have been fitted to.

    Raises `UserError` if the file is missing or broken, or was fitted to another checkpoint.
    """
    path = anomaly_file(option, scorer.path)
    return (scorer.anomaly(path), path) if path else None


def anomaly_file(option: str | Path, ckpt: Path) -> Path | None:
    """The file that an option of `find_anomaly` names; None for none, and for auto if there is no file.

    Raises `UserError` if a named file is missing.
    """
    path = ckpt.parent / FILE if str(option) == "auto" else Path(option)
    if str(option) == "none" or (str(option) == "auto" and not path.is_file()):
        return None
    if not path.is_file():
        raise UserError(f"{path} {absent(path)}: run difffake fit-anomaly first, or name its file")
    return path


def calibration_of(calibration: Calibration | None, score: str, kind: Kind) -> ScoreCalibration | None:
    """Calibration of a score of images or videos; for videos, that of images if there is none."""
    if not calibration:
        return None
    frame = calibration.at(score, "frame")
    return (calibration.at(score, "video") or frame) if kind == "video" else frame


@dataclass(frozen=True)
class OtherScores:
    """Makes the other scores of a person from logits and embeddings.

    Args:
        anomaly: anomaly model.
        calibration: calibration of the scores; None without one.
        false_alarms: promised rate of false alarms of the verdicts.
    """

    anomaly: AnomalyScores
    calibration: Calibration | None
    false_alarms: float

    def of(
        self, kind: Kind, logits: Sequence[float], embeddings: np.ndarray, name: str, references: References | None
    ) -> tuple[OtherScore | None, OtherScore | None]:
        """Anomaly score and fusion of one person.

        Args:
            kind: kind of the file.
            logits: (N,) of the person's faces, in the order of time.
            embeddings: (N, D) of them.
            name: name of the file, which the random choice of pairs depends on.
            references: real images of the person; None: frames are compared with one another.

        Returns:
            The anomaly score, None if there is no pair; and the fusion, None without it or without weights.
        """
        if references is not None:
            probes, scores = np.arange(len(logits)), self.anomaly.reference_scores(embeddings, references.embeddings)
            pairs = len(logits) * len(references.embeddings)
        else:
            probes, scores = self.anomaly.frame_scores(embeddings, name)
            pairs = len(scores)
        if not len(scores):
            return None, None
        anomaly = self._score(ANOMALY, kind, float(scores.mean()), pairs, self.anomaly.threshold)
        fusion = self.calibration.fusion if self.calibration else None
        if not fusion:
            return anomaly, None
        fused = float(fusion.logits(np.asarray(logits)[probes], scores).mean())
        return anomaly, self._score(FUSION, kind, fused, len(probes), None)

    def _score(self, name: str, kind: Kind, value: float, pairs: int, threshold: float | None) -> OtherScore:
        found = calibration_of(self.calibration, name, kind)
        limits = found.limits(self.false_alarms) if found else None
        probability = float(found.to_probability(value)) if found else None
        return OtherScore(value, probability, verdict_of(value, limits, threshold), pairs)
