"""`difffake evaluate` on a trained checkpoint: the same numbers as scikit-learn's, each sample once."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.special import expit
from sklearn.metrics import roc_auc_score
from tiny import TinyRun

from difffake.commands.main import main
from difffake.evaluation.evaluate import anomaly_scores, read_anomaly
from difffake.faces.images import read_image
from difffake.models.checkpoint import load_detector

A, B = "forged-drawn-a", "forged-drawn-b"


@pytest.fixture(scope="module")
def evaluated(tiny_run: TinyRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("evaluated") / "out"
    manifests = ["--manifest", str(tiny_run.seen), str(tiny_run.unseen)]
    options = ["--out", str(out), "--resamples", "50", "--workers", "0"]
    assert main(["evaluate", "--ckpt", str(tiny_run.ckpt), *manifests, *options]) == 0
    return out


def rows(out: Path) -> list[dict[str, Any]]:
    return json.loads((out / "results.json").read_text())["rows"]


def test_rows_for_both_scores_and_levels(evaluated: Path) -> None:
    found = {(r["dataset"], r["method"], r["level"], r["score"]) for r in rows(evaluated)}
    methods = {(A, "all"), (A, "alpha_swap"), (A, "faceswap"), (B, "reenact")}
    levels = {(level, score) for level in ("frame", "video") for score in ("classifier", "anomaly")}
    assert found == {(*method, *level) for method in methods for level in levels}
    assert {path.name for path in evaluated.glob("*.png")} >= {"roc_classifier_video.png", "scores_anomaly_frame.png"}


def test_results_of_a_testbed_say_so(evaluated: Path) -> None:
    assert "not public benchmark numbers" in (evaluated / "results.md").read_text()
    assert json.loads((evaluated / "results.json").read_text())["provenance"]["testbed"] is True


def test_every_crop_is_scored_once_with_its_own_logit(evaluated: Path, tiny_run: TinyRun) -> None:
    """Against the checkpoint applied by hand to single crops."""
    scores = pd.read_parquet(evaluated / "scores.parquet")
    scores = scores[(scores["score"] == "classifier") & (scores["dataset"] == B)]
    table = pd.read_parquet(tiny_run.unseen / "manifest.parquet")
    assert sorted(scores["path"]) == sorted(table["path"])
    detector, _ = load_detector(tiny_run.ckpt)
    import cv2

    for path in table["path"].iloc[::9]:
        crop = cv2.resize(read_image(tiny_run.unseen / path), (64, 64), interpolation=cv2.INTER_AREA)
        with torch.no_grad():
            logit = detector(torch.from_numpy(crop.transpose(2, 0, 1)[None] / 255).float()).logit.item()
        assert scores.set_index("path").loc[path, "value"] == pytest.approx(logit, abs=1e-3)


def test_auc_is_scikit_learns(evaluated: Path) -> None:
    scores = pd.read_parquet(evaluated / "scores.parquet")
    for row in rows(evaluated):
        part = scores[(scores["score"] == row["score"]) & (scores["dataset"] == row["dataset"])]
        if row["method"] != "all":
            part = part[part["method"].isin([row["method"], "real"])]
        if row["level"] == "video":
            value = expit(part["value"]) if row["score"] == "classifier" else part["value"]
            part = part.assign(value=value).groupby(["method", "video"]).agg({"label": "first", "value": "mean"})
        assert row["auc"] == pytest.approx(roc_auc_score(part["label"], part["value"]))
        assert (row["n_real"], row["n_fake"]) == ((part["label"] == 0).sum(), (part["label"] == 1).sum())
        assert row["auc_low"] <= row["auc"] <= row["auc_high"]
        assert row["acc"] is not None


def test_anomaly_scores_compare_within_a_video(tiny_run: TinyRun) -> None:
    anomaly = read_anomaly(tiny_run.folder / "anomaly.safetensors", tiny_run.ckpt)
    table = pd.read_parquet(tiny_run.unseen / "manifest.parquet")
    embeddings = np.random.default_rng(0).standard_normal((len(table), 512)).astype(np.float32)
    probes, values = anomaly_scores(table, embeddings, anomaly, "suspect")
    # Six frames a video: three are the pool, and each of the other three is a probe.
    assert table["video"].iloc[probes].value_counts().eq(3).all()
    assert len(probes) == len(set(probes)) == len(table) // 2
    assert np.isfinite(values).all()
    # A frame that equals its reference has no difference: the least surprising pair there is.
    same, least = anomaly_scores(table, np.ones_like(embeddings), anomaly, "suspect")
    np.testing.assert_array_equal(same, probes)
    assert np.ptp(least) == 0


def test_reference_pairs_take_real_images_of_the_same_person(tiny_run: TinyRun) -> None:
    anomaly = read_anomaly(tiny_run.folder / "anomaly.safetensors", tiny_run.ckpt)
    table = pd.read_parquet(tiny_run.unseen / "manifest.parquet")
    embeddings = np.zeros((len(table), 512), np.float32)
    probes, _ = anomaly_scores(table, embeddings, anomaly, "reference")
    assert set(table["label"].iloc[probes]) == {0, 1}
    assert (table["label"].iloc[probes] == 1).sum() == (table["label"] == 1).sum()  # every fake is probed


def test_test_data_that_training_has_seen_is_refused(
    tiny_run: TinyRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--ckpt", str(tiny_run.ckpt), "--manifest", str(tiny_run.seen), "--out", str(tmp_path / "o")]
    assert main(["evaluate", *options, "--split", "all", "--workers", "0"]) == 1
    assert "split all, shares" in capsys.readouterr().err
    assert not (tmp_path / "o").exists()


def test_what_does_not_belong_together_is_refused(
    tiny_run: TinyRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def evaluate(ckpt: Path, *options: str) -> str:
        manifest = ["--manifest", str(tiny_run.unseen), "--out", str(tmp_path / "o"), "--workers", "0"]
        assert main(["evaluate", "--ckpt", str(ckpt), *manifest, *options]) == 1
        return capsys.readouterr().err

    shutil.copy(tiny_run.folder / "anomaly.safetensors", tmp_path)
    shutil.copy(tiny_run.folder / "last.ckpt", tmp_path / "other.ckpt")
    (tmp_path / "other.ckpt").write_bytes((tmp_path / "other.ckpt").read_bytes() + b" ")
    assert "another checkpoint" in evaluate(tmp_path / "other.ckpt")
    (tmp_path / "cut.ckpt").write_bytes(tiny_run.ckpt.read_bytes()[:5000])
    assert "cut.ckpt is not a whole checkpoint" in evaluate(tmp_path / "cut.ckpt")
    assert "no rows in the split val" in evaluate(tiny_run.ckpt, "--split", "val")
    assert "none.safetensors does not exist" in evaluate(tiny_run.ckpt, "--anomaly", str(tmp_path / "none.safetensors"))
    assert "--device cuda:99 cannot be used" in evaluate(tiny_run.ckpt, "--device", "cuda:99")


def test_the_number_of_workers_changes_nothing(tiny_run: TinyRun, evaluated: Path, tmp_path: Path) -> None:
    manifests = ["--manifest", str(tiny_run.seen), str(tiny_run.unseen)]
    options = ["--out", str(tmp_path / "again"), "--resamples", "50", "--workers", "2"]
    assert main(["evaluate", "--ckpt", str(tiny_run.ckpt), *manifests, *options]) == 0
    assert rows(evaluated) == rows(tmp_path / "again")
