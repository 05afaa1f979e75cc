"""The scores of one data set and compression, as the pictures draw them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from difffake import metrics
from difffake.data.keys import resampling_unit
from difffake.evaluation.pictures.bands import Band, roc_band
from difffake.evaluation.results import Row, Thresholds, at_level, comparisons
from difffake.metrics import percent

UNITS = {"frame": "frames and images", "video": "videos"}
"""Name of the samples at each level."""


@dataclass(frozen=True)
class ScoreSet:
    """One score of all samples of a data set and compression, with reals and fakes of all manipulations."""

    name: str
    label: NDArray[np.int64]
    """(N,), 0 real, 1 fake."""
    value: NDArray[np.float64]
    """(N,), higher = more fake."""
    threshold: float | None = None
    """Threshold of the validation data."""
    interval: tuple[float, float] = (float("nan"), float("nan"))
    """Limits of the AUC as in results.json."""
    band: Band | None = None
    """Band of the ROC curve."""

    @property
    def described(self) -> str:
        """Name and AUC in percent with its interval, for a legend."""
        low, high = map(percent, self.interval)
        limits = f" [{low}, {high}]" if percent(None) not in (low, high) else ""
        numbers = percent(metrics.auc(self.label, self.value)) + limits
        return f"{self.name}: " + numbers.replace(" ", "\N{NO-BREAK SPACE}")  # numbers stay on one line

    def rates(self, threshold: float) -> tuple[float, float]:
        """Share of the reals, and share of the fakes, with at least this score."""
        called = self.value >= threshold
        return float(called[self.label == 0].mean()), float(called[self.label == 1].mean())


def score_sets(
    scores: pd.DataFrame,
    rows: Sequence[Row],
    score: str,
    level: str,
    thresholds: Thresholds | None = None,
    resamples: int = 0,
    seed: int = 0,
) -> list[ScoreSet]:
    """The data sets and compressions of a score table that have reals and fakes, in its order.

    Args:
        scores: score table as in `difffake.evaluation.results`.
        rows: rows of results.json, from which the limits of the AUC are taken; they may be fewer.
        score: name of the score.
        level: frame or video.
        thresholds: thresholds of the validation data, by score and level.
        resamples: number of bootstrap resamples of the bands; 0 gives no bands.
        seed: random seed of the bootstrap.
    """
    limits: dict[tuple[str, str], tuple[float, float]] = {}
    for row in rows:
        # The first row of a data set and compression has all its manipulations, as the first comparison.
        if (row["score"], row["level"]) == (score, level) and row["n_real"] and row["n_fake"]:
            low, high = (float("nan") if row[f"auc_{end}"] is None else row[f"auc_{end}"] for end in ("low", "high"))
            limits.setdefault((row["dataset"], row["compression"]), (low, high))
    threshold = (thresholds or {}).get(score, {}).get(level)
    found: dict[tuple[str, str], ScoreSet] = {}
    for dataset, compression, _, part in comparisons(at_level(scores[scores["score"] == score], level)):
        key = dataset, compression
        if part["label"].nunique() == 2 and key not in found:
            label, value = part["label"].to_numpy(np.int64), part["value"].to_numpy(np.float64)
            unit, _ = resampling_unit(part)
            nothing = (float("nan"), float("nan"))
            name = f"{dataset} {compression}".strip()
            band = roc_band(label, value, unit, resamples, seed)
            found[key] = ScoreSet(name, label, value, threshold, limits.get(key, nothing), band)
    return list(found.values())
