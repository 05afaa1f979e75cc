"""The calibration of a detector: probabilities that mean what they say, and thresholds with a promised error rate.

`difffake calibrate` writes it to calibration.json beside the checkpoint; `evaluate` and `predict` read it. This module
needs only NumPy, because `predict` must start quickly; fitting is in `difffake.evaluation.calibrate`.
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from difffake.errors import UserError
from difffake.files import absent, sha256, staged_file

Floats = NDArray[np.float64]
FILE = "calibration.json"
RATES = (0.01, 0.05)
"""Promised rates of false alarms that `evaluate` compares with the realized ones."""


class Limits(NamedTuple):
    """Scores between the verdicts: fake from `fake_above` on, real up to `real_below`, else neither."""

    real_below: float
    """-inf if there are too few fakes to promise the rate: nothing is called real."""
    fake_above: float
    """inf if there are too few reals: nothing is called fake."""

    def fake(self, score: ArrayLike) -> NDArray[np.bool_]:
        """Whether each score is called fake."""
        return np.asarray(score, dtype=np.float64) >= self.fake_above

    def real(self, score: ArrayLike) -> NDArray[np.bool_]:
        """Whether each score is called real."""
        scores = np.asarray(score, dtype=np.float64)
        return (scores <= self.real_below) & (scores < self.fake_above)


@dataclass(frozen=True)
class Scaling:
    """P(fake) = sigmoid((score - center) / scale)."""

    scale: float
    """The temperature, if the score is a logit (Guo et al. 2017)."""
    center: float = 0.0
    """0 for logits; for other scores it is fitted too (Platt 1999)."""

    def __call__(self, score: ArrayLike) -> Floats:
        """Probabilities of scores, both of any shape."""
        values = (np.asarray(score, dtype=np.float64) - self.center) / self.scale
        probability: Floats = np.exp(-np.logaddexp(0.0, -values))
        return probability


@dataclass(frozen=True)
class Isotonic:
    """P(fake) as a function of the score that never falls; straight lines between points, constant outside."""

    score: tuple[float, ...]
    probability: tuple[float, ...]

    def __call__(self, score: ArrayLike) -> Floats:
        """Probabilities of scores, both of any shape."""
        probability: Floats = np.interp(np.asarray(score, dtype=np.float64), self.score, self.probability)
        return probability


@dataclass(frozen=True)
class Sample:
    """Scores of one class of the calibrating data, ascending, with the unit of each: its video, or the still itself."""

    score: tuple[float, ...]
    unit: tuple[int, ...]

    @property
    def units(self) -> int:
        """Number of units."""
        return len(set(self.unit))

    def enough(self, rate: float) -> bool:
        """Whether there are enough units to promise the rate: at least 1 / rate - 1."""
        return (self.units + 1) * rate >= 1 - 1e-9

    def above(self, rate: float) -> float:
        """Smallest threshold that a new sample reaches with a probability of at most `rate`; inf if there is none.

        All scores of one unit together weigh as much as one new unit (hierarchical conformal prediction, Lee, Barber &
        Willett 2023). With one score per unit it is split-conformal prediction: of n scores, the one at rank
        ceil((n + 1)(1 - rate)) is the largest that is not called (Papadopoulos et al. 2002; Lei et al. 2018).
        The promise holds on average over calibrating data, for new units of the same kind.
        """
        score = np.asarray(self.score, dtype=np.float64)
        _, unit, sizes = np.unique(self.unit, return_inverse=True, return_counts=True)
        reached = np.cumsum(1 / sizes[unit]) / (len(sizes) + 1)
        rank = int(np.searchsorted(reached, 1 - rate - 1e-12))
        return math.inf if rank >= len(score) else float(np.nextafter(score[rank], math.inf))

    def below(self, rate: float) -> float:
        """Largest threshold that a new sample is at or below with a probability of at most `rate`, else -inf."""
        mirrored = Sample(tuple(-value for value in reversed(self.score)), tuple(reversed(self.unit)))
        return -mirrored.above(rate)


@dataclass(frozen=True)
class ScoreCalibration:
    """Calibration of one score at one level."""

    to_probability: Scaling | Isotonic
    threshold: float
    """Youden's threshold on the calibrating data."""
    real: Sample
    fake: Sample

    def limits(self, rate: float) -> Limits:
        """Limits of the verdicts, each of which is wrong with a probability of at most `rate`.

        If the two classes are so far apart that a score may be called both, the limits meet between them, at the
        threshold if it is there.
        """
        fake_above, real_below = self.real.above(rate), self.fake.below(rate)
        if real_below > fake_above and math.isfinite(real_below) and math.isfinite(fake_above):
            fake_above = real_below = min(max(self.threshold, fake_above), real_below)
        return Limits(real_below, fake_above)


@dataclass(frozen=True)
class Fusion:
    """Logistic regression of both scores: its logit is the score "fusion"."""

    classifier: float
    """Weight of the classifier's logit."""
    anomaly: float
    """Weight of the anomaly score."""
    intercept: float

    def logits(self, classifier: ArrayLike, anomaly: ArrayLike) -> NDArray[np.float64]:
        """Fused logits (N,) of a classifier's logits and anomaly scores, both (N,)."""
        return self.classifier * np.asarray(classifier) + self.anomaly * np.asarray(anomaly) + self.intercept


@dataclass(frozen=True)
class Calibration:
    """Content of calibration.json."""

    checkpoint: str
    """SHA-256 of the checkpoint."""
    anomaly: str | None
    """SHA-256 of the anomaly model; None without one."""
    method: str
    """temperature or isotonic."""
    fakes: str
    """Where the calibrating fakes are from: manifest or pseudo."""
    keys: frozenset[str]
    """People, videos and crops of the calibrating data, see `difffake.data.keys`."""
    fusion: Fusion | None
    scores: dict[str, dict[str, ScoreCalibration]]
    """By name of the score, and level."""

    def at(self, score: str, level: str) -> ScoreCalibration | None:
        """Calibration of a score at a level; None if there is none."""
        return self.scores.get(score, {}).get(level)

    def write(self, path: Path, overwrite: bool = False) -> None:
        """Write calibration.json."""
        content = {
            "checkpoint": self.checkpoint,
            "anomaly": self.anomaly,
            "method": self.method,
            "fakes": self.fakes,
            "keys": sorted(self.keys),
            "fusion": vars(self.fusion) if self.fusion else None,
            "scores": {
                name: {level: _plain(one) for level, one in levels.items()} for name, levels in self.scores.items()
            },
        }
        with staged_file(path, overwrite) as partial:
            partial.write_text(json.dumps(content, allow_nan=False) + "\n", encoding="utf-8")


def find_calibration(option: str | Path, ckpt: Path, anomaly: Path | None = None) -> Calibration | None:
    """The calibration that an option names.

    Args:
        option: a file, or none; auto is calibration.json beside the checkpoint, if it exists.
        ckpt: the checkpoint.
        anomaly: the anomaly model that is used too, if there is one.

    Raises:
        UserError: as in `read_calibration`.
    """
    path = calibration_file(option, ckpt)
    return read_calibration(path, ckpt, anomaly) if path else None


def calibration_file(option: str | Path, ckpt: Path) -> Path | None:
    """The file that an option of `find_calibration` names; None for none, and for auto if there is no file."""
    path = ckpt.parent / FILE if str(option) == "auto" else Path(option)
    return None if str(option) == "none" or (str(option) == "auto" and not path.is_file()) else path


def too_few(one: ScoreCalibration, rate: float) -> list[str]:
    """A line each if there are too few real units, or too few fake ones, to promise an error rate."""
    needed = math.ceil(1 / rate - 1 - 1e-9)
    kinds = (("false-alarm rate", "real", "fake", one.real), ("rate of missed fakes", "fake", "real", one.fake))
    return [
        f"a {error} of {100 * rate:g} % cannot be promised: it takes {needed} {kind} videos or stills, and "
        f"{sample.units} calibrated; nothing is called {verdict}"
        for error, kind, verdict, sample in kinds
        if not sample.enough(rate)
    ]


def read_calibration(path: Path, ckpt: Path, anomaly: Path | None = None, known: str | None = None) -> Calibration:
    """Read the calibration of a checkpoint.

    Args:
        path: file of `difffake calibrate`.
        ckpt: the checkpoint that it must belong to, or a file that was made of it.
        anomaly: the anomaly model that is used too, if there is one.
        known: SHA-256 of the checkpoint; by default, that of the file `ckpt`.

    Raises:
        UserError: the file is missing or broken, or of another checkpoint or anomaly model.
    """
    mend = "run difffake calibrate again"
    if not path.is_file():
        raise UserError(f"{path} {absent(path)}: run difffake calibrate first, or name its file")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        found = Calibration(
            checkpoint=content["checkpoint"],
            anomaly=content["anomaly"],
            method=content["method"],
            fakes=content["fakes"],
            keys=frozenset(content["keys"]),
            fusion=Fusion(**content["fusion"]) if content["fusion"] else None,
            scores={
                name: {level: _read(one) for level, one in levels.items()} for name, levels in content["scores"].items()
            },
        )
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise UserError(f"{path} is no complete file of difffake calibrate ({type(error).__name__}): {mend}") from error
    if found.checkpoint != (known or sha256(ckpt)):
        raise UserError(f"{path} calibrates another checkpoint than {ckpt}: {mend}, or use --calibration none")
    if anomaly and found.anomaly and found.anomaly != sha256(anomaly):
        raise UserError(f"{path} calibrates another anomaly model than {anomaly}: {mend}, or use --calibration none")
    return found


def _plain(one: ScoreCalibration) -> dict[str, Any]:
    return {
        "map": vars(one.to_probability),
        "threshold": one.threshold,
        "real": one.real.score,
        "real_unit": one.real.unit,
        "fake": one.fake.score,
        "fake_unit": one.fake.unit,
    }


def _read(content: dict[str, Any]) -> ScoreCalibration:
    found = content["map"]
    to_probability: Scaling | Isotonic
    if "scale" in found:
        to_probability = Scaling(float(found["scale"]), float(found["center"]))
    else:
        to_probability = Isotonic(tuple(found["score"]), tuple(found["probability"]))
    real, fake = (Sample(tuple(content[name]), tuple(content[f"{name}_unit"])) for name in ("real", "fake"))
    return ScoreCalibration(to_probability, float(content["threshold"]), real, fake)
