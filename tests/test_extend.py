"""Every example of docs/extend.md, written to a package and used as the page says."""

import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.covariance import LedoitWolf
from sklearn.metrics import log_loss
from tiny import TinyRun

from difffake.commands.main import main
from difffake.drawn.people import Expression, Identity
from difffake.drawn.render import render_face
from difffake.errors import UserError
from difffake.evaluation import measures
from difffake.evaluation.results import read_results
from difffake.forge.tools.face import FaceImage
from difffake.models.checkpoint import load_detector
from difffake.regularizers.saved import load_regularizers

PAGE = Path(__file__).parents[1] / "docs" / "extend.md"


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The page's files, importable."""
    root = tmp_path_factory.mktemp("extend")
    (root / "my_package").mkdir()
    (root / "my_package" / "__init__.py").touch()
    blocks = re.findall(r'```python title="([^"]+)"\n(.*?)```', PAGE.read_text(), flags=re.DOTALL)
    assert len(blocks) == 6
    for name, text in blocks:
        (root / name).write_text(text)
    sys.path.insert(0, str(root))
    yield root
    sys.path.remove(str(root))
    for name in [name for name in sys.modules if name.split(".")[0] == "my_package"]:
        del sys.modules[name]


def fit(run: TinyRun, out: Path, *more: str) -> int:
    arguments = {
        "data.manifest": run.seen, "data.batch_size": 8, "data.workers": 0, "model.encoder": "resnet10t",
        "model.weights": "none", "model.image_size": 64, "model.optimizer.name": "adamw", "trainer.max_epochs": 1,
        "trainer.limit_train_batches": 2, "trainer.enable_progress_bar": "false", "out": out,
    }  # fmt: skip
    return main(["fit", *(part for name, value in arguments.items() for part in (f"--{name}", str(value))), *more])


def test_a_regularizer(package: Path, tiny_run: TinyRun, tmp_path: Path) -> None:
    option = "--model.regularizers.small"
    assert (
        fit(tiny_run, tmp_path / "run", option, "my_package.small_features.SmallFeatures", f"{option}.weight", "2") == 0
    )
    metrics = pd.read_csv(tmp_path / "run" / "metrics.csv")
    square, classification, total = (
        metrics[f"train/{name}"].dropna().item() for name in ("small_square", "classification", "loss_epoch")
    )
    assert square > 0
    assert total == pytest.approx(classification + 2 * square, rel=1e-5)
    detector, _ = load_detector(tmp_path / "run" / "best.ckpt")  # which needs nothing of the package
    with pytest.raises(UserError, match="--imports my_package"):
        load_regularizers(tmp_path / "run" / "best.ckpt", detector)
    found, teacher = load_regularizers(tmp_path / "run" / "best.ckpt", detector, imports=["my_package"])
    assert found["small"].weight == 2
    assert not teacher.loaded


def test_an_encoder(package: Path, tiny_run: TinyRun, tmp_path: Path) -> None:
    encoder = '{"class_path": "my_package.patches.Patches", "init_args": {"width": 48}}'
    assert fit(tiny_run, tmp_path / "run", "--model.encoder", encoder) == 0
    with pytest.raises(UserError, match="--imports my_package"):
        load_detector(tmp_path / "run" / "best.ckpt")
    detector, _ = load_detector(tmp_path / "run" / "best.ckpt", imports=["my_package"])
    assert detector(torch.rand(2, 3, 64, 64)).features.shape == (2, 48, 4, 4)


def test_a_reader(package: Path, tmp_path: Path) -> None:
    for name in ("real/ann.mp4", "real/bob.mp4", "fake/ann_swap.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    items = importlib.import_module("my_package.pairs").read_pairs(tmp_path)
    found = [(item.name, item.label, item.method, item.video, item.target) for item in items]
    assert found == [
        ("real/ann", 0, "real", "ann", "ann"),
        ("real/bob", 0, "real", "bob", "bob"),
        ("fake/ann_swap", 1, "swap", "swap/ann_swap", "ann"),
    ]


def test_a_forgery(package: Path) -> None:
    method = importlib.import_module("my_package.eyes").METHOD
    target, source = (
        FaceImage(*render_face(Identity.sample(np.random.default_rng(seed)), Expression(smile=0.2), size=128))
        for seed in (0, 1)
    )
    made = method.forge(target, source, np.random.default_rng(0), np.random.default_rng(1))
    assert method.name == "eye_swap"
    changed = (made.image != target.image).any(axis=2)
    assert changed[made.mask == 0].sum() == 0
    assert changed[made.mask > 0.9].mean() > 0.5
    mouth = target.landmarks[48:60].mean(axis=0).astype(int)
    assert made.mask[mouth[1], mouth[0]] == 0


def test_an_anomaly_model(package: Path, tiny_run: TinyRun, tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(40, 6)) @ np.diag([1, 2, 3, 1, 1, 5])
    model = importlib.import_module("my_package.shrunk").Shrunk().fit(torch.from_numpy(rows))
    np.testing.assert_allclose(model.score(torch.from_numpy(rows)), LedoitWolf().fit(rows).mahalanobis(rows))
    ckpt, path = ["--ckpt", str(tiny_run.ckpt)], tmp_path / "shrunk.safetensors"
    own = ["--model", "my_package.shrunk.Shrunk", "--imports", "my_package", "--out", str(path), "--workers", "0"]
    assert main(["fit-anomaly", *ckpt, "--manifest", str(tiny_run.seen), *own]) == 0
    scored = ["--manifest", str(tiny_run.unseen), "--anomaly", str(path), "--workers", "0"]
    assert main(["evaluate", *ckpt, *scored, "--out", str(tmp_path / "without")]) == 1
    assert main(["evaluate", *ckpt, *scored, "--out", str(tmp_path / "with"), "--imports", "my_package"]) == 0
    scores = pd.read_parquet(tmp_path / "with" / "scores.parquet").query("score == 'anomaly'")
    assert len(scores)
    assert (scores["value"] >= 0).all()


def test_a_metric(package: Path, tiny_run: TinyRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    function = importlib.import_module("my_package.cross_entropy").cross_entropy
    monkeypatch.setitem(measures.METRICS, "cross_entropy", function)
    command = ["evaluate", "--ckpt", str(tiny_run.ckpt), "--manifest", str(tiny_run.unseen), "--workers", "0"]
    assert main([*command, "--out", str(tmp_path / "out")]) == 0
    rows = read_results(tmp_path / "out").rows
    row = next(row for row in rows if row["level"] == "frame" and row["score"] == "classifier")
    scores = pd.read_parquet(tmp_path / "out" / "scores.parquet").query("score == 'classifier'")
    wanted = log_loss(scores["label"], 1 / (1 + np.exp(-scores["value"])))
    assert row["cross_entropy"] == pytest.approx(wanted)
