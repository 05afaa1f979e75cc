"""Guided runs of `difffake fit`: what is logged, saved, resumed and refused, while the frozen model stays as it is."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from tiny import GuidedRun

from difffake.commands.main import main
from difffake.diffusion import teacher
from difffake.diffusion.latent_diffusion import LatentDiffusion
from difffake.diffusion.load import DiffusionConfig, load_diffusion
from difffake.models.checkpoint import load_detector
from difffake.regularizers.guide.guide import Guide
from difffake.regularizers.noise_learning.teacher import teacher_noise
from difffake.training.module import DetectorTraining

LOSSES = ["classification", "guide_source", "guide_target", "guide_source_weight", "guide_target_weight"]


def arguments(run: GuidedRun, out: Path) -> list[str]:
    """Those of the fixture's own run, but for the latents, which are cached beside the run folder."""
    data = ["--data.manifest", str(run.seen), "--data.fakes", "manifest", "--data.latents", str(out.parent / "latents")]
    data += ["--data.batch_size", "8", "--data.workers", "0", "--model.image_size", "64"]
    model = ["--model.encoder", "resnet10t", "--model.weights", "none", "--model.optimizer.name", "adamw"]
    model += ["--model.regularizers.guide", "Guide", "--model.diffusion.name", str(run.diffusion)]
    quick = ["--trainer.max_epochs", "1", "--trainer.limit_train_batches", "3"]
    quick += [f"--trainer.enable_{part}=false" for part in ("progress_bar", "model_summary")]
    return ["fit", *data, *model, *quick, "--out", str(out)]


def fit(run: GuidedRun, out: Path, *more: str) -> int:
    return main([*arguments(run, out), *more])


def losses(folder: Path) -> dict[str, float]:
    """Of the only epoch, by name."""
    metrics = pd.read_csv(folder / "metrics.csv")
    return {name: float(metrics[f"train/{name}"].dropna().item()) for name in LOSSES}


def weights(checkpoint: Path) -> dict[str, torch.Tensor]:
    return dict(torch.load(checkpoint, weights_only=True)["state_dict"])


def copied(run: GuidedRun, folder: Path, change: Callable[[pd.DataFrame], None]) -> Path:
    """The same manifest in another folder, changed; without the table of forgeries, so it alone names partners."""
    table = pd.read_parquet(run.seen / "manifest.parquet")
    table["path"] = [(run.seen / path).as_posix() for path in table["path"]]
    change(table)
    folder.mkdir()
    table.to_parquet(folder / "manifest.parquet")
    return folder


def refusal(capsys: pytest.CaptureFixture[str]) -> str:
    """The only line that says why, which has no traceback around it."""
    error = capsys.readouterr().err
    assert "Traceback" not in error
    (line,) = [line for line in error.splitlines() if line.startswith("difffake fit: ")]
    assert error.strip().splitlines()[-1] == line
    return line


def test_all_five_losses_are_logged_by_name_and_add_up(guided_run: GuidedRun) -> None:
    found = losses(guided_run.folder)
    assert all(0 < value < 10 for value in found.values())
    total = pd.read_csv(guided_run.folder / "metrics.csv")["train/loss_epoch"].dropna().item()
    # The weights of the paper: 0.7 for the source, 1 for all else.
    assert total == pytest.approx(sum(found.values()) - 0.3 * found["guide_source"], rel=1e-5)


def test_the_checkpoint_holds_detector_and_guide_but_nothing_frozen(guided_run: GuidedRun) -> None:
    saved = weights(guided_run.ckpt)
    assert {name.split(".")[0] for name in saved} == {"detector", "regularizers"}
    diffusion = load_diffusion(DiffusionConfig(str(guided_run.diffusion)))
    # The guide's copy of the encoder has been trained; the frozen decoder and VAE are nowhere, under any name.
    assert not any("up_blocks" in name or "decoder" in name or "vae" in name for name in saved)
    size = sum(value.numel() for name, value in saved.items() if name.startswith("regularizers.guide.copy."))
    assert size < sum(value.numel() for value in diffusion.unet.state_dict().values())


def test_the_frozen_model_stays_as_it_was_also_under_sam(
    guided_run: GuidedRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bit for bit, in eval mode and without gradients, while the guide learns."""
    seen: list[LatentDiffusion] = []

    def kept(config: DiffusionConfig, seed: int = 0) -> LatentDiffusion:
        seen.append(load_diffusion(config, seed))
        return seen[-1]

    monkeypatch.setattr(teacher, "load_diffusion", kept)
    assert fit(guided_run, tmp_path / "run", "--model.optimizer.name", "sam") == 0
    (diffusion,) = seen
    assert diffusion.fingerprint() == load_diffusion(DiffusionConfig(str(guided_run.diffusion))).fingerprint()
    for frozen in (diffusion.vae, diffusion.unet):
        assert not any(part.training for part in frozen.modules())
        assert not any(value.requires_grad or value.grad is not None for value in frozen.parameters())
    saved = weights(tmp_path / "run" / "last.ckpt")
    zero_at_first = [
        value for name, value in saved.items() if name.startswith("regularizers.guide.copy.controlnet_down_blocks")
    ]
    assert zero_at_first
    assert all(value.isfinite().all() for value in saved.values())
    assert any(value.any() for value in zero_at_first)
    assert all(0 < value < 10 for value in losses(tmp_path / "run").values())


def test_train_mode_is_for_detector_and_guide_alone(guided_run: GuidedRun) -> None:
    config = DiffusionConfig(str(guided_run.diffusion))
    training = DetectorTraining("resnet10t", "none", 64, regularizers={"guide": Guide}, diffusion=config).eval().train()
    guide, diffusion = training.regularizers["guide"], training.teacher.diffusion
    assert isinstance(guide, Guide)
    assert guide.copy.training
    assert not diffusion.unet.training
    assert not diffusion.vae.training
    frozen = {id(part) for part in (*diffusion.unet.parameters(), *diffusion.vae.parameters())}
    assert not frozen & {id(part) for part in training.parameters()}


def test_a_run_goes_on_with_the_same_diffusion_model_only(
    guided_run: GuidedRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = Path(shutil.copytree(guided_run.folder, tmp_path / "run"))
    shutil.copytree(guided_run.folder.parent / "latents", tmp_path / "latents")
    longer = ["--resume", "--trainer.max_epochs", "2"]
    before = {path.name: path.read_bytes() for path in out.iterdir() if path.name != ".difffake"}
    # The same VAE, so that the cached latents fit, and another U-Net.
    assert fit(guided_run, out, *longer, "--model.diffusion.pretrained=false") == 1
    line = refusal(capsys)
    assert "used another diffusion model" in line
    assert str(guided_run.diffusion) in line
    # A refused run leaves everything as it was: config.yaml still says how the run was made.
    assert {path.name: path.read_bytes() for path in out.iterdir() if path.name != ".difffake"} == before
    assert fit(guided_run, out, *longer) == 0
    assert torch.load(out / "last.ckpt", weights_only=True)["global_step"] == 6
    load_detector(out / "best.ckpt")


def test_a_guided_run_does_not_go_on_without_its_guide(
    guided_run: GuidedRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = Path(shutil.copytree(guided_run.folder, tmp_path / "run"))
    assert fit(guided_run, out, "--resume", "--model.regularizers", "null") == 1
    assert "was trained with the regularizer guide" in refusal(capsys)


TWO_RANKS = """
import os
import sys
from pathlib import Path

from difffake.commands.main import main
from difffake.diffusion import cache
from difffake.diffusion import fill

cache.SHARD = fill.SHARD = 32
write = cache.LatentCache.write


def noted(this, rows, latents):
    write(this, rows, latents)
    (Path(sys.argv[0]).parent / f"{rows.start}-by-{os.environ.get('LOCAL_RANK', '0')}").touch()


cache.LatentCache.write = noted
if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
"""


def test_two_ranks_train_with_guide_and_noise_learning_and_fill_the_caches_together(
    guided_run: GuidedRun, tmp_path: Path
) -> None:
    """Gloo on the CPU; shards of 32 faces, each computed by one rank, of latents and then of noise."""
    script = tmp_path / "train.py"
    script.write_text(TWO_RANKS)
    ranks = ["--trainer.accelerator", "cpu", "--trainer.devices", "2", "--trainer.strategy", "ddp"]
    ranks += ["--trainer.limit_train_batches", "2", "--model.regularizers.noise_learning", "NoiseLearning"]
    command = [sys.executable, str(script), *arguments(guided_run, tmp_path / "run"), *ranks]
    subprocess.run(command, check=True, capture_output=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    table = pd.read_parquet(guided_run.seen / "manifest.parquet")
    starts = range(0, int((table["split"] == "train").sum()), 32)
    assert len(starts) > 1
    assert sorted(path.name for path in tmp_path.glob("*-by-*")) == sorted(f"{s}-by-{s // 32 % 2}" for s in starts)
    # The same latents as one rank computed, in shards of another size.
    ours, theirs = (
        torch.cat([load_file(path)["latents"] for path in sorted(folder.glob("*.safetensors"))])
        for folder in (tmp_path / "latents", guided_run.folder.parent / "latents")
    )
    torch.testing.assert_close(ours, theirs, rtol=2e-3, atol=2e-3)
    diffusion = load_diffusion(DiffusionConfig(str(guided_run.diffusion)))
    noise = [
        load_file(path)["latents"]
        for path in sorted((tmp_path / "latents" / "noise_learning.noise").glob("*.safetensors"))
    ]
    wanted = teacher_noise(diffusion, ours.float().flatten(0, 1), [50])[:, 0]
    torch.testing.assert_close(torch.cat(noise).float().flatten(0, 1), wanted, rtol=1e-2, atol=1e-3)
    assert all(0 < value < 10 for value in losses(tmp_path / "run").values())
    saved = weights(tmp_path / "run" / "last.ckpt")
    assert any(value.any() for name, value in saved.items() if "controlnet_down_blocks" in name)
    load_detector(tmp_path / "run" / "best.ckpt")


def test_fakes_without_partners_have_nothing_to_guide_by(
    guided_run: GuidedRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def forget(table: pd.DataFrame) -> None:
        table.loc[table["label"] == 1, "source"] = ""

    manifest = copied(guided_run, tmp_path / "data", forget)
    assert fit(guided_run, tmp_path / "run", "--data.manifest", str(manifest)) == 1
    line = refusal(capsys)
    assert f"no fake of {manifest} has a source and a target" in line
    assert not (tmp_path / "run").exists()
    assert not (tmp_path / "latents").exists()


def test_fakes_without_partners_among_others_are_counted(
    guided_run: GuidedRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    counts = {}

    def forget_some(table: pd.DataFrame) -> None:
        fakes = table.index[(table["label"] == 1) & (table["split"] == "train")]
        table.loc[fakes[:5], "source"] = ""
        table.loc[fakes[5:7], "source"] = "nobody"
        counts["fakes"] = len(fakes)

    manifest = copied(guided_run, tmp_path / "data", forget_some)
    quick = ["--trainer.limit_train_batches", "1"]
    assert fit(guided_run, tmp_path / "run", "--data.manifest", str(manifest), *quick) == 0
    said = " ".join(capsys.readouterr().err.split())
    assert f"7 of {counts['fakes']} training fakes have no source or no target" in said


def test_latents_computed_at_every_step_give_the_same_losses_as_cached_ones(
    guided_run: GuidedRun, tmp_path: Path
) -> None:
    """Cached ones are rounded to half precision; each loss is within 1% after three steps."""
    assert fit(guided_run, tmp_path / "run", "--data.latents", "none") == 0
    found, wanted = losses(tmp_path / "run"), losses(guided_run.folder)
    assert found == pytest.approx(wanted, rel=1e-2)
    assert not (tmp_path / "latents").exists()


def test_an_image_size_that_latents_do_not_divide_is_refused(
    guided_run: GuidedRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit(guided_run, tmp_path / "run", "--model.image_size", "60") == 1
    assert "--model.image_size 60 must be a multiple of 8" in refusal(capsys)
    assert not (tmp_path / "run").exists()
    assert not (tmp_path / "latents").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--model.regularizers.guide.lambda_source", "5"], "--model.regularizers.guide.lambda_source 0.7, not 5"),
        (["--model.regularizers.guide.weight", "none"], "--model.regularizers.guide.weight linear, not none"),
        (["--model.encoder", "resnet18"], "--model.encoder resnet10t, not resnet18"),
    ],
)
def test_a_run_does_not_go_on_with_other_settings(
    guided_run: GuidedRun, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], words: str
) -> None:
    out = Path(shutil.copytree(guided_run.folder, tmp_path / "run"))
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    assert fit(guided_run, out, "--resume", "--trainer.max_epochs", "2", *options) == 1
    assert words in refusal(capsys)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


@pytest.mark.parametrize(
    ("options", "status", "words"),
    [
        (["--model.regularizers.guide.lambda_source=-1"], 2, "lambda_source and lambda_target must be at least 0"),
        (["--trainer.precision", "bf16-true"], 2, "bf16-true is not supported: use bf16-mixed"),
        (["--data.latents", "README"], 1, "README is a file: choose another folder for latents"),
    ],
)
def test_options_that_cannot_be_are_refused_and_leave_nothing(
    guided_run: GuidedRun,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    status: int,
    words: str,
) -> None:
    (tmp_path / "README").touch()
    options = [str(tmp_path / "README") if option == "README" else option for option in options]
    assert fit(guided_run, tmp_path / "run", *options) == status
    assert words in refusal(capsys)
    assert not (tmp_path / "run").exists()


def test_a_run_does_not_replace_what_it_reads(
    guided_run: GuidedRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("data", "model"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "kept").touch()
    for option, name in (("--data.manifest", "data"), ("--model.diffusion.name", "model")):
        assert fit(guided_run, tmp_path / name, "--overwrite", option, str(tmp_path / name)) == 1
        assert "would replace" in refusal(capsys)
        assert (tmp_path / name / "kept").exists()


def test_a_diffusion_model_that_teaches_nothing_is_noted(
    guided_run: GuidedRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit(guided_run, tmp_path / "run", "--model.regularizers", "null") == 0
    assert "no regularizer asks for a frozen model" in " ".join(capsys.readouterr().err.split())
