"""Losses of noise learning against NumPy and SciPy, where their gradients go, and that a student can learn."""

from math import log

import numpy as np
import pytest
import torch
from scipy.special import softmax
from scipy.stats import entropy
from taught import found_losses, made, values, weights
from torch import Tensor

from difffake.diffusion.latent_diffusion import LatentDiffusion
from difffake.diffusion.teacher import Teacher
from difffake.diffusion.tiny import tiny_prompt, tiny_scheduler, tiny_unet, tiny_vae
from difffake.errors import UserError
from difffake.models.encoder import Encoder
from difffake.models.saliency import coverage, log_saliency
from difffake.regularizers.noise_learning.noise_learning import (
    NoiseLearning,
    attention,
    pooled,
    standardized,
)

CHANNELS = 24
TWO_STEPS = (50, 500)


def inputs(count: int = 3, steps: int = 2) -> tuple[Tensor, Tensor]:
    """Features (count, 24, 3, 3) and noise (count, steps, 4, 12, 12) of a scale and mean as at small timesteps."""
    torch.manual_seed(0)
    return torch.randn(count, CHANNELS, 3, 3, requires_grad=True), 0.03 * torch.randn(count, steps, 4, 12, 12) + 0.01


def learning(**options: object) -> NoiseLearning:
    torch.manual_seed(1)
    diffusion = LatentDiffusion(tiny_vae(), tiny_unet(), tiny_scheduler(), tiny_prompt())
    return made(NoiseLearning, diffusion, CHANNELS, **{"timesteps": TWO_STEPS} | options)


def called(model: NoiseLearning, features: Tensor, noise: Tensor) -> dict[str, Tensor]:
    """Losses by name, from features and the teacher's noise (B, S, 4, h, w)."""
    return values(found_losses(model, features, arrays={"noise": noise.flatten(1, 2)}))


def saliency_by_hand(features: Tensor) -> np.ndarray:
    """(B, positions)."""
    energy = (features.detach().double().numpy() ** 2).mean(1).reshape(len(features), -1)
    return energy / energy.sum(1, keepdims=True)


def test_losses_are_those_of_numpy() -> None:
    features, noise = inputs()
    model = learning(temperature=0.5)
    losses = called(model, features, noise)
    predicted = model.predict(features, (12, 12)).detach().double().numpy()
    flat = noise.double().numpy().reshape(3, 2, -1)
    wanted = (flat - flat.mean(2, keepdims=True)) / flat.std(2, keepdims=True)
    assert losses["noise"].item() == pytest.approx(((predicted.reshape(3, 2, -1) - wanted) ** 2).mean(), rel=1e-5)
    strength = np.abs(predicted).mean((1, 2))
    whole = softmax(strength.reshape(3, -1) / 0.5, axis=1).reshape(3, 3, 4, 3, 4)
    target = whole.sum((2, 4)).reshape(3, -1)  # 4 x 4 positions of the latent in one of the features
    divergence = entropy(target, saliency_by_hand(features), axis=1).mean()
    assert losses["attention"].item() == pytest.approx(divergence, rel=1e-4)
    assert divergence > 1e-3


def test_standardized_noise_keeps_no_scale() -> None:
    _, noise = inputs()
    found = standardized(noise)
    assert torch.allclose(found.mean((2, 3, 4)), torch.zeros(3, 2), atol=1e-5)
    assert torch.allclose(found.std((2, 3, 4), correction=0), torch.ones(3, 2), atol=1e-5)
    assert torch.allclose(found, standardized(100 * noise + 3), atol=1e-4)
    assert not standardized(torch.ones(1, 1, 4, 2, 2)).any()  # no noise at all is not divided by zero


def test_attention_sums_to_one_and_evens_out_with_temperature() -> None:
    predicted = torch.randn(3, 2, 4, 12, 12)
    sharp, even = attention(predicted, 0.1), attention(predicted, 100.0)
    for found in (sharp, even, pooled(sharp, (3, 3)), pooled(sharp, (5, 7))):
        assert torch.allclose(found.sum((1, 2)), torch.ones(3))
    assert torch.allclose(even, torch.full_like(even, 1 / 144), rtol=0.05)
    assert (sharp.flatten(1).argmax(1) == predicted.abs().mean((1, 2)).flatten(1).argmax(1)).all()


def test_saliency_is_the_same_at_any_scale() -> None:
    features, _ = inputs()
    assert np.allclose(log_saliency(features).exp().detach().flatten(1).numpy(), saliency_by_hand(features))
    assert torch.allclose(log_saliency(features), log_saliency(1000 * features), atol=1e-5)
    assert log_saliency(torch.zeros(1, 2, 3, 3)).exp().allclose(torch.tensor(1 / 9))


def test_coverage_is_one_for_even_features_and_small_for_a_single_place() -> None:
    even, single = torch.ones(1, CHANNELS, 7, 7), torch.zeros(1, CHANNELS, 7, 7)
    single[0, :, 2, 3] = 1
    assert coverage(even).item() == pytest.approx(1)
    assert coverage(single).item() < 0.01
    half = torch.ones(1, CHANNELS, 7, 8)
    half[..., 4:] = 0
    assert coverage(half).item() == pytest.approx(log(28) / log(56), abs=1e-3)
    features = torch.cat([torch.randn(3, CHANNELS, 7, 7), single])
    wanted = entropy(saliency_by_hand(features), axis=1) / np.log(49)
    assert np.allclose(coverage(features).numpy(), wanted, atol=1e-5)
    assert coverage(torch.ones(2, CHANNELS, 1, 1)).tolist() == [1, 1]


def test_gradients_come_only_from_the_named_losses() -> None:
    """Noise: to student and features. Attention: to features alone, whose saliency goes towards it."""
    model = learning()
    features, noise = inputs()
    called(model, features, noise)["noise"].backward()
    assert features.grad is not None
    assert features.grad.abs().sum() > 0
    assert all(parameter.grad is not None for parameter in model.parameters())
    model.zero_grad()
    features, noise = inputs()
    called(model, features, noise)["attention"].backward()
    assert features.grad is not None
    assert features.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in model.parameters())
    before = called(model, features, noise)["attention"].item()
    moved = (features - 0.5 * features.grad / features.grad.norm()).detach()
    assert called(model, moved, noise)["attention"].item() < before


def test_without_the_noise_loss_the_student_learns_and_features_do_not() -> None:
    model = learning(lambda_noise=0)
    features, noise = inputs()
    called(model, features, noise)["noise"].backward()
    assert features.grad is None
    assert all(parameter.grad is not None for parameter in model.parameters())
    assert weights(found_losses(model, features, arrays={"noise": noise.flatten(1, 2)})) == {"noise": 1, "attention": 1}


def test_without_the_attention_loss_there_is_only_noise() -> None:
    model = learning(lambda_noise=0.5, lambda_attention=0)
    features, noise = inputs()
    assert weights(found_losses(model, features, arrays={"noise": noise.flatten(1, 2)})) == {"noise": 0.5}


def test_an_encoder_and_its_student_can_overfit_eight_images() -> None:
    """From 1, which is predicting nothing; another eight images are not predicted, so nothing but learning helps."""
    torch.manual_seed(0)
    encoder = Encoder("resnet10t", image_size=64).train()
    diffusion = LatentDiffusion(tiny_vae(), tiny_unet(), tiny_scheduler(), tiny_prompt())
    model = NoiseLearning(encoder, Teacher.of(diffusion))
    images, noise, others = torch.rand(8, 3, 64, 64), torch.randn(8, 1, 4, 8, 8), torch.randn(8, 1, 4, 8, 8)
    optimizer = torch.optim.Adam([*encoder.parameters(), *model.parameters()], lr=2e-3)
    for _ in range(150):
        optimizer.zero_grad()
        loss = called(model, encoder(images)[0], noise)["noise"]
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.3
    assert called(model, encoder(images)[0], others)["noise"].item() > 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"lambda_noise": 0, "lambda_attention": 0}, "one above 0"),
        ({"lambda_noise": -1}, "at least 0"),
        ({"timesteps": ()}, "timesteps"),
        ({"timesteps": (5, 5)}, "different numbers"),
        ({"timesteps": (-1,)}, "timesteps"),
        ({"timesteps": (5, 9), "noise_source": "injected"}, "injected noise needs exactly one"),
        ({"temperature": 0}, "temperature"),
        ({"inversion_steps": 0}, "inversion_steps"),
        ({"timesteps": (1000,)}, "ends at 999"),
    ],
)
def test_settings_that_make_no_sense_are_refused(options: dict[str, object], words: str) -> None:
    with pytest.raises(UserError, match=words):
        learning(**options)
