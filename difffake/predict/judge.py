"""The result of a file from the scores of its faces."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from difffake.evaluation.calibration import Calibration, too_few
from difffake.faces.listing import Kind
from difffake.logits import mean_logit, sigmoid
from difffake.predict.people import OtherScores, References, calibration_of, verdict_of
from difffake.predict.prediction import FaceScore, Person, Prediction, Promise
from difffake.predict.seen import Shown


@dataclass(frozen=True)
class Judge:
    """Gives each person, and the file, a score and a verdict.

    Args:
        threshold: smallest logit at which a file is called fake, from validation data; None if there is none.
        calibration: calibration of the scores; None without one.
        false_alarms: promised rate of false alarms of the verdicts.
        others: makes anomaly and fused scores; None without an anomaly model.
    """

    threshold: float | None
    calibration: Calibration | None
    false_alarms: float
    others: OtherScores | None

    def __call__(
        self,
        kind: Kind,
        people: Sequence[Sequence[Shown]],
        name: str,
        known: References | None,
        notes: Sequence[str],
        **seen: Any,
    ) -> Prediction:
        """Make the result of a file.

        Args:
            kind: kind of the file.
            people: faces of each person, whose crops have scores.
            name: name of the file, which the random choice of pairs depends on.
            known: real images of the person; None without.
            notes: remarks so far.
            **seen: other fields of the result.
        """
        scores = [[face.crop.score for face in person if face.crop.score] for person in people]
        logits = [[logit for logit, _ in own] for own in scores]
        means = [mean_logit(own) if kind == "video" else own[0] for own in logits]
        promise = self._promise(kind, max(means), len(people))
        limits = promise.limits if promise else None
        found = []
        for person, own, values, logit in zip(people, scores, logits, means, strict=True):
            faces = [
                FaceScore(face.frame, face.time, face.crop.box, one) for face, one in zip(person, values, strict=True)
            ]
            embeddings = np.stack([embedding for _, embedding in own])
            others = self.others.of(kind, values, embeddings, name, known) if self.others else (None, None)
            verdict = verdict_of(logit, limits, self.threshold)
            calibrated = self.calibrated(kind, logit) if promise else None
            found.append(Person(faces, logit, verdict, calibrated, *others))
        said = [*notes, *(promise.notes if promise else ())]
        return Prediction(kind, max(means), self.threshold, found, notes=said, promise=promise, **seen)

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
