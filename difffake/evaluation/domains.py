"""Summary over all test sets: one threshold for all, and how far the real faces of each set are from those calibrated.

The AUC of a single data set says nothing about a threshold: if the scores of all its faces are higher than those of
another, its AUC is the same, and its real faces are all called fake. This is what the summary shows.
"""

import math

import numpy as np
import pandas as pd

from difffake import metrics, statistic
from difffake.evaluation.calibration import RATES, Calibration, ScoreCalibration
from difffake.evaluation.measures import CALLED, called_statistics, units, with_interval
from difffake.evaluation.results import LEVELS, Row, Thresholds, at_level
from difffake.intervals import bootstrap_intervals


def domain_rows(
    scores: pd.DataFrame,
    thresholds: Thresholds,
    resamples: int = 1000,
    seed: int = 0,
    calibration: Calibration | None = None,
) -> list[Row]:
    """Entries of "domains" in results.json, one per score and level; the arguments are those of `result_rows`.

    Each has the keys score, level, n_real, n_fake, threshold, and metrics X with X_low and X_high over all rows of all
    data sets together: pooled_auc, pooled_acc, pooled_balanced_accuracy, pooled_false_alarm_rate,
    pooled_detection_rate. A large data set counts more. Its list "sets" has an entry for each data set and compression
    with real faces: dataset, compression, n_real, n_fake, units_real, resampled_by, auc (of all its rows), and

    - shift (with interval): the AUC of the set's real faces against the calibrating real faces; 0.5 is no shift.
    - median_difference: the median score of the set's real faces minus that of the calibrating ones.
    - false_alarm_rate (with interval): at the threshold.
    - promised: for each rate of `RATES`, the limits of the verdicts (fake_above and real_below), realized (share of the
      real faces called fake, with interval), missed (share of the fakes called real), detected (share of the fakes
      called fake), cannot_tell (share of all faces without verdict) and enough (whether there were enough calibrating
      real faces to promise this rate). Empty without calibration.
    """
    found = []
    for name in map(str, scores["score"].unique()):
        for level in LEVELS:
            table = at_level(scores[scores["score"] == name], level)
            if not len(table):
                continue
            threshold = thresholds.get(name, {}).get(level)
            calibrated = calibration.at(name, level) if calibration else None
            pooled = _pooled(table, threshold, resamples, seed)
            sets = [
                {"dataset": dataset, "compression": compression} | _set(part, threshold, calibrated, resamples, seed)
                for (dataset, compression), part in table.groupby(["dataset", "compression"], sort=False)
                if (part["label"] == 0).any()
            ]
            found.append({"score": name, "level": level, **pooled, "sets": sets})
    return found


def _pooled(table: pd.DataFrame, threshold: float | None, resamples: int, seed: int) -> Row:
    """Metrics of all rows of a score and level."""
    label, value = table["label"].to_numpy(), table["value"].to_numpy(np.float64)
    unit = np.empty(len(table), dtype=object)
    for dataset in table["dataset"].unique():  # the kind of a still's unit is that of its data set
        rows = (table["dataset"] == dataset).to_numpy()
        unit[rows] = units(table[rows])[0]
    further = called_statistics(label, value, threshold, unit)
    intervals = bootstrap_intervals(label, value, unit, resamples, seed, statistics=further)
    row: Row = {"n_real": int((label == 0).sum()), "n_fake": int((label == 1).sum()), "threshold": threshold}
    row |= with_interval("pooled_auc", metrics.auc(label, value), intervals["auc"])
    for name in CALLED:
        point = further[name].value() if name in further else math.nan
        row |= with_interval(f"pooled_{name}", point, intervals.get(name))
    return row


def _set(
    part: pd.DataFrame, threshold: float | None, calibration: ScoreCalibration | None, resamples: int, seed: int
) -> Row:
    """Entry of one data set and compression."""
    label, value = part["label"].to_numpy(), part["value"].to_numpy(np.float64)
    unit, resampled_by = units(part)
    limits = {rate: calibration.limits(rate) for rate in RATES} if calibration else {}
    shares = {f"{rate}": statistic.share(limit.fake(value), label == 0, unit) for rate, limit in limits.items()}
    called = called_statistics(label, value, threshold, unit)
    further = shares | {name: called[name] for name in ("false_alarm_rate",) if called}
    intervals = bootstrap_intervals(label, value, unit, resamples, seed, statistics=further)
    row: Row = {"n_real": int((label == 0).sum()), "n_fake": int((label == 1).sum())}
    row |= {
        "units_real": len(np.unique(unit[label == 0])),
        "resampled_by": resampled_by,
        "auc": metrics.auc(label, value),
    }
    row |= _shift(value[label == 0], unit[label == 0], calibration, resamples, seed)
    alarms = called["false_alarm_rate"].value() if called else math.nan
    row |= with_interval("false_alarm_rate", alarms, intervals.get("false_alarm_rate"))
    promised = []
    for rate, limit in limits.items():
        fake, real = limit.fake(value), limit.real(value)
        realized = with_interval("realized", shares[f"{rate}"].value(), intervals[f"{rate}"])
        promised.append({
            "rate": rate,
            "fake_above": limit.fake_above,
            "real_below": limit.real_below,
            **realized,
            "missed": _mean(real[label == 1]),
            "detected": _mean(fake[label == 1]),
            "cannot_tell": _mean(~fake & ~real),
            "enough": calibration is not None and calibration.real.enough(rate),
        })  # fmt: skip
    return row | {"promised": promised}


def _shift(value: np.ndarray, unit: np.ndarray, calibration: ScoreCalibration | None, resamples: int, seed: int) -> Row:
    """How far real scores (N,) are from those that calibrated."""
    if not calibration:
        return with_interval("shift", math.nan, None) | {"median_difference": math.nan}
    known = np.asarray(calibration.real.score)
    label, both = np.repeat([0, 1], [len(known), len(value)]), np.concatenate([known, value])
    names = [*(f"calibrating {number}" for number in calibration.real.unit), *(f"tested {name}" for name in unit)]
    interval = bootstrap_intervals(label, both, names, resamples, seed)["auc"]
    difference = float(np.median(value) - np.median(known))
    return with_interval("shift", metrics.auc(label, both), interval) | {"median_difference": difference}


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else math.nan
