"""Fusion of the classifier's score and the anomaly score, as a further score of a score table."""

from typing import Literal

import numpy as np
import pandas as pd
from scipy.stats import rankdata
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from difffake.errors import UserError
from difffake.evaluation.calibration import Fusion
from difffake.evaluation.measures import ANOMALY, CLASSIFIER, FUSION

FusionMode = Literal["auto", "logistic", "rank", "none"]
RANK_MEAN = "rank mean"
_ROW = ["dataset", "compression", "method", "path"]


def with_fusion(scores: pd.DataFrame, mode: FusionMode, fusion: Fusion | None) -> pd.DataFrame:
    """A score table with the rows of its fusion added.

    Args:
        scores: score table.
        mode: logistic, rank or none; auto is logistic if `fusion` is known.
        fusion: weights of a logistic regression.
    """
    if mode == "rank":
        return pd.concat([scores, mean_ranks(scores)], ignore_index=True)
    if mode != "none" and fusion:
        return pd.concat([scores, fuse(scores, fusion)], ignore_index=True)
    return scores


def check_fusion(mode: FusionMode, has_anomaly: bool, fusion: Fusion | None) -> None:
    """Raise `UserError` if there is no anomaly model, or no fitted fusion, for the chosen mode."""
    if mode == "rank" and not has_anomaly:
        raise UserError("--fusion rank needs an anomaly model: run difffake fit-anomaly first")
    if mode == "logistic" and not fusion:
        raise UserError("--fusion logistic needs an anomaly model and a calibration with both: run difffake calibrate")


def fuse(scores: pd.DataFrame, fusion: Fusion) -> pd.DataFrame:
    """Rows of the score "fusion", the logit of a logistic regression, for all rows that have both other scores.

    Args:
        scores: score table.
        fusion: weights of the two scores.
    """
    both = _both(scores)
    value = fusion.logits(both[CLASSIFIER], both[ANOMALY])
    return both.assign(score=FUSION, value=value)[scores.columns]


def mean_ranks(scores: pd.DataFrame) -> pd.DataFrame:
    """Rows of the score "rank mean" in [0, 1]: the mean rank of both scores among all rows that have both.

    It needs no calibrating data, but the value of a row depends on the other rows of the table.
    """
    both = _both(scores)
    value = (rankdata(both[CLASSIFIER]) + rankdata(both[ANOMALY])) / (2 * max(len(both), 1))
    return both.assign(score=RANK_MEAN, value=value)[scores.columns]


def fit_fusion(scores: pd.DataFrame) -> Fusion | None:
    """Logistic regression of the label on both scores, standardized, with scikit-learn's default penalty.

    Returns None if there are not both classes with both scores.
    """
    both = _both(scores)
    if both["label"].nunique() < 2:
        return None
    scaler = StandardScaler()
    values = scaler.fit_transform(both[[CLASSIFIER, ANOMALY]].to_numpy())
    model = LogisticRegression().fit(values, both["label"].to_numpy())
    weights = model.coef_[0] / scaler.scale_
    return Fusion(float(weights[0]), float(weights[1]), float(model.intercept_[0] - (weights * scaler.mean_).sum()))


def _both(scores: pd.DataFrame) -> pd.DataFrame:
    """Rows with the classifier's score that have an anomaly score too, with both as columns of these names."""
    anomaly = scores[scores["score"] == ANOMALY].groupby(_ROW, sort=False)["value"].mean().rename(ANOMALY)
    rows = scores[scores["score"] == CLASSIFIER].rename(columns={"value": CLASSIFIER})
    found = rows.join(anomaly, on=_ROW, how="inner")
    return found.set_axis(np.arange(len(found)), axis="index")
