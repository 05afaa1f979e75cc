"""`difffake fit-anomaly`: which pairs it fits, and what it stores."""

import re
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from tiny import TinyRun

from difffake.anomaly.fit import DensityConfig
from difffake.anomaly.mixture import GaussianMixture
from difffake.anomaly.scoring import Pairing, pair_features
from difffake.anomaly.storage import load_anomaly
from difffake.commands.main import main
from difffake.data.datasets import CropDataset, Fakes, PairDataset
from difffake.data.manifest import Manifest
from difffake.data.pseudo import PseudoConfig, Twins
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


@pytest.mark.parametrize(
    "options",
    [("--model", "svm"), ("--combination", "single", "--covariance", "spherical"), ("--combination", "learned")],
)
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
        scores = [
            model.score(pair_features(val.table, part, Pairing("single")).features).numpy() for part in embeddings
        ]
        return youden_threshold(np.repeat([0, 1], [len(part) for part in scores]), np.concatenate(scores))

    expected = threshold(real, both[1::2])
    assert threshold(both[0::2], both[1::2]) != pytest.approx(expected, rel=1e-3)  # recolored partners would tell
    assert threshold(both[1::2], real) != pytest.approx(expected, rel=1e-3)
    assert settings["threshold"] == pytest.approx(expected, rel=1e-3)


def test_pseudo_deepfakes_are_made_as_in_the_run(
    tiny_run: TinyRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of the threshold, of a learned combination and of a calibration, if the run had its own settings."""
    checkpoint = torch.load(tiny_run.ckpt, weights_only=True)
    assert checkpoint["difffake"]["pseudo"] == asdict(PseudoConfig())
    own = replace(PseudoConfig(), region_weights={"mouth": 1.0}, alphas=(0.25,))
    checkpoint["difffake"]["pseudo"] = asdict(own)
    torch.save(checkpoint, tmp_path / "own.ckpt")
    used = []

    class Noted(PairDataset):
        def __init__(
            self, rows: Manifest, size: int, fakes: Fakes, pseudo: PseudoConfig, *rest: Any, **more: Any
        ) -> None:
            used.append(pseudo)
            super().__init__(rows, size, fakes, pseudo, *rest, **more)

    monkeypatch.setattr("difffake.anomaly.forged.PairDataset", Noted)
    both = ["--ckpt", str(tmp_path / "own.ckpt"), "--manifest", str(tiny_run.seen), "--workers", "0"]
    assert main(["fit-anomaly", *both, "--combination", "learned"]) == 0
    assert main(["calibrate", *both, "--fakes", "pseudo"]) == 0
    assert used == [own, own, own]


def test_twins_are_made_of_the_faces_that_are_forged(
    tiny_run: TinyRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = torch.load(tiny_run.ckpt, weights_only=True)
    own = replace(PseudoConfig(), family_weights={"twins": 1.0}, twin_whole=1.0, autoencoder="none")
    checkpoint["difffake"]["pseudo"] = asdict(own)
    torch.save(checkpoint, tmp_path / "own.ckpt")
    made: list[tuple[list[str], PseudoConfig]] = []

    def gray_twins(parts: list[Manifest], config: PseudoConfig, device: torch.device, **ranks: int) -> Twins:
        made.append(([split for part in parts for split in part.table["split"].unique()], config))
        assert all((part.table["label"] == 0).all() for part in parts)
        return lambda crop: np.full((64, 64, 3), 128, np.uint8)

    monkeypatch.setattr("difffake.anomaly.forged.make_twins", gray_twins)
    both = ["--ckpt", str(tmp_path / "own.ckpt"), "--manifest", str(tiny_run.seen), "--workers", "0"]
    assert main(["fit-anomaly", *both, "--covariance", "diag", "--components", "1"]) == 0
    assert main(["calibrate", *both, "--fakes", "pseudo"]) == 0
    assert made == [(["train", "val"], own), (["val"], own)]


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
            "track": 0,
        }
    )
    embeddings = np.random.default_rng(0).random((5, 8), dtype=np.float32)
    probes, features = pair_features(table, embeddings, Pairing("abs"))
    difference = np.abs(embeddings[0] - embeddings[1])
    np.testing.assert_allclose(features.numpy(), [difference / np.linalg.norm(difference)], rtol=1e-5)
    assert probes.tolist() in ([0], [1])
    assert len(pair_features(table.iloc[2:].reset_index(drop=True), embeddings[2:], Pairing("abs")).probes) == 0


def test_faces_without_pairs_are_refused(tiny_run: TinyRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = pd.read_parquet(tiny_run.seen / "manifest.parquet")
    table["path"] = [(tiny_run.seen / path).as_posix() for path in table["path"]]
    table[table["label"] == 0].groupby("video").head(1).to_parquet(tmp_path / "manifest.parquet")
    command = ["fit-anomaly", "--ckpt", str(tiny_run.ckpt), "--manifest", str(tmp_path), "--workers", "0"]
    assert main([*command, "--out", str(tmp_path / "a.safetensors")]) == 1
    assert "--combination single" in capsys.readouterr().err


def test_the_covariance_fits_the_number_of_pairs() -> None:
    """By hand, for 3 components of 1,280 dimensions: 2 + 3,840 + 3 * 819,840 parameters of full covariances."""
    config = DensityConfig()
    few, many = config.build(108, 1280), config.build(7700, 1280)
    assert isinstance(few, GaussianMixture)
    assert isinstance(many, GaussianMixture)
    assert (few.covariance_type, many.covariance_type) == ("diag", "full")  # 7,700 pairs: 4.0002 numbers each
    (said,) = config.remarks(108, 1280)
    assert "108 pairs are too few for full ones: 0.056 numbers per parameter" in said
    assert config.remarks(7700, 1280) == []
    (said,) = DensityConfig(covariance="full").remarks(108, 1280)
    assert said.startswith("warning: 108 pairs are too few for the 2463362 parameters of 3 full component(s)")
    assert len(DensityConfig().remarks(12, 1280)) == 2  # too few for diagonal ones too: 12 / (2 * 3) = 2
    assert DensityConfig("svm").remarks(12, 1280) == []


def test_settings_are_checked_before_any_work(tiny_run: TinyRun, capsys: pytest.CaptureFixture[str]) -> None:
    for options, status, message in (
        (["--model", "svm", "--nu", "2"], 2, "nu=2.0 is out of range"),
        (["--model", "forest"], 2, "anomaly model forest is unknown: write mixture or svm"),
        (["--model", "os.path"], 1, "is no class"),
    ):
        assert fit_anomaly(tiny_run, tiny_run.folder / "never", *options) == status
        assert message in capsys.readouterr().err
    twice = ["--manifest", str(tiny_run.seen), str(tiny_run.seen), "--out", str(tiny_run.folder / "never")]
    assert main(["fit-anomaly", "--ckpt", str(tiny_run.ckpt), *twice]) == 1
    assert "twice" in capsys.readouterr().err


def test_a_frozen_video_and_a_score_below_chance_are_said(
    tiny_run: TinyRun, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    table = pd.read_parquet(tiny_run.seen / "manifest.parquet")
    real = table[table["label"] == 0]
    frozen = real.groupby("video")["path"].first()
    for row in real.itertuples():
        target = tmp_path / "frozen" / row.path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((tiny_run.seen / frozen[row.video]).read_bytes())
    real.to_parquet(tmp_path / "frozen" / "manifest.parquet")
    options = ["--manifest", str(tmp_path / "frozen"), "--out", str(tmp_path / "a.safetensors"), "--components", "1"]
    assert main(["fit-anomaly", "--ckpt", str(tiny_run.ckpt), *options, "--workers", "0"]) == 0
    assert "12 of 12 pairs have two equal images" in " ".join(capsys.readouterr().err.split())
    # The tiny run's own model ranks its forgeries below real pairs.
    assert fit_anomaly(tiny_run, tmp_path / "b.safetensors", "--covariance", "diag", "--components", "1") == 0
    said = " ".join(capsys.readouterr().err.split())
    assert re.search(r"real against pseudo-deepfakes: \d+\.\d % warning: this is below chance", said), said
    monkeypatch.setattr("difffake.anomaly.fit.auc", lambda label, score: 0.4998)  # which is printed as 50.0 %
    assert fit_anomaly(tiny_run, tmp_path / "c.safetensors", "--covariance", "diag", "--components", "1") == 0
    said = capsys.readouterr().err
    assert "50.0 %" in said
    assert "below chance" not in said


OWN = """
import torch

class Distance:
    '''Distance from the mean of the real features.'''

    def fit(self, x, *, numbers=None):
        self.mean = x.double().mean(0)
        return self

    def score(self, x):
        return torch.linalg.vector_norm(x - self.mean, dim=1)

    def to(self, device):
        self.mean = self.mean.to(device)
        return self

    def state(self):
        return {"mean": self.mean}, {}

    @classmethod
    def from_state(cls, tensors, settings):
        found = cls()
        found.mean = tensors["mean"]
        return found

class NoScore:
    def fit(self, x):
        return self
"""


def test_a_density_of_ones_own(
    tiny_run: TinyRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "someones_density.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    path = tmp_path / "own.safetensors"
    assert fit_anomaly(tiny_run, path, "--model", "someones_density.NoScore") == 1
    assert "has no score, to, state, from_state" in capsys.readouterr().err
    assert fit_anomaly(tiny_run, path, "--model", "someones_density.Distance") == 0
    threshold = load_anomaly(path, ["someones_density"])[1]["threshold"]
    assert isinstance(threshold, float)
    monkeypatch.delitem(sys.modules, "someones_density")
    evaluate = ["evaluate", "--ckpt", str(tiny_run.ckpt), "--manifest", str(tiny_run.unseen), "--anomaly", str(path)]
    evaluate += ["--workers", "0", "--resamples", "0", "--out", str(tmp_path / "out")]
    capsys.readouterr()
    assert main(evaluate) == 1
    assert "own.safetensors: anomaly model someones_density.Distance is code outside" in capsys.readouterr().err
    assert "someones_density" not in sys.modules
    assert main([*evaluate, "--imports", "someones_density"]) == 0
    scores = pd.read_parquet(tmp_path / "out" / "scores.parquet")
    values = scores["value"][scores["score"] == "anomaly"]
    assert len(values) == 24
    assert values.between(0, 2).all()  # of features of length 1
