"""A run that was killed and stopped on its way ends with bit for bit what an undisturbed one gives."""

import os
import resource
import shutil
import signal
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from processes import difffake
from tiny import GuidedRun, TinyRun

from difffake.commands.main import main
from difffake.training.last_checkpoint import WholeCheckpoints
from difffake.training.module import DetectorTraining


def interrupted_at(calls: int, name: str, rank: str) -> None:
    """Let this process end by a signal at a call of the step: as any rank, as one of them, or with its loaders."""
    step, called = DetectorTraining.training_step, 0

    def interrupted(self: DetectorTraining, *batch: Any) -> torch.Tensor:
        nonlocal called
        called += 1
        if called == calls and rank == "group":
            os.killpg(0, signal.Signals[name])
        elif called == calls and rank in ("all", os.environ.get("LOCAL_RANK")):
            os.kill(os.getpid(), signal.Signals[name])
        return step(self, *batch)

    DetectorTraining.training_step = interrupted  # type: ignore[method-assign]


def arguments(run: TinyRun, out: Path, ranks: int) -> list[str]:
    """Two epochs of four steps, a checkpoint every third, a row of the log at every step, and dropout."""
    values = {
        "data.manifest": run.seen,
        "data.batch_size": 4,
        "data.workers": 1 if ranks == 1 else 0,
        "data.fakes": "pseudo",
        "model.encoder": "resnet10t",
        "model.weights": "none",
        "model.image_size": 64,
        "model.dropout": 0.3,
        "trainer.max_epochs": 2,
        "trainer.limit_train_batches": 4,
        "trainer.log_every_n_steps": 1,
        "trainer.enable_progress_bar": "false",
        "trainer.enable_model_summary": "false",
        "trainer.accelerator": "cpu",
        "trainer.devices": ranks,
        "trainer.strategy": "ddp" if ranks > 1 else "auto",
        "checkpoint_steps": 3,
        "out": out,
    }
    if isinstance(run, GuidedRun):
        values |= {
            "data.fakes": "manifest",
            "data.latents": out.parent / "latents",
            "model.optimizer.name": "adamw",
            "model.regularizers.guide": "Guide",
            "model.regularizers.noise_learning": "NoiseLearning",
            "model.diffusion.name": run.diffusion,
        }
    return ["fit", *(part for name, value in values.items() for part in (f"--{name}", str(value)))]


def same(a: Any, b: Any) -> bool:
    """Whether two nested values are equal bit for bit."""
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return bool(a == b)


def assert_same_runs(found: Path, wanted: Path) -> None:
    """Weights, optimizer, schedule and log, and the checkpoint with the best validation AUC."""
    for name in ("last.ckpt", "best.ckpt"):
        a, b = (torch.load(folder / name, weights_only=True) for folder in (found, wanted))
        for key in ("global_step", "state_dict", "optimizer_states", "lr_schedulers", "difffake_resume"):
            assert same(a[key], b[key]), f"{name}: {key}"
    assert (found / "metrics.csv").read_text() == (wanted / "metrics.csv").read_text()


@pytest.mark.parametrize("kind", ["tiny_run", "guided_run"])
@pytest.mark.parametrize("ranks", [1, 2])
def test_a_run_that_is_killed_and_then_stopped_ends_as_an_undisturbed_one(
    kind: str, ranks: int, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Killed in the fifth step, after a checkpoint before the fourth; stopped in the seventh; both within an epoch."""
    run: TinyRun = request.getfixturevalue(kind)
    whole, broken = tmp_path / "a" / "run", tmp_path / "b" / "run"
    calls = 2 if kind == "tiny_run" else 1  # of the training step in one of SAM's
    statuses, said = difffake(arguments(run, whole, ranks), ranks)
    assert statuses == [0] * ranks, said
    command = arguments(run, broken, ranks)
    statuses, said = difffake(command, ranks, partial(interrupted_at, 4 * calls + 1, "SIGKILL", "all"))
    assert statuses == [-signal.SIGKILL] * ranks, said
    step = torch.load(broken / "last.ckpt", weights_only=True)["global_step"]
    assert step == 4
    last = "group" if ranks == 1 else "1"  # one rank alone hears of it, and all stop after the same step
    stop = partial(interrupted_at, 2 * calls + 1, "SIGTERM", last)
    statuses, said = difffake([*command, "--resume"], ranks, stop)
    assert statuses[0] == 143, said
    step = torch.load(broken / "last.ckpt", weights_only=True)["global_step"]
    assert step == 7
    statuses, said = difffake([*command, "--resume"], ranks)
    assert statuses == [0] * ranks, said
    assert_same_runs(broken, whole)


def test_it_may_be_stopped_in_any_step(
    tiny_run: TinyRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of eight steps of one run, stopped in every one of them; also in the last of an epoch, before it is validated."""
    quick = ["--model.optimizer.name", "adamw", "--checkpoint_steps", "0"]
    assert main([*arguments(tiny_run, tmp_path / "whole", 1), *quick]) == 0
    step = DetectorTraining.training_step

    def interrupted(self: DetectorTraining, *batch: Any) -> torch.Tensor:
        os.kill(os.getpid(), signal.SIGTERM)
        return step(self, *batch)

    for number in range(8):
        with monkeypatch.context() as patch:
            patch.setattr(DetectorTraining, "training_step", interrupted)
            # The last step ends the run by itself.
            assert main([*arguments(tiny_run, tmp_path / "run", 1), *quick, "--resume"]) == (143 if number < 7 else 0)
        if number < 7:
            assert f"stopped by SIGTERM after step {number + 1}" in capsys.readouterr().err
    assert_same_runs(tmp_path / "run", tmp_path / "whole")


def test_a_broken_checkpoint_is_named_and_the_one_before_is_used(
    tiny_run: TinyRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, out = tmp_path / "whole", tmp_path / "run"
    assert main(arguments(tiny_run, whole, 1)) == 0
    shutil.copytree(whole, out)
    content = (out / "last.ckpt").read_bytes()
    (out / "last.ckpt").write_bytes(content[: len(content) // 2])
    assert torch.load(out / "previous.ckpt", weights_only=True)["global_step"] == 6
    assert main([*arguments(tiny_run, out, 1), "--resume"]) == 0
    said = "".join(capsys.readouterr().err.split())  # the terminal's lines may break anywhere
    assert "last.ckptisnotacompletecheckpoint" in said
    assert "continuingfromprevious.ckpt" in said
    assert_same_runs(out, whole)
    for foreign in (torch.ones(3), {"difffake_resume": [1]}):
        torch.save(foreign, out / "last.ckpt")
        assert main([*arguments(tiny_run, out, 1), "--resume"]) == 0
        assert "continuingfromprevious.ckpt" in "".join(capsys.readouterr().err.split())
    for name in ("last.ckpt", "previous.ckpt"):
        (out / name).write_bytes(content[:5000])
    assert main([*arguments(tiny_run, out, 1), "--resume"]) == 1
    assert "no readable previous.ckpt: start again with --overwrite" in capsys.readouterr().err


def test_a_run_folder_may_be_moved(tiny_run: TinyRun, tmp_path: Path) -> None:
    """It goes on as in its old place, and the best checkpoints so far stay the ones to beat."""
    whole, moved = tmp_path / "whole", tmp_path / "elsewhere" / "run"
    keep = ["--keep_checkpoints", "2"]
    assert main([*arguments(tiny_run, whole, 1), *keep]) == 0
    shutil.copytree(whole, moved)
    for out in (whole, moved):
        assert main([*arguments(tiny_run, out, 1), *keep, "--resume", "--trainer.max_epochs", "3"]) == 0
        aucs = pd.read_csv(out / "metrics.csv")["val/auc"].dropna().nlargest(2)
        kept = sorted(path.stem.partition("-auc")[2] for path in (out / "best").iterdir())
        assert kept == sorted(f"{auc:.4f}" for auc in aucs)
    assert_same_runs(moved, whole)
    callbacks = torch.load(moved / "last.ckpt", weights_only=True)["callbacks"].values()
    best = next(state for state in callbacks if Path(state.get("best_model_path", "")).name == "best.ckpt")
    assert best["best_model_path"] == str(moved / "best.ckpt")
    assert float(best["best_model_score"]) == pytest.approx(pd.read_csv(moved / "metrics.csv")["val/auc"].max())


def test_another_run_is_refused_and_nothing_is_lost(
    tiny_run: TinyRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Other batches, data or seed; and where there is nothing to go on from."""
    out = tmp_path / "run"
    command = [*arguments(tiny_run, out, 1), "--resume"]
    assert main(command) == 0
    table = pd.read_parquet(tiny_run.seen / "manifest.parquet")
    table["path"] = [(tiny_run.seen / path).as_posix() for path in table["path"]]
    other = tmp_path / "other.parquet"
    table.to_parquet(other)
    (out / "last.ckpt").unlink()  # as if killed between the two renamings
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    longer = [*command, "--trainer.max_epochs", "3"]
    for options, message in (
        (["--data.batch_size", "6"], "the run to resume had --data.batch_size 4, not 6: give the same"),
        (["--data.manifest", str(other)], "the run to resume had manifest (SHA-256)"),
        (["--seed_everything", "3"], "the run to resume had --seed_everything 0, not 3"),
        (["--trainer.precision", "bf16-mixed"], "the run to resume had --trainer.precision 32-true, not bf16-mixed"),
        (["--trainer.gradient_clip_val", "1"], "the run to resume had --trainer.gradient_clip_val None, not 1"),
        (["--data.augment.flip", "0"], "the run to resume had --data.augment.flip 0.5, not 0.0: give the same"),
    ):
        assert main([*longer, *options]) == 1
        assert message in capsys.readouterr().err
        assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert main(longer) == 0
    for name in ("last.ckpt", "previous.ckpt"):
        (out / name).unlink()
    assert main(longer) == 1
    assert "has checkpoints but no last.ckpt to resume from" in capsys.readouterr().err
    shutil.copy(out / "best.ckpt", out / "last.ckpt")
    assert main(longer) == 1
    assert "last.ckpt was not written by this version" in capsys.readouterr().err


def test_a_run_that_a_callback_has_ended_is_over(
    tiny_run: TinyRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    stopping = ["--trainer.callbacks+", "lightning.pytorch.callbacks.EarlyStopping"]
    stopping += ["--trainer.callbacks.monitor", "val/auc", "--trainer.callbacks.patience", "1"]
    stopping += ["--trainer.callbacks.mode", "max", "--trainer.callbacks.min_delta", "1"]
    command = [*arguments(tiny_run, out, 1), *stopping, "--trainer.max_epochs", "5", "--resume"]
    assert main(command) == 0
    assert torch.load(out / "last.ckpt", weights_only=True)["global_step"] == 8
    before = (out / "last.ckpt").read_bytes()
    assert main(command) == 0
    assert "there is nothing left to do" in " ".join(capsys.readouterr().err.split())
    assert (out / "last.ckpt").read_bytes() == before
    assert len((out / "timing.csv").read_text().splitlines()) == 1 + 2


def test_a_full_disk_leaves_the_last_good_checkpoint(tmp_path: Path) -> None:
    """A limit on the size of files stands for the full disk: both fail while the file is being written."""
    path = tmp_path / "last.ckpt"
    WholeCheckpoints().save_checkpoint({"weights": torch.ones(1000)}, path)
    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(OSError, match=r"last\.ckpt"):
            WholeCheckpoints().save_checkpoint({"weights": torch.ones(100_000)}, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, ignored)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["last.ckpt"]
