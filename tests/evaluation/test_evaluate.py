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

from difffake.anomaly.mixture import GaussianMixture
from difffake.anomaly.scoring import Anomaly, Pairing, pair_features, read_anomaly
from difffake.commands.main import main
from difffake.data.manifest import Manifest
from difffake.evaluation.evaluate import scored
from difffake.evaluation.results import result_rows
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
    assert {path.name for path in evaluated.glob("*.png")} >= {
        "roc_classifier_video.png",
        "histogram_anomaly_frame.png",
    }


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
        if min(row["units_real"], row["units_fake"]) < 5:
            assert row["auc_low"] is None  # of two or four videos nothing can be said
        else:
            assert row["auc_low"] <= row["auc"] <= row["auc_high"]
        assert row["acc"] is not None


def test_anomaly_scores_compare_within_a_video(tiny_run: TinyRun) -> None:
    anomaly = read_anomaly(tiny_run.folder / "anomaly.safetensors", tiny_run.ckpt)
    table = pd.read_parquet(tiny_run.unseen / "manifest.parquet")
    embeddings = np.random.default_rng(0).standard_normal((len(table), 512)).astype(np.float32)
    (probes, _), values = anomaly.scores(table, embeddings)
    # Six frames per video: three are the pool, and each of the other three is a probe.
    assert table["video"].iloc[probes].value_counts().eq(3).all()
    assert len(probes) == len(set(probes)) == len(table) // 2
    assert np.isfinite(values).all()
    # A frame that equals its reference has no difference: the least surprising pair there is.
    (same, _), least = anomaly.scores(table, np.ones_like(embeddings))
    np.testing.assert_array_equal(same, probes)
    assert np.ptp(least) == 0


def test_reference_pairs_take_real_images_of_the_same_person(tiny_run: TinyRun) -> None:
    anomaly = read_anomaly(tiny_run.folder / "anomaly.safetensors", tiny_run.ckpt)
    table = pd.read_parquet(tiny_run.unseen / "manifest.parquet")
    embeddings = np.zeros((len(table), 512), np.float32)
    (probes, _), _ = anomaly.scores(table, embeddings, "reference")
    assert set(table["label"].iloc[probes]) == {0, 1}
    assert sorted(probes) == list(range(len(table)))  # every image is compared with a real one


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
    assert "cut.ckpt is not a complete checkpoint" in evaluate(tmp_path / "cut.ckpt")
    assert "no rows in the split val" in evaluate(tiny_run.ckpt, "--split", "val")
    assert "none.safetensors does not exist" in evaluate(tiny_run.ckpt, "--anomaly", str(tmp_path / "none.safetensors"))
    assert "--device cuda:99 cannot be used" in evaluate(tiny_run.ckpt, "--device", "cuda:99")


def test_the_number_of_workers_changes_nothing(tiny_run: TinyRun, evaluated: Path, tmp_path: Path) -> None:
    manifests = ["--manifest", str(tiny_run.seen), str(tiny_run.unseen)]
    options = ["--out", str(tmp_path / "again"), "--resamples", "50", "--workers", "2"]
    assert main(["evaluate", "--ckpt", str(tiny_run.ckpt), *manifests, *options]) == 0
    assert rows(evaluated) == rows(tmp_path / "again")


def test_two_photographs_and_six_forgeries_of_each_person_give_an_auc(tmp_path: Path) -> None:
    """As in a forged set of portraits: a real photograph is compared with the other one of its person."""
    rows = []
    for person in "abcdef":
        for number in (0, 1):
            common = {"dataset": "d", "split": "test", "identity": person, "frame": 0, "video": "", "source": ""}
            common |= {"compression": "", "box": None, "landmarks": None, "target": f"{person}/{number}"}
            rows.append(common | {"path": f"crops/{person}/{number}.png", "label": 0, "method": "real", "target": ""})
            rows += [common | {"path": f"f/{person}{number}{m}", "label": 1, "method": m} for m in ("x", "y", "z")]
    table = Manifest(pd.DataFrame(rows), tmp_path).table
    # A real pair differs along one axis, a forged one along another.
    embeddings = np.zeros((len(table), 4), np.float32)
    embeddings[:, 0] = table["path"].str.contains("1") + 1
    embeddings[:, 1] = 5 * table["label"]
    anomaly = Anomaly(GaussianMixture(1, "diag").fit(torch.eye(4)[:1].repeat(9, 1)), Pairing(), None, frozenset())
    (probes, _), values = anomaly.scores(table, embeddings, "reference")
    assert sorted(probes) == list(range(48))
    found = result_rows(scored(table.iloc[probes], "anomaly", values), {})
    assert [(row["method"], row["n_real"], row["n_fake"], row["auc"]) for row in found] == [
        ("all", 12, 36, 1.0), ("x", 12, 12, 1.0), ("y", 12, 12, 1.0), ("z", 12, 12, 1.0),
    ]  # fmt: skip
    # By hand: twelve originals, each with its fakes, make six independent pairs of real and fake; 0.025^(1/6).
    assert found[0]["auc_low"] == pytest.approx(0.5407, abs=1e-4)


def test_rows_that_are_called_reference_are_what_others_are_compared_with() -> None:
    columns = {"dataset": "d", "compression": "", "source": "", "target": "", "video": "", "frame": 0, "identity": "a"}
    table = pd.DataFrame(columns | {"label": [0, 0, 0, 1], "method": ["real"] * 3 + ["x"], "path": list("rstu")})
    table["role"] = ["reference", "", "", ""]
    embeddings = np.eye(4, dtype=np.float32)
    probes, features = pair_features(table, embeddings, Pairing("sub"), "reference")
    assert probes.tolist() == [1, 2, 3]
    np.testing.assert_allclose(features, (np.eye(4)[0] - np.eye(4)[1:]) / np.sqrt(2), rtol=1e-6)


def test_a_run_folder_stands_for_its_best_checkpoint(tiny_run: TinyRun, tmp_path: Path, evaluated: Path) -> None:
    manifests = ["--manifest", str(tiny_run.seen), str(tiny_run.unseen)]
    options = ["--out", str(tmp_path / "again"), "--resamples", "50", "--workers", "0"]
    assert main(["evaluate", "--ckpt", str(tiny_run.folder), *manifests, *options]) == 0
    assert rows(evaluated) == rows(tmp_path / "again")


def test_mistakes_are_found_before_anything_is_scored(
    tiny_run: TinyRun, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def evaluate(*options: object) -> str:
        assert main(["evaluate", "--ckpt", str(tiny_run.ckpt), "--workers", "0", *map(str, options)]) == 1
        return capsys.readouterr().err.splitlines()[-1]

    def never(*_: object, **__: object) -> None:
        raise AssertionError("something was embedded")

    monkeypatch.setattr("difffake.evaluation.evaluate.embed", never)
    out = ["--out", tmp_path / "o"]
    (tmp_path / "README.md").touch()
    manifest = ["--manifest", tiny_run.unseen]
    assert "README.md is a file" in evaluate(*manifest, "--out", tmp_path / "README.md" / "x")
    assert "twice" in evaluate(*manifest, tiny_run.unseen / "manifest.parquet", *out)
    shutil.copytree(tiny_run.unseen, tmp_path / "copy")
    assert "occur more than once" in evaluate(*manifest, tmp_path / "copy", *out)
    next((tmp_path / "copy").rglob("*.png")).unlink()
    (tmp_path / "copy" / "crops" / "c23" / "real" / "000-0" / "000000.png").unlink(missing_ok=True)
    assert "crops are missing" in evaluate("--manifest", tmp_path / "copy", *out)
    table = pd.read_parquet(tiny_run.unseen / "manifest.parquet")
    table.assign(label=0).to_parquet(tmp_path / "copy" / "manifest.parquet")
    shutil.copytree(tiny_run.unseen / "crops", tmp_path / "copy" / "crops", dirs_exist_ok=True)
    assert "label 0 needs method" in evaluate("--manifest", tmp_path / "copy", *out)
    shutil.copytree(tiny_run.seen, tmp_path / "seen")
    renamed = pd.read_parquet(tiny_run.seen / "manifest.parquet").assign(dataset="new", identity="", target="")
    renamed.assign(split="test", source="", video="v" + renamed["video"]).to_parquet(tmp_path / "seen/manifest.parquet")
    assert "crop(s) of the training data under other names" in evaluate("--manifest", tmp_path / "seen", *out)
    shutil.copy(tiny_run.ckpt, tmp_path)
    assert "needs an anomaly model" in evaluate(*manifest, *out, "--ckpt", tmp_path, "--pairs", "reference")


def test_what_was_lost_and_what_is_alone_is_said(
    tiny_run: TinyRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(tiny_run.unseen, tmp_path / "real")
    table = pd.read_parquet(tiny_run.unseen / "manifest.parquet")
    table = table[table["label"] == 0]
    table.to_parquet(tmp_path / "real" / "manifest.parquet")
    clips = table["path"].str.extract("crops/(.*)/")[0].unique()
    noted = [
        (clips[0], "test", True),
        ("x/gone", "test", False),
        ("x/gone", "test", False),
        ("x/other", "train", False),
    ]
    skipped = pd.DataFrame(noted, columns=["name", "split", "kept"]).assign(file="f", frame=0, reason="no face found")
    skipped.to_csv(tmp_path / "real" / "skipped.csv", index=False)
    options = ["--ckpt", tiny_run.ckpt, "--manifest", tmp_path / "real", "--out", tmp_path / "o", "--workers", 0]
    assert main(["evaluate", *map(str, options)]) == 0
    said = f"{len(clips)} of {len(clips) + 1} files scored; without any crop: x/gone"
    text = (tmp_path / "o" / "results.md").read_text()
    assert said in text
    assert said in " ".join(capsys.readouterr().err.split())
    assert json.loads((tmp_path / "o" / "results.json").read_text())["provenance"]["not_scored"] == [f"{B}: {said}"]
    assert "real only" in text
    assert "only real faces" in text
    scores = pd.read_parquet(tmp_path / "o" / "scores.parquet")
    for row in rows(tmp_path / "o"):
        if row["level"] == "frame":
            part = scores[scores["score"] == row["score"]]
            assert row["false_alarm_rate"] == (part["value"] >= row["threshold"]).mean()
        assert row["auc"] is row["detection_rate"] is None


def test_no_reference_pair_at_all_is_an_error(
    tiny_run: TinyRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(tiny_run.unseen, tmp_path / "fakes")
    table = pd.read_parquet(tiny_run.unseen / "manifest.parquet")
    table[table["label"] == 1].to_parquet(tmp_path / "fakes" / "manifest.parquet")
    options = ["--ckpt", tiny_run.ckpt, "--manifest", tmp_path / "fakes", "--out", tmp_path / "o", "--workers", 0]
    assert main(["evaluate", *map(str, options), "--pairs", "reference"]) == 1
    assert "no row has another real image of its person" in capsys.readouterr().err
    assert not (tmp_path / "o").exists()
