"""Evaluation beside or without a checkpoint: reference detectors, and scores of others in the same tables."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from processes import difffake
from safetensors.torch import save_file
from sklearn.metrics import roc_auc_score
from tiny import TinyRun

from difffake.commands.main import main
from difffake.evaluation.floors import NO_WEIGHTS, VARIABLE, jpeg_size
from difffake.faces.images import read_image
from difffake.models.meso4 import Meso4

KERAS = {"weight": "kernel", "bias": "bias"}
NORM = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights of Meso4 in Keras' layout."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = Meso4()
    arrays = {}
    for number, block in enumerate(network.blocks, start=1):
        convolution, norm = block[0], block[2]
        arrays[f"conv2d_{number}/kernel"] = convolution.weight.permute(2, 3, 1, 0)
        arrays[f"conv2d_{number}/bias"] = convolution.bias
        arrays |= {f"batch_normalization_{number}/{theirs}": getattr(norm, ours) for ours, theirs in NORM.items()}
    for number, layer in enumerate((network.hidden, network.last), start=1):
        arrays |= {f"dense_{number}/kernel": layer.weight.T, f"dense_{number}/bias": layer.bias}
    path = tmp_path_factory.mktemp("meso4") / "meso4.safetensors"
    save_file({name: array.detach().contiguous() for name, array in arrays.items()}, path)
    return path


def evaluate(*options: object) -> int:
    return main(["evaluate", "--workers", "0", "--resamples", "20", *map(str, options)])


def rows(out: Path) -> list[dict[str, Any]]:
    return json.loads((out / "results.json").read_text())["rows"]


def test_file_size_is_pillows_within_a_few_percent(tiny_run: TinyRun, tmp_path: Path) -> None:
    """Both use libjpeg and subsample colors; they differ in the tables of the codes."""
    for path in pd.read_parquet(tiny_run.unseen / "manifest.parquet")["path"].iloc[:3]:
        Image.fromarray(read_image(tiny_run.unseen / path)).save(tmp_path / "x.jpg", quality=75)
        assert jpeg_size(tiny_run.unseen / path) == pytest.approx((tmp_path / "x.jpg").stat().st_size, rel=0.05)


def test_all_detectors_stand_in_the_same_tables(
    tiny_run: TinyRun, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = pd.read_parquet(tiny_run.unseen / "manifest.parquet")
    score = np.random.default_rng(0).normal(size=len(table))
    pd.DataFrame({"path": table["path"], "score": score}).iloc[1:].to_csv(tmp_path / "theirs.csv", index=False)
    others = ["--scores", tmp_path / "theirs.csv", "--floors", "--meso4", weights]
    assert evaluate("--ckpt", tiny_run.ckpt, *others, "--manifest", tiny_run.unseen, "--out", tmp_path / "o") == 0
    found = {(row["score"], row["level"]): row for row in rows(tmp_path / "o")}
    names = ("classifier", "anomaly", "theirs", "file size", "Meso4")
    assert set(found) >= {(name, level) for name in names for level in ("frame", "video")}
    assert found["theirs", "frame"]["auc"] == pytest.approx(roc_auc_score(table["label"].iloc[1:], score[1:]))
    sizes = [-jpeg_size(tiny_run.unseen / path) for path in table["path"]]
    assert found["file size", "frame"]["auc"] == pytest.approx(roc_auc_score(table["label"], sizes))
    assert found["file size", "frame"]["acc"] is None  # there is no threshold from validation data
    scores = pd.read_parquet(tmp_path / "o" / "scores.parquet").groupby("score").get_group("Meso4")
    assert scores["path"].tolist() == table["path"].tolist()
    assert scores["value"].between(0, 1).all()
    assert scores["value"].nunique() > len(table) / 2
    said = f"theirs: 1 of {len(table)} rows have no score in theirs.csv, such as {table['path'].iloc[0]}"
    content = json.loads((tmp_path / "o" / "results.json").read_text())
    assert said in content["provenance"]["not_scored"]
    assert {"theirs.csv", "meso4.safetensors"} <= {
        Path(file["file"].replace("…", "")).name for file in content["provenance"]["files"]
    }
    assert said in (tmp_path / "o" / "results.md").read_text()
    assert said in capsys.readouterr().err


def test_a_checkpoint_is_not_needed(
    tiny_run: TinyRun, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert evaluate("--floors", "--manifest", tiny_run.unseen, "--out", tmp_path / "o") == 0
    assert {row["score"] for row in rows(tmp_path / "o")} == {"file size"}
    assert not (tmp_path / "o" / "config.yaml").exists()
    error = capsys.readouterr().err
    assert NO_WEIGHTS in error
    assert "without a checkpoint, it is not checked" in error
    monkeypatch.setenv(VARIABLE, str(tmp_path / "none.safetensors"))
    assert evaluate("--floors", "--manifest", tiny_run.unseen, "--out", tmp_path / "p") == 1
    assert f"(${VARIABLE}) does not exist" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "give --ckpt, --scores or --floors"),
        (["--floors", "--anomaly", "x.safetensors"], "--anomaly needs --ckpt"),
        (["--ckpt", "x", "--meso4", "y"], "add --floors"),
    ],
)
def test_wrong_options(
    tiny_run: TinyRun, tmp_path: Path, options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate(*options, "--manifest", tiny_run.unseen, "--out", tmp_path / "o") == 2
    assert message in capsys.readouterr().err


def test_ranks_give_the_same_scores(tiny_run: TinyRun, weights: Path, tmp_path: Path) -> None:
    """The 30 crops of one split are shared by two ranks, as are the 9 of a smaller one."""
    table = pd.read_parquet(tiny_run.unseen / "manifest.parquet").iloc[:9]
    (tmp_path / "nine").mkdir()
    (tmp_path / "nine" / "crops").symlink_to(tiny_run.unseen / "crops")
    table.to_parquet(tmp_path / "nine" / "manifest.parquet")
    options = ["evaluate", "--floors", "--meso4", weights, "--manifest", tmp_path / "nine", "--split", "all"]
    for ranks in (1, 2):
        command = [*options, "--workers", "0", "--resamples", "0", "--out", tmp_path / str(ranks)]
        statuses, output = difffake([*map(str, command)], ranks)
        assert statuses == [0] * ranks, output
    one, two = (pd.read_parquet(tmp_path / ranks / "scores.parquet") for ranks in ("1", "2"))
    pd.testing.assert_frame_equal(one, two, check_exact=True)
