"""`difffake fit-anomaly`: which pairs it fits, and what it stores."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tiny import TinyRun

from difffake.anomaly.fit import pair_features
from difffake.anomaly.storage import load_anomaly
from difffake.commands.main import main
from difffake.data.datasets import CropDataset, PairDataset
from difffake.data.manifest import Manifest
from difffake.data.pseudo import PseudoConfig
from difffake.files import sha256
from difffake.metrics import youden_threshold
from difffake.models.checkpoint import load_detector
from difffake.models.embed import embed


def fit_anomaly(run: TinyRun, out: Path, *options: str) -> int:
    fixed = ["--ckpt", str(run.ckpt), "--manifest", str(run.seen), "--out", str(out), "--workers", "0"]
    return main(["fit-anomaly", *fixed, *options])


def test_stored_with_all_that_evaluation_needs(tiny_run: TinyRun) -> None:
    _, settings = load_anomaly(tiny_run.folder / "anomaly.safetensors")
    assert settings["combination"] == "square"
    assert settings["checkpoint"] == sha256(tiny_run.ckpt)
    assert isinstance(settings["threshold"], float)
    table = Manifest.read(tiny_run.seen).select(label=0).table
    seen = {f"identity drawn-a/{name}" for name in table["identity"][table["split"] != "test"]}
    tested = {f"identity drawn-a/{name}" for name in table["identity"][table["split"] == "test"]}
    assert seen <= set(settings["training_keys"])
    assert not tested & set(settings["training_keys"])


@pytest.mark.parametrize("options", [("--model", "svm"), ("--combination", "single", "--covariance", "spherical")])
def test_other_models_and_combinations(tiny_run: TinyRun, tmp_path: Path, options: tuple[str, ...]) -> None:
    assert fit_anomaly(tiny_run, tmp_path / "a.safetensors", *options) == 0
    arguments = ["--manifest", str(tiny_run.unseen), "--anomaly", str(tmp_path / "a.safetensors"), "--workers", "0"]
    out = ["--out", str(tmp_path / "results"), "--resamples", "10"]
    assert main(["evaluate", "--ckpt", str(tiny_run.ckpt), *arguments, *out]) == 0


def test_threshold_lies_between_real_pairs_and_their_forgeries(tiny_run: TinyRun, tmp_path: Path) -> None:
    """Recomputed from untouched real validation faces, as the mixture is fitted on, and their pseudo-deepfakes."""
    options = ["--combination", "single", "--covariance", "spherical", "--components", "1"]
    assert fit_anomaly(tiny_run, tmp_path / "a.safetensors", *options) == 0
    model, settings = load_anomaly(tmp_path / "a.safetensors")
    detector, info = load_detector(tiny_run.ckpt)
    val = Manifest.read(tiny_run.seen).select(label=0).select(split="val")
    size = info.config.image_size
    real = embed(detector, CropDataset(val, size), workers=0)[2]
    both = embed(detector, PairDataset(val, size, "pseudo", PseudoConfig(), None, 0), workers=0)[2]

    def threshold(*embeddings: np.ndarray) -> float:
        scores = [model.score(pair_features(val.table, part, "single", 0, 8, 40)[1]).numpy() for part in embeddings]
        return youden_threshold(np.repeat([0, 1], [len(part) for part in scores]), np.concatenate(scores))

    expected = threshold(real, both[1::2])
    assert threshold(both[0::2], both[1::2]) != pytest.approx(expected, rel=1e-3)  # recoloured partners would tell
    assert threshold(both[1::2], real) != pytest.approx(expected, rel=1e-3)
    assert settings["threshold"] == pytest.approx(expected, rel=1e-3)


def test_a_split_val_without_pairs_gives_no_threshold(tiny_run: TinyRun, tmp_path: Path) -> None:
    table = pd.read_parquet(tiny_run.seen / "manifest.parquet")
    val = table[(table["split"] == "val") & (table["label"] == 0)]
    table = table.drop(index=val.index[1:])
    table["path"] = [(tiny_run.seen / path).as_posix() for path in table["path"]]
    table.to_parquet(tmp_path / "manifest.parquet")
    options = ["--manifest", str(tmp_path), "--out", str(tmp_path / "a.safetensors"), "--workers", "0"]
    assert main(["fit-anomaly", "--ckpt", str(tiny_run.ckpt), *options, "--covariance", "diag"]) == 0
    assert load_anomaly(tmp_path / "a.safetensors")[1]["threshold"] is None


def test_nothing_is_overwritten_unasked(tiny_run: TinyRun, capsys: pytest.CaptureFixture[str]) -> None:
    path = tiny_run.folder / "anomaly.safetensors"
    before = path.read_bytes()
    assert fit_anomaly(tiny_run, path) == 1
    assert "--overwrite" in capsys.readouterr().err
    assert path.read_bytes() == before


def test_pairs_stay_within_video_or_identity() -> None:
    table = pd.DataFrame(
        {
            "dataset": "d",
            "compression": "c23",
            "method": ["real", "real", "x", "real", "real"],
            "video": ["000", "000", "000", "", ""],
            "identity": ["", "", "", "ann", ""],
            "path": list("abcde"),
            "frame": [0, 1, 0, 0, 0],
        }
    )
    embeddings = np.random.default_rng(0).random((5, 8), dtype=np.float32)
    probes, features = pair_features(table, embeddings, "abs", seed=0, pool_size=8, max_frames=40)
    difference = np.abs(embeddings[0] - embeddings[1])
    np.testing.assert_allclose(features.numpy(), [difference / np.linalg.norm(difference)], rtol=1e-5)
    assert probes.tolist() in ([0], [1])
    assert len(pair_features(table.iloc[2:].reset_index(drop=True), embeddings[2:], "abs", 0, 8, 40)[1]) == 0


def test_faces_without_pairs_are_refused(tiny_run: TinyRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = pd.read_parquet(tiny_run.seen / "manifest.parquet")
    table["path"] = [(tiny_run.seen / path).as_posix() for path in table["path"]]
    table[table["label"] == 0].groupby("video").head(1).to_parquet(tmp_path / "manifest.parquet")
    command = ["fit-anomaly", "--ckpt", str(tiny_run.ckpt), "--manifest", str(tmp_path), "--workers", "0"]
    assert main([*command, "--out", str(tmp_path / "a.safetensors")]) == 1
    assert "--combination single" in capsys.readouterr().err
