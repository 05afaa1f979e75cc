"""Numbers of one comparison of reals and fakes, with intervals."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit

from difffake import metrics, statistic
from difffake.data.keys import home, resampling_unit
from difffake.evaluation.calibration import ScoreCalibration
from difffake.intervals import TPR_AT, bootstrap_intervals
from difffake.statistic import Statistic

ANOMALY, CLASSIFIER, FUSION = "anomaly", "classifier", "fusion"
"""Names of the scores of this project's detector."""
LOGITS = (CLASSIFIER, FUSION)
"""Scores that are logits, so that their sigmoid is a probability."""
CALLED = ("acc", "balanced_accuracy", "false_alarm_rate", "detection_rate")
"""Metrics at a threshold."""
CALIBRATION = ("acc_at_half", "ece", "brier", "ece_calibrated", "brier_calibrated")
"""Metrics of probabilities."""

METRICS: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "balanced_accuracy_at_youden": metrics.balanced_accuracy_at_youden,
}
"""Metrics of labels (N,) and scores (N,) that every row has, besides those with intervals."""


def measured(
    compared: pd.DataFrame,
    threshold: float | None,
    is_logit: bool,
    calibration: ScoreCalibration | None,
    resamples: int,
    seed: int,
) -> dict[str, Any]:
    """Counts and metrics of one comparison, with the intervals X_low and X_high of each metric X.

    Args:
        compared: rows of a score table with one score and level.
        threshold: smallest score that is called fake; None if it is not known.
        is_logit: whether the sigmoid of the score is a probability.
        calibration: of this score and level; None if there is none.
        resamples: number of bootstrap resamples.
        seed: random seed of the bootstrap.
    """
    label, value = compared["label"].to_numpy(), compared["value"].to_numpy(np.float64)
    unit, resampled_by = units(compared)
    further = {
        **called_statistics(label, value, threshold, unit),
        **_probability_statistics(label, value, is_logit, calibration, unit),
    }
    intervals = bootstrap_intervals(label, value, unit, resamples, seed, statistics=further)
    points = {
        "auc": metrics.auc(label, value),
        "eer": metrics.eer(label, value),
        "ap": metrics.average_precision(label, value),
        **{name: metrics.tpr_at_fpr(label, value, rate) for name, rate in TPR_AT.items()},
        **{name: further[name].value() if name in further else math.nan for name in (*CALLED, *CALIBRATION)},
    }
    row: dict[str, Any] = {"n_real": int((label == 0).sum()), "n_fake": int((label == 1).sum())}
    for name, point in points.items():
        row |= with_interval(name, point, intervals.get(name))
    return row | {
        **{name: metric(label, value) for name, metric in METRICS.items()},
        "threshold": threshold,
        "resampled_by": resampled_by,
        "units": len(np.unique(unit)),
        "units_real": len(np.unique(unit[label == 0])),
        "units_fake": len(np.unique(unit[label == 1])),
    }


def with_interval(name: str, point: float, interval: tuple[float, float] | None) -> dict[str, float]:
    """A metric with its interval, as entries of a row."""
    low, high = interval or (math.nan, math.nan)
    return {name: point, f"{name}_low": low, f"{name}_high": high}


def units(compared: pd.DataFrame) -> tuple[np.ndarray, str]:
    """Unit (N,) of each row that the bootstrap draws as a whole, and their kind, as in `resampling_unit`.

    A name stands for one unit only within its data set.
    """
    unit, kind = resampling_unit(compared)
    return (home(compared) + "/" + unit).to_numpy(), kind


def called_statistics(
    label: np.ndarray, value: np.ndarray, threshold: float | None, unit: np.ndarray
) -> dict[str, Statistic]:
    """The metrics `CALLED` at a threshold; none without one, or without samples."""
    if threshold is None or not len(label):
        return {}
    called = value >= threshold
    return {
        "acc": statistic.accuracy(label, called, unit),
        "balanced_accuracy": statistic.balanced_accuracy(label, called, unit),
        "false_alarm_rate": statistic.share(called, label == 0, unit),
        "detection_rate": statistic.share(called, label == 1, unit),
    }


def _probability_statistics(
    label: np.ndarray, value: np.ndarray, is_logit: bool, calibration: ScoreCalibration | None, unit: np.ndarray
) -> dict[str, Statistic]:
    """The metrics `CALIBRATION` that are defined."""
    found: dict[str, Statistic] = {}
    if not len(label):
        return found
    if is_logit:
        own = expit(value)
        found = {"ece": statistic.ece(label, own, unit), "brier": statistic.brier(label, own, unit)}
        found["acc_at_half"] = statistic.accuracy(label, value >= 0, unit)
    if calibration:
        calibrated = calibration.to_probability(value)
        found["ece_calibrated"] = statistic.ece(label, calibrated, unit)
        found["brier_calibrated"] = statistic.brier(label, calibrated, unit)
        if not is_logit:
            found["acc_at_half"] = statistic.accuracy(label, calibrated >= 0.5, unit)
    return found
