"""`pretrain-guide --autoencoder taef2`: a model in TAEF2's latent space that loads, and that regularizers can use."""

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from difffake.commands.main import main
from difffake.data.batches import to_tensors, to_unit
from difffake.data.drawn import DrawnDataset, write_drawn_faces
from difffake.data.manifest import Manifest
from difffake.diffusion import pretrain as module
from difffake.diffusion import pretrain_taef2
from difffake.diffusion.autoencoder import StandardTaef2
from difffake.diffusion.latent_diffusion import LatentDiffusion
from difffake.diffusion.load import DiffusionConfig, load_autoencoder, load_diffusion
from difffake.diffusion.pretrain import Settings, train_unet
from difffake.diffusion.taef2 import VARIABLE, load_taef2
from difffake.diffusion.teacher import Teacher
from difffake.drawn.people import STUDIO
from difffake.errors import UserError
from difffake.faces.images import read_image
from difffake.models.encoder import Encoder
from difffake.regularizers.guide.guide import Guide
from difffake.regularizers.noise_learning.noise_learning import NoiseLearning

STEPS = 40


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two manifests: four people to learn from and one to measure with, and two more to learn from."""
    root = tmp_path_factory.mktemp("faces")
    first = write_drawn_faces(root / "a", DrawnDataset("a", STUDIO, (4, 1, 0), 1, 3), seed=5, workers=1)
    return [first, write_drawn_faces(root / "b", DrawnDataset("b", STUDIO, (2, 0, 0), 1, 3), seed=6, workers=1)]


@pytest.fixture(scope="module")
def trained(shared_data: Path, faces: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that was trained for `STEPS` steps."""
    weights = shared_data.parent / "models"
    if not (weights / "taef2_encoder.safetensors").is_file():
        pytest.skip(f"no weights of TAEF2 in {weights}")
    root = tmp_path_factory.mktemp("taef2")
    steps = module.ddim_steps
    options = {"image-size": 64, "unet-steps": STEPS, "batch-size": 8, "workers": 0, "latents": root / "latents"}

    def train(folder: Path, diffusion: LatentDiffusion, latents: Tensor, settings: Settings) -> None:
        deviation, mean = torch.std_mean(latents, dim=(0, 2, 3))  # what the schedule of the noise expects
        torch.testing.assert_close((mean, deviation), (torch.zeros(32), torch.ones(32)), atol=1e-4, rtol=0)
        train_unet(folder, diffusion, latents, settings)

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, str(weights))
        patch.setattr(pretrain_taef2, "train_unet", train)
        patch.setattr(module, "ddim_steps", lambda diffusion, count: steps(diffusion, 4))
        arguments = [part for name, value in options.items() for part in (f"--{name}", str(value))]
        command = ["pretrain-guide", "--autoencoder", "taef2", "--out", str(root / "model"), "--device", "cpu"]
        assert main([*command, "--manifest", *map(str, faces), *arguments]) == 0
    assert len([*(root / "latents").rglob("*.safetensors")]) == 2  # a shard per manifest
    return root / "model"


def test_latents_of_training_faces_are_standardized_per_channel(trained: Path, faces: list[Path]) -> None:
    """As the noise schedule expects; mirrored faces are training faces as well."""
    diffusion = load_diffusion(DiffusionConfig(str(trained)))
    assert (diffusion.scale, diffusion.channels, diffusion.unet.config["sample_size"]) == (8, 32, 8)
    parts = [Manifest.read(path).select(split="train") for path in faces]
    images = [read_image(part.file(row)) for part in parts for row in range(len(part))]
    assert len(images) == 18
    unit = to_unit(to_tensors(images, 64))
    deviation, mean = torch.std_mean(diffusion.encode(torch.cat([unit, unit.flip(3)])), dim=(0, 2, 3))
    torch.testing.assert_close(mean, torch.zeros(32), atol=0.02, rtol=0)
    torch.testing.assert_close(deviation, torch.ones(32), atol=0.02, rtol=0)


def test_the_loss_falls_and_the_model_is_measured(trained: Path) -> None:
    facts = json.loads((trained / "training.json").read_text())
    assert (facts["faces"], facts["held_out_faces"], facts["autoencoder"]) == (18, 3, "taef2")
    assert facts["noise_mse"] < 0.95  # predicting zero gives 1
    assert facts["vae_psnr_db"] > 25
    assert read_image(trained / "samples.png").shape == (4 * 64, 3 * 64, 3)
    assert not [path for path in trained.rglob("*") if path.suffix == ".state"]


def test_its_autoencoder_is_taef2_and_serves_twins_too(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = load_autoencoder(str(trained))
    assert isinstance(model, StandardTaef2)
    plain = load_taef2(trained / "vae").to(memory_format=torch.channels_last)
    images = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        found, wanted = model.decode(model.encode(images)), plain.decode(plain.encode(images))
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=0)
    monkeypatch.setenv(VARIABLE, "")
    (trained / "vae" / "config.json").rename(trained / "vae" / "kept.json")
    try:
        (trained / "vae" / "config.json").write_text('{"_class_name": "Taef2", "mean": [0]}')
        with pytest.raises(UserError, match="cannot be read"):
            load_diffusion(DiffusionConfig(str(trained)))
    finally:
        (trained / "vae" / "kept.json").replace(trained / "vae" / "config.json")


def test_guide_and_noise_learning_take_its_latents(trained: Path) -> None:
    encoder = Encoder("resnet10t", image_size=64, feature_stride=16)
    teacher = Teacher(DiffusionConfig(str(trained)))
    diffusion, features = teacher.diffusion, torch.rand(2, encoder.channels, 4, 4)
    guide, learning = Guide(encoder, teacher), NoiseLearning(encoder, teacher)
    assert guide.needs.draws["noise"].shape == (2, 32, 8, 8)
    found = guide.conditions(features, (8, 8))
    noisy, step = torch.rand(2, 32, 8, 8), torch.tensor([10, 500])
    predicted = guide.predict_noise(diffusion, noisy, step, found.source, found.source_weight)
    torch.testing.assert_close(predicted, diffusion.predict_noise(noisy, step))  # before the first step
    assert learning.predict(features, (8, 8)).shape == (2, 1, 32, 8, 8)
    assert learning.student.finer == 2
