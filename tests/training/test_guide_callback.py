"""The callback that draws what the guide rebuilds: pictures come, and training does not notice."""

import sys
from pathlib import Path

import cv2
import pytest
import torch
from tiny import GuidedRun

from difffake.commands.main import main
from difffake.data.manifest import Manifest
from difffake.diffusion.latent_diffusion import LatentDiffusion
from difffake.diffusion.tiny import tiny_prompt, tiny_scheduler, tiny_unet, tiny_vae
from difffake.faces.images import read_image
from difffake.training.datamodule import FaceData
from difffake.training.guide_callback import GuideFigures, validation_faces

MODULE = "difffake.training.guide_callback"
CALLBACK = [
    "--trainer.callbacks", f"{MODULE}.GuideFigures", "--trainer.callbacks.every_n_epochs", "2",
    "--trainer.callbacks.steps", "2", "--trainer.callbacks.faces", "2",
]  # fmt: skip


def fit(run: GuidedRun, out: Path, *arguments: str) -> int:
    small = ["--data.batch_size", "4", "--data.workers", "0", "--data.latents", str(out.parent / "latents")]
    small += ["--model.image_size", "64", "--model.encoder", "resnet10t", "--model.weights", "none"]
    quick = ["--trainer.max_epochs", "3", "--trainer.limit_train_batches", "1", "--trainer.limit_val_batches", "6"]
    quick += [f"--trainer.enable_{part}=false" for part in ("progress_bar", "model_summary")]
    data = ["--data.manifest", str(run.seen), "--data.fakes", "manifest", "--model.optimizer.name", "adamw"]
    return main(["fit", *data, *small, *quick, "--out", str(out), *arguments])


def guided(run: GuidedRun) -> list[str]:
    return ["--model.regularizers.guide", "Guide", "--model.diffusion.name", str(run.diffusion)]


def test_training_goes_on_as_without_it_and_without_wandb(
    guided_run: GuidedRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Same weights, batch norms and optimizer state at the end: no random number drawn, no mode or gradient changed."""
    monkeypatch.delitem(sys.modules, MODULE)
    monkeypatch.setitem(sys.modules, "wandb", None)  # its import fails
    assert fit(guided_run, tmp_path / "with", *guided(guided_run), *CALLBACK) == 0
    assert fit(guided_run, tmp_path / "without", *guided(guided_run)) == 0
    ours, plain = (
        torch.load(tmp_path / name / "last.ckpt", weights_only=True)["state_dict"] for name in ("with", "without")
    )
    assert ours.keys() == plain.keys()
    assert all(torch.equal(ours[key], plain[key]) for key in ours)
    # After the second epoch, and at the end.
    names = [path.name for path in sorted((tmp_path / "with" / "figures").iterdir())]
    assert names == ["reconstructions-epoch-002.png", "reconstructions-epoch-003.png"]
    second, third = (cv2.imread(str(tmp_path / "with" / "figures" / name)) for name in names)
    assert second.shape == third.shape
    assert (second != third).any()  # another guide draws another picture
    assert not (tmp_path / "without" / "figures").exists()


def test_a_wandb_run_gets_the_pictures(guided_run: GuidedRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wandb = pytest.importorskip("wandb", reason="wandb is not installed")
    for name, value in {"MODE": "offline", "SILENT": "true", "CONSOLE": "off"}.items():
        monkeypatch.setenv(f"WANDB_{name}", value)
    for name in ("CONFIG", "CACHE", "DATA"):
        monkeypatch.setenv(f"WANDB_{name}_DIR", str(tmp_path))
    logger = ["--trainer.logger", "lightning.pytorch.loggers.WandbLogger", "--trainer.logger.save_dir", str(tmp_path)]
    try:
        assert fit(guided_run, tmp_path / "run", *guided(guided_run), *CALLBACK, *logger) == 0
    finally:
        wandb.finish()
        wandb.teardown()
    logged = sorted((tmp_path / "wandb").glob("offline-run-*/files/media/images/reconstructions_*.png"))
    drawn = sorted((tmp_path / "run" / "figures").iterdir())
    assert len(drawn) == 2
    assert sorted(path.read_bytes() for path in logged) == sorted(path.read_bytes() for path in drawn)


def test_a_run_without_a_guide_is_refused(
    guided_run: GuidedRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit(guided_run, tmp_path / "run", *CALLBACK) == 1
    assert "add --model.regularizers.guide" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_modes_of_parts_are_given_back() -> None:
    from difffake.training.guide_callback import _evaluating

    module = torch.nn.Sequential(torch.nn.Dropout(), torch.nn.BatchNorm1d(2)).train()
    module[1].eval()
    with pytest.raises(KeyError), _evaluating(module):
        assert not any(part.training for part in module.modules())
        raise KeyError
    assert [part.training for part in module.modules()] == [True, True, False]


@pytest.fixture(scope="module")
def diffusion() -> LatentDiffusion:
    return LatentDiffusion(tiny_vae(), tiny_unet(), tiny_scheduler(), tiny_prompt())


def test_faces_are_of_the_validation_split(guided_run: GuidedRun, diffusion: LatentDiffusion) -> None:
    # Crops are of 112 px, so they come unchanged.
    faces = validation_faces(FaceData(str(guided_run.seen), fakes="manifest", image_size=112), diffusion, 4)
    assert faces.names == ["alpha_swap", "alpha_swap", "faceswap", "faceswap", "real"]
    manifest = Manifest.read(guided_run.seen).select(split="val")
    crops = [read_image(manifest.file(row)) for row in range(len(manifest))]
    for kind in (faces.image, faces.source, faces.target):
        assert all(any((picture.permute(1, 2, 0).numpy() == crop).all() for crop in crops) for picture in kind)
    assert not torch.equal(faces.source[0], faces.target[0])


def test_pseudo_deepfakes_where_the_run_learns_from_them(guided_run: GuidedRun, diffusion: LatentDiffusion) -> None:
    faces = validation_faces(FaceData(str(guided_run.seen), fakes="pseudo", image_size=64), diffusion, 3)
    assert faces.names == ["pseudo"] * 3 + ["real"]
    assert torch.equal(faces.image[3], faces.source[3])
    assert torch.equal(faces.image[3], faces.target[3])
    for fake in range(3):
        # A pseudo-deepfake is its target but where its source is blended in.
        assert (faces.image[fake] == faces.target[fake]).float().mean() > 0.1
        assert not torch.equal(faces.image[fake], faces.target[fake])
        assert not torch.equal(faces.source[fake], faces.target[fake])


def test_settings_below_one_are_refused() -> None:
    from difffake.errors import UserError

    with pytest.raises(UserError, match="every_n_epochs"):
        GuideFigures(every_n_epochs=0)
