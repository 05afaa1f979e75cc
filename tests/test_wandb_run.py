"""Weights & Biases without an account: everything of one detector is in one run, kept offline."""

import json
import struct
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from processes import difffake
from tiny import TinyRun

from difffake.commands.main import main

wandb = pytest.importorskip("wandb", reason="wandb is not installed")


def records(folder: Path) -> list[Any]:
    """What `wandb sync` would upload, in order; the files are LevelDB logs of protocol buffers."""
    from wandb.proto import wandb_internal_pb2

    found = []
    for path in sorted(folder.glob("wandb/offline-run-*/*.wandb")):
        content, place, parts = path.read_bytes(), 7, b""  # after the file's own header
        while place + 7 <= len(content):
            left = 32768 - place % 32768
            if left < 7:  # a block ends in padding
                place += left
                continue
            _, length, kind = struct.unpack("<IHB", content[place : place + 7])
            parts += content[place + 7 : place + 7 + length]
            place += 7 + length
            if kind in (1, 4):  # whole, or the last part
                record = wandb_internal_pb2.Record()
                record.ParseFromString(parts)
                found.append(record)
                parts = b""
    return found


def test_training_mixture_and_evaluation_are_one_run(
    tiny_run: TinyRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("WANDB_MODE", "WANDB_API_KEY", "WANDB_RUN_ID", "WANDB_RESUME"):
        monkeypatch.setenv(name, "")  # so that what the commands set is taken back
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))  # no ~/.netrc
    config = Path(__file__).parents[1] / "configs" / "logger" / "wandb.yaml"
    small = ["--data.batch_size", "4", "--data.workers", "0", "--model.image_size", "64", "--trainer.max_epochs", "2"]
    small += ["--trainer.limit_train_batches", "2", "--trainer.log_every_n_steps", "1", "--model.weights", "none"]
    small += ["--trainer.enable_progress_bar", "false", "--model.encoder", "resnet10t"]
    out, manifest = tmp_path / "run", ["--manifest", str(tiny_run.seen)]
    fit = ["fit", "--config", str(config), "--data.manifest", str(tiny_run.seen), "--out", str(out), *small]
    try:
        assert main(fit) == 0
        assert "nobody is logged in to W&B" in " ".join(capsys.readouterr().err.split())
        wandb.finish()
        ckpt = ["--ckpt", str(out / "best.ckpt"), "--workers", "0"]
        assert main(["fit-anomaly", *ckpt, *manifest, "--covariance", "diag", "--components", "1"]) == 0
        assert main(["evaluate", *ckpt, *manifest, "--out", str(tmp_path / "results"), "--resamples", "5"]) == 0
    finally:
        wandb.finish()
        wandb.teardown()
    note = json.loads((out / "wandb.json").read_text())
    runs = [path.name for path in (tmp_path / "wandb").glob("offline-run-*")]
    assert len(runs) == 3
    assert all(name.endswith(note["id"]) for name in runs)

    found = records(tmp_path)
    rows = [
        {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in record.history.item}
        for record in found
        if record.WhichOneof("record_type") == "history"
    ]
    logged = {name for row in rows for name in row}
    assert {"train/loss_step", "train/loss_epoch", "lr", "val/auc", "time/images_per_second"} <= logged
    assert "evaluation/results/_type" in logged  # the table
    # The same numbers as in the tables of the run folder.
    table = pd.read_csv(out / "metrics.csv")
    assert [row["val/auc"] for row in rows if "val/auc" in row] == pytest.approx(table["val/auc"].dropna().tolist())
    assert pd.read_csv(out / "timing.csv")["time/images_per_second"].gt(0).all()
    summary = {
        item.key or "/".join(item.nested_key)
        for record in found
        if record.WhichOneof("record_type") == "summary"
        for item in record.summary.update
    }
    assert "anomaly/threshold" in summary
    assert any(name.startswith("auc/forged-drawn-a") for name in summary)
    settings = {
        item.key or "/".join(item.nested_key)
        for record in found
        if record.WhichOneof("record_type") in ("run", "config")
        for item in (record.run.config if record.HasField("run") else record.config).update
    }
    assert any(name.startswith("model") for name in settings)
    assert any(name.startswith("fingerprints") for name in settings)


def test_a_server_that_cannot_be_reached_is_one_line(
    tiny_run: TinyRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a cluster's node with a key and without a network."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WANDB_MODE", raising=False)
    for name, value in (("API_KEY", "a" * 40), ("BASE_URL", "http://127.0.0.1:9"), ("INIT_TIMEOUT", "2")):
        monkeypatch.setenv(f"WANDB_{name}", value)
    config = Path(__file__).parents[1] / "configs" / "logger" / "wandb.yaml"
    small = ["--model.encoder", "resnet10t", "--model.weights", "none", "--model.image_size", "64"]
    out = tmp_path / "run"
    statuses, said = difffake(
        ["fit", "--config", str(config), "--data.manifest", str(tiny_run.seen), "--out", str(out), *small]
    )
    assert statuses == [1]
    assert "set WANDB_MODE=offline, and upload it later with `wandb sync`" in said
    assert "Traceback" not in said
    assert not out.exists()
