"""The even map as a control: the loss against SciPy, its gradient, and a run of `difffake fit`."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import entropy
from taught import found_losses, made, values, weights
from tiny import TinyRun

from difffake.commands.main import main
from difffake.diffusion.latent_diffusion import LatentDiffusion
from difffake.diffusion.tiny import tiny_prompt, tiny_scheduler, tiny_unet, tiny_vae
from difffake.errors import UserError
from difffake.models.saliency import coverage
from difffake.regularizers.base import Needs
from difffake.regularizers.even_attention import EvenAttention


@pytest.fixture(scope="module")
def diffusion() -> LatentDiffusion:
    return LatentDiffusion(tiny_vae(), tiny_unet(), tiny_scheduler(), tiny_prompt())


def test_the_loss_is_scipys_divergence_from_an_even_map(diffusion: LatentDiffusion) -> None:
    features = torch.randn(3, 24, 5, 7, generator=torch.Generator().manual_seed(0))
    energy = (features.double().numpy() ** 2).mean(1).reshape(3, -1)
    even = np.full(35, 1 / 35)
    wanted = np.mean([entropy(even, row / row.sum()) for row in energy])
    part = made(EvenAttention, diffusion, 24, weight=0.3)
    found = found_losses(part, features)
    assert values(found)["even"].item() == pytest.approx(wanted, rel=1e-4)
    assert weights(found) == {"even": 0.3}
    assert values(found_losses(part, torch.ones(2, 24, 4, 4)))["even"].item() == pytest.approx(0, abs=1e-6)


def test_descent_spreads_the_saliency(diffusion: LatentDiffusion) -> None:
    features = torch.randn(4, 24, 4, 4, generator=torch.Generator().manual_seed(1))
    features[:, :, 1, 2] *= 6
    features.requires_grad_(True)
    part = made(EvenAttention, diffusion, 24)
    values(found_losses(part, features))["even"].backward()
    assert features.grad is not None
    moved = (features - 0.5 * features.grad).detach()
    assert (coverage(moved) > coverage(features)).all()


def test_it_needs_nothing_of_the_data_or_a_teacher(tiny_run: TinyRun, tmp_path: Path) -> None:
    arguments = {
        "data.manifest": tiny_run.seen, "data.batch_size": 8, "data.workers": 0, "model.encoder": "resnet10t",
        "model.weights": "none", "model.image_size": 64, "model.regularizers.even_attention": "EvenAttention",
        "model.regularizers.even_attention.weight": 0.5, "model.optimizer.name": "adamw", "trainer.max_epochs": 1,
        "trainer.limit_train_batches": 2, "trainer.enable_progress_bar": "false", "out": tmp_path / "run",
    }  # fmt: skip
    assert main(["fit", *(part for name, value in arguments.items() for part in (f"--{name}", str(value)))]) == 0
    metrics = pd.read_csv(tmp_path / "run" / "metrics.csv")
    even, classification, total = (
        metrics[f"train/{name}"].dropna().item() for name in ("even_attention_even", "classification", "loss_epoch")
    )
    assert even > 0
    assert total == pytest.approx(classification + 0.5 * even, rel=1e-5)
    saved = torch.load(tmp_path / "run" / "best.ckpt", weights_only=True)
    assert saved["regularizers"]["diffusion"] is None
    settings = saved["regularizers"]["parts"]["even_attention"]
    assert settings["class_path"] == "difffake.regularizers.even_attention.EvenAttention"
    assert settings["init_args"] == {"weight": 0.5}


def test_a_weight_of_nothing_is_refused(diffusion: LatentDiffusion) -> None:
    assert made(EvenAttention, diffusion, 24).needs == Needs()
    with pytest.raises(UserError, match="above 0"):
        made(EvenAttention, diffusion, 24, weight=0)
