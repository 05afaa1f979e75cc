"""`difffake fit` leaves a run folder that can be read, resumed and trusted."""

import os
import re
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from tiny import TinyRun

from difffake.commands.main import main
from difffake.data.batches import Batch, to_unit
from difffake.metrics import auc
from difffake.models.checkpoint import KEY, load_detector
from difffake.models.detector import Detector
from difffake.training.datamodule import FaceData
from difffake.training.module import DetectorTraining
from difffake.training.sam import SAM


def fit(run: TinyRun, out: Path, *arguments: str) -> int:
    small = ["--data.batch_size", "8", "--data.workers", "0", "--model.image_size", "64"]
    quick = ["--trainer.max_epochs", "1", "--trainer.limit_train_batches", "2"]
    quick += [f"--trainer.enable_{part}=false" for part in ("progress_bar", "model_summary")]
    model = ["--model.encoder", "resnet10t", "--model.weights", "none"]
    return main(["fit", "--data.manifest", str(run.seen), "--out", str(out), *small, *quick, *model, *arguments])


def scores(detector: Detector, data: FaceData) -> tuple[np.ndarray, np.ndarray]:
    """Labels and logits of the validation set, in this process."""
    with torch.no_grad():
        found = [(b["label"].numpy(), detector(to_unit(b["image"])).logit.numpy()) for b in data.val_dataloader()]
    label, score = zip(*found, strict=True)
    return np.concatenate(label), np.concatenate(score)


def test_run_folder_holds_checkpoints_config_and_metrics(tiny_run: TinyRun) -> None:
    names = {path.name for path in tiny_run.folder.iterdir()}
    assert {"best.ckpt", "last.ckpt", "config.yaml", "metrics.csv", "anomaly.safetensors"} <= names
    config = yaml.safe_load((tiny_run.folder / "config.yaml").read_text())
    assert config["model"]["image_size"] == 64
    assert config["data"]["fakes"] == "both"
    metrics = pd.read_csv(tiny_run.folder / "metrics.csv")
    assert metrics["train/loss_epoch"].notna().sum() == 2
    assert metrics["val/auc"].dropna().between(0, 1).all()


def test_checkpoint_is_the_one_with_the_best_validation_auc(tiny_run: TinyRun) -> None:
    """Recomputed from the checkpoint itself on the validation split, in eval mode."""
    detector, info = load_detector(tiny_run.ckpt)
    data = FaceData(str(tiny_run.seen), fakes="both", batch_size=8, image_size=64, workers=0)
    label, score = scores(detector, data)
    logged = pd.read_csv(tiny_run.folder / "metrics.csv")["val/auc"].max()
    assert auc(label, score) == pytest.approx(logged, abs=1e-3)
    assert info.threshold is not None
    assert info.margin == 1.3  # of the drawn faces and of what was forged of them
    table = pd.read_parquet(tiny_run.seen / "manifest.parquet")
    for split, known in (("train", True), ("val", True), ("test", False)):
        keys = {f"identity drawn-a/{name}" for name in table["identity"][table["split"] == split]}
        assert keys <= info.training_keys if known else not keys & info.training_keys


def test_checkpoint_counts_what_it_was_trained_on(tiny_run: TinyRun) -> None:
    table = pd.read_parquet(tiny_run.seen / "manifest.parquet")
    entries = load_detector(tiny_run.ckpt)[1].trained_on
    assert entries is not None
    assert {(entry["split"], entry["method"]) for entry in entries} == {
        (split, method)
        for split in ("train", "val")
        for method in ("real", "alpha_swap", "faceswap", "pseudo-deepfakes")
    }
    for entry in entries:
        method = "real" if entry["method"] == "pseudo-deepfakes" else entry["method"]
        rows = table[(table["split"] == entry["split"]) & (table["method"] == method)]
        assert (entry["dataset"], entry["crops"], entry["videos"]) == (
            "forged-drawn-a", len(rows), rows["video"].nunique(),
        )  # fmt: skip


def test_the_learning_rate_follows_the_schedule_step_by_step(tiny_run: TinyRun, tmp_path: Path) -> None:
    schedule = [
        "--model.optimizer.schedule",
        "cosine",
        "--model.optimizer.lr",
        "0.01",
        "--trainer.log_every_n_steps",
        "1",
    ]
    assert fit(tiny_run, tmp_path / "run", *schedule) == 0
    metrics = pd.read_csv(tmp_path / "run" / "metrics.csv")
    assert metrics["lr"].dropna().tolist() == pytest.approx([0.01, 0.005])  # of two steps


def test_on_two_ranks_every_validation_sample_counts_once(tiny_run: TinyRun, tmp_path: Path) -> None:
    """With an odd number of samples, which a padding sampler would make even; gloo on the CPU."""
    table = pd.read_parquet(tiny_run.seen / "manifest.parquet")
    odd = table.drop(index=table.index[(table["split"] == "val") & (table["label"] == 0)][0])
    odd["path"] = [(tiny_run.seen / path).as_posix() for path in odd["path"]]
    odd.to_parquet(tmp_path / "manifest.parquet")
    small = ["--data.batch_size", "8", "--data.workers", "0", "--model.image_size", "64", "--trainer.max_epochs", "1"]
    model = ["--model.encoder", "resnet10t", "--model.weights", "none", "--out", str(tmp_path / "run")]
    ranks = ["--trainer.accelerator", "cpu", "--trainer.devices", "2", "--trainer.strategy", "ddp"]
    command = [sys.executable, "-m", "difffake", "fit", "--data.manifest", str(tmp_path), *small, *model, *ranks]
    subprocess.run(command, check=True, capture_output=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    detector, _ = load_detector(tmp_path / "run" / "best.ckpt")
    data = FaceData(str(tmp_path), batch_size=2, image_size=64, workers=0)
    assert len(data.validation_set()) == 11
    label, score = scores(detector, data)
    logged = pd.read_csv(tmp_path / "run" / "metrics.csv")["val/auc"].max()
    assert auc(label, score) == pytest.approx(logged, abs=1e-5)


def test_checkpoint_holds_what_was_trained_alone_and_no_code(tiny_run: TinyRun) -> None:
    """The settings of `difffake demo --drawn` train a guide beside the detector."""
    checkpoint = torch.load(tiny_run.ckpt, weights_only=True)
    assert {key.split(".")[0] for key in checkpoint["state_dict"]} == {"detector", "regularizers"}
    assert checkpoint[KEY]["config"]["encoder"] == "resnet10t"


@pytest.mark.parametrize("optimizer", ["sam", "sgd", "adamw"])
def test_optimizers_train(tiny_run: TinyRun, tmp_path: Path, optimizer: str) -> None:
    assert fit(tiny_run, tmp_path / "run", "--model.optimizer.name", optimizer) == 0
    assert (tmp_path / "run" / "best.ckpt").is_file()


def test_sam_logs_the_loss_of_the_weights_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each step computes the loss twice; the second, where the loss nearby is worst, is not the run's."""
    training = DetectorTraining("resnet10t", "none", 64)
    optimizer = SAM(training.parameters(), partial(torch.optim.SGD, lr=0.1), rho=1.0)
    logged, computed = [], []
    monkeypatch.setattr(training, "optimizers", lambda use_pl_optimizer: optimizer)
    monkeypatch.setattr(training, "log", lambda name, value, **_: logged.append((name, float(value))))
    image = torch.randint(256, (4, 3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    batch = Batch(image=image, label=torch.tensor([0.0, 1.0, 0.0, 1.0]), index=torch.arange(4))

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = training.training_step(batch, 0)
        loss.backward()
        computed.append(float(loss))
        return loss

    optimizer.step(closure)
    assert computed[1] > computed[0]
    assert logged == [("train/loss", computed[0])]


@pytest.mark.parametrize("option", ["--trainer.callbacks+", "--trainer.callbacks"])  # a list of one, and one
def test_bf16_and_ema_by_option(tiny_run: TinyRun, tmp_path: Path, option: str) -> None:
    ema = "lightning.pytorch.callbacks.EMAWeightAveraging"
    options = ["--trainer.precision", "bf16-mixed", option, ema, "--model.optimizer.name", "adamw"]
    assert fit(tiny_run, tmp_path / "run", *options) == 0
    load_detector(tmp_path / "run" / "best.ckpt")


def test_gradients_are_clipped_in_bf16(tiny_run: TinyRun, tmp_path: Path) -> None:
    """To next to nothing, so the weights hardly move; Lightning refuses it for a fused AdamW."""
    options = ["--trainer.precision", "bf16-mixed", "--model.optimizer.name", "sgd", "--model.optimizer.lr", "1"]
    moved = {}
    for clip in ("1e-9", "1"):
        assert fit(tiny_run, tmp_path / clip, *options, "--trainer.gradient_clip_val", clip) == 0
        moved[clip] = dict(load_detector(tmp_path / clip / "best.ckpt")[0].named_parameters())
    change = sum(float((value - moved["1"][name]).detach().norm()) for name, value in moved["1e-9"].items())
    assert change > 0.1
    adamw = [*options[:2], "--model.optimizer.name", "adamw", "--trainer.gradient_clip_val", "1"]
    assert fit(tiny_run, tmp_path / "adamw", *adamw) == 0


def test_same_seed_same_weights(tiny_run: TinyRun, tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        assert fit(tiny_run, tmp_path / name, "--seed_everything", "5" if name == "c" else "4") == 0
    a, b, c = (torch.load(tmp_path / name / "last.ckpt", weights_only=True)["state_dict"] for name in "abc")
    assert all(torch.equal(a[key], b[key]) for key in a)
    assert not all(torch.equal(a[key], c[key]) for key in a)


def test_a_run_can_go_on_but_is_not_overwritten_unasked(
    tiny_run: TinyRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    assert fit(tiny_run, out, "--resume") == 0
    said = " ".join(capsys.readouterr().err.split())
    assert "has no checkpoint yet: the run starts from the beginning" in said
    assert re.search(r"epoch 1 of 1: loss 0\.\d+, val/auc \d+\.\d %, 0:00 left", said)
    assert fit(tiny_run, out) == 1
    assert "--overwrite to replace it, or --resume to continue it" in capsys.readouterr().err
    assert fit(tiny_run, out, "--resume") == 0
    assert "is finished after 1 epochs" in " ".join(capsys.readouterr().err.split())
    assert fit(tiny_run, out, "--resume", "--trainer.max_epochs", "2") == 0
    assert torch.load(out / "last.ckpt", weights_only=True)["global_step"] == 4
    assert fit(tiny_run, out, "--overwrite") == 0


def test_lists_are_spelled_as_in_every_command(tiny_run: TinyRun, tmp_path: Path) -> None:
    methods = [
        "--data.fakes",
        "both",
        "--data.methods",
        "faceswap",
        "alpha_swap",
        "--data.augment.jpeg_quality",
        "30",
        "95",
    ]
    assert fit(tiny_run, tmp_path / "run", *methods) == 0
    config = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    assert config["data"]["methods"] == ["faceswap", "alpha_swap"]
    assert config["data"]["augment"]["jpeg_quality"] == [30, 95]
    (tmp_path / "one.yaml").write_text("data: {methods: faceswap}")
    assert fit(tiny_run, tmp_path / "one", *methods[:2], "--config", str(tmp_path / "one.yaml")) == 0
    config = yaml.safe_load((tmp_path / "one" / "config.yaml").read_text())
    assert config["data"]["methods"] == ["faceswap"]


def test_a_try_of_one_batch_saves_nothing(tiny_run: TinyRun, tmp_path: Path) -> None:
    assert fit(tiny_run, tmp_path / "run", "--trainer.fast_dev_run", "true") == 0
    assert not (tmp_path / "run").exists()


def test_a_loss_that_is_no_number_ends_the_run(
    tiny_run: TinyRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wild = ["--model.optimizer.name", "sgd", "--model.optimizer.lr", "1e30", "--trainer.limit_train_batches", "3"]
    assert fit(tiny_run, tmp_path / "run", *wild) == 1
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert re.search(
        r"the loss became NaN or infinite: train/\S+ at step [12], learning rate 1e\+30: lower --model", said
    )
    assert all(
        torch.isfinite(value).all()
        for value in torch.load(tmp_path / "run" / "last.ckpt", weights_only=True)["state_dict"].values()
    )


def test_leaks_and_bad_settings_stop_the_run(
    tiny_run: TinyRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    leaky = tmp_path / "leaky"
    shutil.copytree(tiny_run.seen, leaky)
    table = pd.read_parquet(leaky / "manifest.parquet")
    table.loc[table["split"] == "val", "identity"] = table.loc[table["split"] == "train", "identity"].iloc[0]
    table.to_parquet(leaky / "manifest.parquet")
    for (*options, status), message in {
        ("--data.manifest", str(leaky), 1): "the val split shares",
        ("--trainer.accumulate_grad_batches", "2", 1): "SAM cannot accumulate",
        ("--model.encoder", "resnet9000", 1): "not a timm network",
        ("--model.optimizer.lr", "-1", 2): "lr and rho must be positive",
        ("--model.image_size", "-5", 2): "--model.image_size -5 must be at least 1",
        ("--data.batch_size", "-2", 2): "--data.batch_size -2 must be even, from 2",
        ("--seed_everything", "-1", 2): "--seed_everything -1 is not in bounds",
        ("--trainer.gradient_clip_val", "-1", 2): "--trainer.gradient_clip_val -1.0 must be at least 0",
        ("--trainer.max_epochs", "-2", 2): "--trainer.*",
        ("--trainer.devices", "x", 2): "--trainer.*",
        ("--trainer.accelerator", "abacus", 2): "--trainer.*",
        ("--trainer.limit_train_batches", "-1", 2): "--trainer.*",
    }.items():
        assert fit(tiny_run, tmp_path / "run", "--overwrite", *map(str, options)) == status
        assert message in capsys.readouterr().err.strip().splitlines()[-1]
        assert not (tmp_path / "run").exists()


def test_the_config_of_a_run_without_a_regularizer_can_be_used_again(
    tiny_run: TinyRun, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "even.yaml").write_text("model: {regularizers: {even: {class_path: EvenAttention}}}")
    with_config = ["--config", str(tmp_path / "even.yaml")]
    assert fit(tiny_run, tmp_path / "a", *with_config, "--model.regularizers.even", "null") == 0
    said = capfd.readouterr().err
    assert "Unable to serialize" not in said
    assert "Seed set" not in said
    assert main(["fit", "--config", str(tmp_path / "a" / "config.yaml"), "--out", str(tmp_path / "b")]) == 0
    assert yaml.safe_load((tmp_path / "b" / "config.yaml").read_text())["model"]["regularizers"] == {}


def test_early_stopping_on_what_is_not_logged_is_one_line(
    tiny_run: TinyRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stop = ["--trainer.callbacks+", "EarlyStopping", "--trainer.callbacks.monitor", "val/acu"]
    assert fit(tiny_run, tmp_path / "run", *stop) == 1
    assert "metric val/acu which is not available" in capsys.readouterr().err.strip().splitlines()[-1]


def test_crops_that_are_gone_are_noticed_before_training(
    tiny_run: TinyRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No run folder is left behind; what the run does not read may be missing."""
    table = pd.read_parquet(tiny_run.seen / "manifest.parquet")
    table["path"] = [(tiny_run.seen / path).as_posix() for path in table["path"]]
    used = table["split"] != "test"
    table.loc[~used, "path"] += ".gone"
    table.loc[table.index[used][0], "path"] += ".gone"
    table.to_parquet(tmp_path / "manifest.parquet")
    assert fit(tiny_run, tmp_path / "run", "--data.manifest", str(tmp_path)) == 1
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert f"difffake fit: 1 of {used.sum()} crops are missing, such as {table['path'][used].iloc[0]}" in error
    assert not (tmp_path / "run").exists()


def test_a_logger_whose_package_is_missing_names_what_to_install(
    tiny_run: TinyRun, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lightning.pytorch.loggers.tensorboard._TENSORBOARD_AVAILABLE", False)
    monkeypatch.setattr("lightning.fabric.loggers.tensorboard._TENSORBOARD_AVAILABLE", False)
    monkeypatch.setattr("lightning.fabric.loggers.tensorboard._TENSORBOARDX_AVAILABLE", False)
    logger = ["--trainer.logger", "TensorBoardLogger", "--trainer.logger.save_dir", str(tmp_path)]
    assert fit(tiny_run, tmp_path / "run", *logger) == 1
    assert "tensorboard is not installed: pip install 'difffake[tensorboard]'" in capsys.readouterr().err
