"""The fusion of both scores, against scikit-learn and scipy."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import rankdata
from score_table import scored
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from difffake.evaluation.calibration import Fusion
from difffake.evaluation.fusion import fit_fusion, fuse, mean_ranks, with_fusion
from difffake.evaluation.results import video_scores


def both_scores(seed: int = 0, n: int = 400) -> pd.DataFrame:
    """A classifier and an anomaly score, of which each knows something; the latter of every second frame."""
    rng = np.random.default_rng(seed)
    label = np.arange(n) % 2
    common = {"label": label, "method": np.where(label, "x", "real"), "video": [f"{k // 8}{k % 2}" for k in range(n)]}
    classifier = scored(**common, value=rng.normal(size=n) + label)
    anomaly = scored(**common, score="anomaly", value=-3000 + 200 * (rng.normal(size=n) + label))
    return pd.concat([classifier, anomaly[np.arange(n) % 4 < 2]], ignore_index=True)


def columns(scores: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Both scores (N, 2) of the frames that have both, and their labels."""
    wide = scores.pivot(index=["path", "label"], columns="score", values="value").dropna().sort_index()
    return wide[["classifier", "anomaly"]].to_numpy(), wide.index.get_level_values("label").to_numpy()


def test_fusion_is_a_logistic_regression_and_better_than_either() -> None:
    scores = both_scores()
    values, label = columns(scores)
    middle, spread = values.mean(axis=0), values.std(axis=0)
    reference = LogisticRegression().fit((values - middle) / spread, label)
    fusion = fit_fusion(scores)
    assert fusion is not None
    fused = fuse(scores, fusion).set_index("path").sort_index()
    assert fused["score"].unique().tolist() == ["fusion"]
    wanted = reference.decision_function((values - middle) / spread)
    np.testing.assert_allclose(fused["value"], wanted, rtol=1e-9)
    alone = [roc_auc_score(label, values[:, column]) for column in (0, 1)]
    assert roc_auc_score(fused["label"], fused["value"]) > max(alone)


def test_mean_of_ranks_is_scipys() -> None:
    scores = both_scores(1)
    values, _ = columns(scores)
    found = mean_ranks(scores).set_index("path").sort_index()
    np.testing.assert_allclose(found["value"], rankdata(values, axis=0).mean(axis=1) / len(values))
    assert found["score"].unique().tolist() == ["rank mean"]


def test_a_row_in_several_pairs_has_their_mean() -> None:
    frame = scored(method="x", label=1, path="a", value=[2.0])
    pairs = scored(method="x", label=1, path="a", score="anomaly", value=[1.0, 5.0])
    (value,) = fuse(pd.concat([frame, pairs]), Fusion(1.0, 10.0, 0.5))["value"]
    assert value == 2 + 30 + 0.5


def test_a_video_has_the_mean_logit_of_its_frames() -> None:
    scores = fuse(both_scores(2), Fusion(1.0, 0.01, 0.0))
    wanted = scores.groupby("video")["value"].mean()
    found = video_scores(scores).set_index("video")["value"]
    np.testing.assert_allclose(found.sort_index(), wanted.sort_index())


@pytest.mark.parametrize(("mode", "name"), [("auto", "fusion"), ("logistic", "fusion"), ("rank", "rank mean")])
def test_modes(mode: str, name: str) -> None:
    scores = both_scores(3)
    found = with_fusion(scores, mode, Fusion(1.0, 1.0, 0.0))
    assert found["score"].unique().tolist() == ["classifier", "anomaly", name]
    assert found.columns.tolist() == scores.columns.tolist()
    assert with_fusion(scores, "none", Fusion(1.0, 1.0, 0.0)) is scores
    assert with_fusion(scores, "auto", None) is scores


def test_no_fusion_without_both_classes_or_scores() -> None:
    scores = both_scores(4)
    assert fit_fusion(scores[scores["label"] == 0]) is None
    assert fit_fusion(scores[scores["score"] == "classifier"]) is None
