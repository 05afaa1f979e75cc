"""Runs of `difffake fit` with noise learning: alone, beside the guide, with each source of noise; and their figures."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import timm
import torch
from safetensors.torch import load_file
from tiny import GuidedRun

from difffake.commands.main import main
from difffake.data.batches import to_tensors, to_unit
from difffake.faces.images import read_image
from difffake.models.checkpoint import load_detector
from difffake.models.saliency import coverage
from difffake.regularizers.noise_learning.noise_learning import NoiseLearning
from difffake.regularizers.noise_learning.teacher import teacher_noise
from difffake.regularizers.saved import REGULARIZERS, load_regularizers

NOISE = ["--model.regularizers.noise_learning", "NoiseLearning"]
ANL = [*NOISE, "--model.regularizers.noise_learning.timesteps", "[50,200]"]
GUIDE = ["--model.regularizers.guide", "Guide"]


def fit(run: GuidedRun, out: Path, *more: str, manifest: Path | None = None) -> int:
    data = ["--data.manifest", str(manifest or run.seen), "--data.fakes", "manifest"]
    data += ["--data.latents", str(out.parent / "latents"), "--data.batch_size", "8", "--data.workers", "0"]
    model = ["--model.encoder", "resnet10t", "--model.weights", "none", "--model.optimizer.name", "adamw"]
    model += ["--model.image_size", "64", "--model.diffusion.name", str(run.diffusion)]
    quick = ["--trainer.max_epochs", "1", "--trainer.limit_train_batches", "3"]
    quick += [f"--trainer.enable_{part}=false" for part in ("progress_bar", "model_summary")]
    return main(["fit", *data, *model, *quick, "--out", str(out), *more])


def logged(folder: Path) -> dict[str, float]:
    """The last value of each column."""
    metrics = pd.read_csv(folder / "metrics.csv")
    return {name: float(metrics[name].dropna().iloc[-1]) for name in metrics.columns}


@pytest.fixture(scope="module")
def alone(guided_run: GuidedRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with noise learning and no guide."""
    out = tmp_path_factory.mktemp("alone") / "run"
    assert fit(guided_run, out, *ANL) == 0
    return out


def test_losses_are_logged_and_add_up(alone: Path) -> None:
    found = logged(alone)
    parts = [found[f"train/{name}"] for name in ("classification", "noise_learning_noise", "noise_learning_attention")]
    assert all(0 < part < 10 for part in parts)
    assert found["train/loss_epoch"] == pytest.approx(sum(parts), rel=1e-5)
    assert not any("guide" in name for name in found)
    assert 0 < found["val/coverage"] <= 1


def test_coverage_is_the_mean_over_validation_faces(alone: Path, guided_run: GuidedRun) -> None:
    detector, _ = load_detector(alone / "last.ckpt")
    table = pd.read_parquet(guided_run.seen / "manifest.parquet")
    faces = to_tensors([read_image(guided_run.seen / path) for path in table["path"][table["split"] == "val"]], 64)
    with torch.no_grad():
        wanted = coverage(detector(to_unit(faces)).features).mean().item()
    assert logged(alone)["val/coverage"] == pytest.approx(wanted, abs=1e-5)


def test_noise_is_cached_beside_the_latents_it_is_of(alone: Path, guided_run: GuidedRun) -> None:
    detector, _ = load_detector(alone / "best.ckpt")
    regularizers, teacher = load_regularizers(alone / "best.ckpt", detector)
    learning, diffusion = regularizers["noise_learning"], teacher.diffusion
    assert isinstance(learning, NoiseLearning)
    assert learning.timesteps == (50, 200)
    folder = alone.parent / "latents"
    latents = load_file(folder / "000000.safetensors")["latents"].float()
    noise = load_file(folder / "noise_learning.noise" / "000000.safetensors")["latents"].float()
    assert noise.shape == (len(latents), 2, 2 * 4, 8, 8)
    wanted = teacher_noise(diffusion, latents[3], (50, 200)).flatten(1, 2)  # as it is, and mirrored
    torch.testing.assert_close(noise[3], wanted, rtol=1e-2, atol=1e-3)


def test_noise_predicted_at_every_step_gives_the_same_losses(
    alone: Path, guided_run: GuidedRun, tmp_path: Path
) -> None:
    """But for the half precision of what is cached."""
    assert fit(guided_run, tmp_path / "run", *ANL, "--data.latents", "none") == 0
    assert logged(tmp_path / "run") == pytest.approx(logged(alone), rel=1e-2)
    assert not (tmp_path / "latents").exists()


def test_noise_of_other_settings_is_refused(
    guided_run: GuidedRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("one", "two"):
        code = fit(guided_run, tmp_path / name, *NOISE, f"{NOISE[0]}.timesteps", "[50]" if name == "one" else "[51]")
        assert code == (0 if name == "one" else 1)
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert "latents/noise_learning.noise has latents of another model or other settings: delete it" in line


def test_guide_and_noise_learning_share_one_pass_and_one_latent(guided_run: GuidedRun, tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert fit(guided_run, out, *GUIDE, *ANL) == 0
    found = logged(out)
    names = ["classification", "noise_learning_noise", "noise_learning_attention"]
    names += [f"guide_{name}" for name in ("source", "target", "source_weight", "target_weight")]
    total = sum(found[f"train/{name}"] for name in names) - 0.3 * found["train/guide_source"]
    assert found["train/loss_epoch"] == pytest.approx(total, rel=1e-5)
    regularizers, _ = load_regularizers(out / "best.ckpt", load_detector(out / "best.ckpt")[0])
    assert list(regularizers) == ["guide", "noise_learning"]
    # The noises and steps that the guide gets do not depend on what stands beside it: its first loss is the same.
    alone = logged(guided_run.folder)
    assert found["train/guide_source"] == pytest.approx(alone["train/guide_source"], rel=0.05)


@pytest.mark.parametrize(
    "options",
    [
        ["noise_source", "ddim_inversion", "inversion_steps", "2"],
        ["noise_source", "injected"],
        ["lambda_noise", "0"],
        ["lambda_attention", "0"],
        ["--data.fakes", "pseudo"],
        ["--data.fakes", "both", *GUIDE, f"{GUIDE[0]}.weight", "none"],
    ],
)
def test_every_variant_trains(guided_run: GuidedRun, tmp_path: Path, options: list[str]) -> None:
    own = [name if name.startswith("--") else f"{NOISE[0]}.{name}" for name in options[::2]]
    options = [part for pair in zip(own, options[1::2], strict=True) for part in pair]
    assert fit(guided_run, tmp_path / "run", *NOISE, *options) == 0
    assert 0 < logged(tmp_path / "run")["train/noise_learning_noise"] < 10
    kept = torch.load(tmp_path / "run" / "last.ckpt", weights_only=True)["state_dict"]
    assert all(value.isfinite().all() for value in kept.values() if value.is_floating_point())


def test_fakes_without_partners_are_as_good_as_others(guided_run: GuidedRun, tmp_path: Path) -> None:
    """A guide would refuse them; noise learning looks at the image alone."""
    table = pd.read_parquet(guided_run.seen / "manifest.parquet")
    table["path"] = [(guided_run.seen / path).as_posix() for path in table["path"]]
    table.loc[table["label"] == 1, ["source", "target"]] = ""
    (tmp_path / "data").mkdir()
    table.to_parquet(tmp_path / "data" / "manifest.parquet")
    assert fit(guided_run, tmp_path / "run", *ANL, manifest=tmp_path / "data") == 0


def test_a_timestep_beyond_the_schedule_is_refused(
    guided_run: GuidedRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit(guided_run, tmp_path / "run", *NOISE, f"{NOISE[0]}.timesteps", "[1000]") == 2
    assert "ends at 999" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_run_goes_on_with_the_same_regularisers_only(
    alone: Path, guided_run: GuidedRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = Path(shutil.copytree(alone, tmp_path / "run"))
    shutil.copytree(alone.parent / "latents", tmp_path / "latents")
    longer = ["--resume", "--trainer.max_epochs", "2"]
    assert fit(guided_run, out, *longer) == 1
    assert "was trained with the regularizer noise_learning" in capsys.readouterr().err
    assert fit(guided_run, out, *GUIDE, *ANL, *longer) == 1
    assert "was trained without the regularizer guide: leave out --model.regularizers.guide" in capsys.readouterr().err
    assert fit(guided_run, out, *ANL, *longer) == 0
    assert torch.load(out / "last.ckpt", weights_only=True)["global_step"] == 6


def test_what_is_deployed_is_the_plain_detector(alone: Path, tmp_path: Path) -> None:
    """timm's network and a head, without diffusers; nothing of student or teacher is loaded."""
    script = (
        "import sys\n"
        "sys.modules['diffusers'] = sys.modules['transformers'] = None\n"
        "from difffake.models.checkpoint import load_detector\n"
        f"detector, _ = load_detector({str(alone / 'best.ckpt')!r})\n"
        "parts = {name.split('.')[0] for name in detector.state_dict()}\n"
        "print(sum(p.numel() for p in detector.parameters()), *sorted(parts))\n"
    )
    out = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    count, *names = out.stdout.split()
    plain = timm.create_model("resnet10t", num_classes=1)
    assert int(count) == sum(parameter.numel() for parameter in plain.parameters())
    assert names == ["encoder", "head"]


def test_figures_show_noise_and_coverage(alone: Path, guided_run: GuidedRun, tmp_path: Path) -> None:
    command = ["figures", "--ckpt", str(alone / "best.ckpt"), "--manifest", str(guided_run.seen)]
    assert main([*command, "--out", str(tmp_path / "out"), "--workers", "0", "--faces", "2"]) == 0
    names = {path.name for path in (tmp_path / "out").iterdir()}
    drawn = ("noise", "coverage", "embeddings", "activation_maps", "failures")
    assert names == {"figures.json", ".difffake", *(f"{name}.{kind}" for name in drawn for kind in ("png", "svg"))}
    for path in (tmp_path / "out").glob("*.png"):
        assert len(np.unique(cv2.imread(str(path)))) > 20
    rows = json.loads((tmp_path / "out" / "figures.json").read_text())["coverage"]
    detector, _ = load_detector(alone / "best.ckpt")
    table = pd.read_parquet(guided_run.seen / "manifest.parquet").query("split == 'test'")
    assert [row["method"] for row in rows] == ["real", *sorted(set(table["method"]) - {"real"})]
    for row in rows:
        part = table[table["method"] == row["method"]]
        faces = to_tensors([read_image(guided_run.seen / path) for path in part["path"]], 64)
        with torch.no_grad():
            wanted = coverage(detector(to_unit(faces)).features)
        assert row["faces"] == len(part)
        assert row["mean"] == pytest.approx(wanted.mean().item(), abs=1e-5)


def test_a_plain_run_logs_its_coverage_and_has_no_such_figures(
    alone: Path, guided_run: GuidedRun, tmp_path: Path
) -> None:
    assert fit(guided_run, tmp_path / "run") == 0
    assert 0 < logged(tmp_path / "run")["val/coverage"] <= 1
    ckpt = tmp_path / "run" / "best.ckpt"
    assert REGULARIZERS not in torch.load(ckpt, weights_only=True)
    assert main(["figures", "--ckpt", str(ckpt), "--manifest", str(guided_run.seen), "--out", str(tmp_path / "o")]) == 0
    drawn = {path.stem for path in (tmp_path / "o").glob("*.png")}
    assert drawn == {"embeddings", "activation_maps", "failures"}
