"""The guide branch against its equations, on small models with random weights and a handful of latents."""

from pathlib import Path

import numpy as np
import pytest
import torch
from taught import Noise, found_losses, made, values, weights
from torch import Tensor

from difffake.data.extras import Draw
from difffake.diffusion.face_latents import FaceLatents
from difffake.diffusion.latent_diffusion import LatentDiffusion
from difffake.diffusion.load import DiffusionConfig, load_diffusion
from difffake.diffusion.tiny import save_diffusion, tiny_prompt, tiny_scheduler, tiny_unet, tiny_vae
from difffake.errors import UserError
from difffake.models.encoder import Encoder
from difffake.regularizers.guide.feature_filter import FeatureFilter, Projection, PublishedFilter, SpatialAttention
from difffake.regularizers.guide.guide import Guide
from difffake.regularizers.guide.weight_module import ConvolutionalWeight, LinearWeight, similarity

CHANNELS = 24


@pytest.fixture(scope="module")
def diffusion() -> LatentDiffusion:
    torch.manual_seed(0)
    return LatentDiffusion(tiny_vae(), tiny_unet(), tiny_scheduler(), tiny_prompt())


def inputs(count: int, seed: int = 0) -> tuple[Tensor, FaceLatents, Noise]:
    torch.manual_seed(seed)
    features = torch.randn(count, CHANNELS, 3, 3, requires_grad=True)
    latents = FaceLatents(*torch.randn(3, count, 4, 8, 8), torch.ones(count, dtype=torch.bool))
    return features, latents, Noise(torch.randn(count, 2, 4, 8, 8), torch.randint(1000, (count, 2)))


def called(
    guide: Guide, features: Tensor, latents: FaceLatents, noise: Noise, diffusion: LatentDiffusion
) -> dict[str, Tensor]:
    """The guide's losses by name."""
    return values(found_losses(guide, features, diffusion, latents, noise._asdict()))


def awake(guide: Guide) -> Guide:
    """With convolutions that are no longer zero, as after a few steps of training."""
    torch.manual_seed(1)
    for layer in (*guide.copy.controlnet_down_blocks, guide.copy.controlnet_mid_block):
        torch.nn.init.normal_(layer.weight, std=0.1)
    return guide


def test_before_training_the_guided_prediction_is_the_frozen_models(diffusion: LatentDiffusion) -> None:
    """Zero convolutions: whatever the features say."""
    guide = made(Guide, diffusion, CHANNELS)
    features, latents, noise = inputs(3)
    found = guide.conditions(features, (8, 8))
    step = noise.timestep[:, 0]
    guided = guide.predict_noise(diffusion, latents.image, step, found.source, found.source_weight)
    assert (guided - diffusion.predict_noise(latents.image, step)).abs().max() <= 1e-5


def test_the_copy_starts_as_the_frozen_encoder_and_middle_block(diffusion: LatentDiffusion) -> None:
    copied, frozen = made(Guide, diffusion, CHANNELS).copy.state_dict(), diffusion.unet.state_dict()
    shared = [name for name in copied if not name.startswith("controlnet_")]
    assert shared == [name for name in frozen if not name.startswith(("up_blocks", "conv_norm_out", "conv_out"))]
    assert all(torch.equal(copied[name], frozen[name]) for name in shared)
    assert all(not copied[name].any() for name in copied if name.startswith("controlnet_"))


def test_losses_are_the_papers_equations(diffusion: LatentDiffusion) -> None:
    """L_s and L_t from guided predictions of one branch at a time, L_ws and L_wt from NumPy."""
    guide = awake(made(Guide, diffusion, CHANNELS))
    features, latents, noise = inputs(4)
    losses = called(guide, features, latents, noise, diffusion)
    found = guide.conditions(features, (8, 8))
    branches = (
        ("source", latents.source, found.source, found.source_weight),
        ("target", latents.target, found.target, found.target_weight),
    )
    signal = tiny_scheduler().alphas_cumprod.numpy()
    for number, (name, clean, condition, weight) in enumerate(branches):
        step, injected = noise.timestep[:, number], noise.noise[:, number]
        left = signal[step.numpy()][:, None, None, None]
        noisy = np.sqrt(left) * clean.numpy() + np.sqrt(1 - left) * injected.numpy()
        predicted = guide.predict_noise(diffusion, torch.from_numpy(noisy).float(), step, condition, weight)
        wanted = np.mean((predicted.detach().numpy() - injected.numpy()) ** 2)
        assert losses[name].item() == pytest.approx(wanted, rel=1e-4)
        flat, other = latents.image.flatten(1).numpy(), clean.flatten(1).numpy()
        cosine = (flat * other).sum(1) / np.linalg.norm(flat, axis=1) / np.linalg.norm(other, axis=1)
        wanted = np.mean((weight.detach().numpy() - cosine) ** 2)
        assert losses[f"{name}_weight"].item() == pytest.approx(wanted, rel=1e-4)
    given = weights(found_losses(guide, features, diffusion, latents, noise._asdict()))
    assert given == {"source": 0.7, "target": 1.0, "source_weight": 1.0, "target_weight": 1.0}


def test_gradients_reach_features_and_guide_and_no_frozen_weight(diffusion: LatentDiffusion) -> None:
    guide = awake(made(Guide, diffusion, CHANNELS))
    for name in ("source", "target", "source_weight", "target_weight"):
        features, latents, noise = inputs(2)
        called(guide, features, latents, noise, diffusion)[name].backward()
        assert features.grad is not None
        assert features.grad.abs().sum() > 0
    assert all(parameter.grad is not None for parameter in guide.parameters())
    frozen = (*diffusion.unet.parameters(), *diffusion.vae.parameters())
    assert all(parameter.grad is None for parameter in frozen)


def test_at_the_first_step_every_parameter_has_a_gradient(diffusion: LatentDiffusion) -> None:
    """So that several ranks need not look for unused ones, even where no image has a known partner."""
    guide = made(Guide, diffusion, CHANNELS)
    features, latents, noise = inputs(2)
    losses = called(guide, features, latents._replace(known=torch.zeros(2, dtype=torch.bool)), noise, diffusion)
    assert all(value.item() == 0 for value in losses.values())
    torch.stack(list(losses.values())).sum().backward()
    assert all(parameter.grad is not None for parameter in guide.parameters())


def test_images_without_partners_do_not_count(diffusion: LatentDiffusion) -> None:
    guide = awake(made(Guide, diffusion, CHANNELS))
    features, latents, noise = inputs(4)
    known = torch.tensor([True, False, True, False])
    some = called(guide, features, latents._replace(known=known), noise, diffusion)
    kept = FaceLatents(*(part[known] for part in latents))
    alone = called(guide, features[known], kept, Noise(*(part[known] for part in noise)), diffusion)
    for name, value in alone.items():
        assert some[name].item() == pytest.approx(value.item(), rel=1e-5)


def test_the_weight_scales_all_that_the_guide_adds(diffusion: LatentDiffusion) -> None:
    """With W = 0 nothing is left of the guide; ControlNet multiplies each of its outputs by it."""
    guide = awake(made(Guide, diffusion, CHANNELS))
    features, latents, noise = inputs(2)
    condition, step = guide.conditions(features, (8, 8)).source, noise.timestep[:, 0]
    plain = diffusion.predict_noise(latents.image, step)
    off, on = (
        guide.predict_noise(diffusion, latents.image, step, condition, torch.full((2,), weight)) for weight in (0.0, 1)
    )
    assert torch.allclose(off, plain, atol=1e-6)
    assert not torch.allclose(on, plain, atol=1e-3)


def test_shared_noise_gives_both_branches_the_sources(diffusion: LatentDiffusion) -> None:
    features, latents, noise = inputs(2)
    same = latents._replace(target=latents.source)
    guide = made(Guide, diffusion, CHANNELS, shared_noise=True)
    losses = called(guide, features, same, noise, diffusion)
    assert losses["source"].item() == losses["target"].item()
    apart = called(made(Guide, diffusion, CHANNELS), features, same, noise, diffusion)
    assert apart["source"].item() != apart["target"].item()


def test_ablations_leave_out_what_they_say(diffusion: LatentDiffusion) -> None:
    guide = made(Guide, diffusion, CHANNELS, feature_filter="none", weight="none")
    features, latents, noise = inputs(2)
    assert isinstance(guide.source_filter, Projection)
    assert set(called(guide, features, latents, noise, diffusion)) == {"source", "target"}
    found = guide.conditions(features, (8, 8))
    assert found.source_weight.tolist() == found.target_weight.tolist() == [1, 1]
    assert all(parameter.requires_grad for parameter in guide.parameters())


def test_recomputed_activations_give_the_same_gradients() -> None:
    torch.manual_seed(0)
    model = LatentDiffusion(tiny_vae(), tiny_unet(), tiny_scheduler(), tiny_prompt())
    gradients = []
    for checkpointing in (False, True):
        torch.manual_seed(2)
        guide = awake(made(Guide, model, CHANNELS, checkpointing=checkpointing))
        features, latents, noise = inputs(2)
        torch.stack(list(called(guide, features, latents, noise, model).values())).sum().backward()
        assert guide.copy.is_gradient_checkpointing == checkpointing
        gradients.append([features.grad, *(parameter.grad for parameter in guide.parameters())])
    for one, other in zip(*gradients, strict=True):
        assert torch.allclose(one, other, atol=1e-6)


def test_a_half_precision_teacher_has_a_copy_in_full_precision() -> None:
    torch.manual_seed(0)
    model = LatentDiffusion(tiny_vae(), tiny_unet().to(torch.bfloat16), tiny_scheduler(), tiny_prompt())
    guide = awake(made(Guide, model, CHANNELS))
    assert {parameter.dtype for parameter in guide.parameters()} == {torch.float32}
    features, latents, noise = inputs(2)
    with torch.autocast("cpu", torch.bfloat16):
        losses = called(guide, features, latents, noise, model)
    torch.stack(list(losses.values())).sum().backward()
    assert all(value.dtype == torch.float32 and value.isfinite() for value in losses.values())
    assert features.grad is not None
    assert features.grad.isfinite().all()


@pytest.mark.parametrize(("name", "size"), [("resnet10t", 224), ("vit_tiny_patch16_224", 224), ("resnet10t", 256)])
def test_works_with_convolutional_and_transformer_encoders(diffusion: LatentDiffusion, name: str, size: int) -> None:
    encoder = Encoder(name, image_size=size)
    guide = awake(made(Guide, diffusion, encoder.channels))
    features, _ = encoder(torch.rand(1, 3, size, size))
    latents = FaceLatents(*torch.randn(3, 1, 4, size // 8, size // 8), torch.ones(1, dtype=torch.bool))
    noise = Noise(torch.randn(1, 2, 4, size // 8, size // 8), torch.randint(1000, (1, 2)))
    torch.stack(list(called(guide, features, latents, noise, diffusion).values())).sum().backward()
    first = next(encoder.parameters())
    assert first.grad is not None
    assert first.grad.abs().sum() > 0


def test_filter_gives_the_unets_width_at_the_latents_size_and_keeps_no_statistics() -> None:
    module = FeatureFilter(CHANNELS, 48)
    assert module(torch.randn(2, CHANNELS, 7, 7), (28, 28)).shape == (2, 48, 28, 28)
    assert not list(module.buffers())
    batch = torch.randn(3, CHANNELS, 5, 5)
    together = module(batch, (10, 10))
    assert torch.allclose(together[1:2], module(batch[1:2], (10, 10)), atol=1e-5)


def test_the_published_filter_in_its_own_layout() -> None:
    """Step by step as published, with positions first in the attention; and its 151 million parameters."""
    torch.manual_seed(0)
    module = PublishedFilter(16, 12)
    features = torch.randn(2, 16, 2, 3)
    once = torch.nn.functional.conv_transpose2d(features, module.enlarge[0].weight, stride=2, padding=1)
    up = torch.nn.functional.conv_transpose2d(once, module.enlarge[1].weight, stride=2, padding=1)
    plain = module.first(up)
    active = plain * torch.sigmoid(plain)
    channels = torch.sigmoid(module.channel(torch.nn.functional.adaptive_avg_pool2d(active, 1)))
    filtered = plain * channels * torch.sigmoid(module.spatial(active))
    assert up.shape == (2, 16, 8, 12)
    attention = torch.nn.MultiheadAttention(16, 4)
    attention.load_state_dict(module.attention.state_dict())
    query, value = (part.permute(2, 3, 0, 1).reshape(96, 2, 16) for part in (active, filtered))
    mixed = attention(query, value, value)[0].reshape(8, 12, 2, 16).permute(2, 3, 0, 1)
    assert torch.allclose(module(features, (8, 12)), module.out(mixed), atol=1e-5)
    assert module(features, (10, 10)).shape == (2, 12, 10, 10)
    with torch.device("meta"):
        whole = PublishedFilter(1792, 320)
        assert whole(torch.empty(1, 1792, 8, 8), (32, 32)).shape == (1, 320, 32, 32)
        small = FeatureFilter(1792, 320)
    sizes = [sum(parameter.numel() for parameter in part.parameters()) for part in (whole, small)]
    assert [round(size / 1e6, 1) for size in sizes] == [151.3, 6.5]


def test_the_copy_of_a_half_precision_teacher_starts_exact(tmp_path: Path) -> None:
    torch.manual_seed(0)
    unet = tiny_unet()
    save_diffusion(tmp_path / "model", tiny_vae(), unet, tiny_scheduler(), tiny_prompt())
    model = load_diffusion(DiffusionConfig(str(tmp_path / "model"), "bfloat16"))
    guide = made(Guide, model, CHANNELS)
    exact, rounded = unet.state_dict(), model.unet.state_dict()
    copied = {name: value for name, value in guide.copy.state_dict().items() if name in exact}
    assert len(copied) > 50
    assert all(torch.equal(value, exact[name]) for name, value in copied.items())
    assert any(not torch.equal(value, rounded[name].float()) for name, value in copied.items())
    random = [load_diffusion(DiffusionConfig(str(tmp_path / "model"), "bfloat16", pretrained=False), 3) for _ in "ab"]
    one, other = (made(Guide, model, CHANNELS).copy.state_dict() for model in random)
    assert all(torch.equal(value, other[name]) for name, value in one.items() if name in exact)
    assert any(not torch.equal(one[name], exact[name]) for name in copied)


def test_spatial_attention_weighs_positions_alike_in_all_channels() -> None:
    features = torch.rand(1, 6, 9, 9) + 0.1
    ratio = SpatialAttention()(features) / features
    assert torch.allclose(ratio, ratio[:, :1].expand_as(ratio), atol=1e-6)
    assert 0 < ratio.min() < ratio.max() < 1


def test_weight_modules_give_one_number_an_image_in_five_linear_layers() -> None:
    features = torch.randn(3, 1792, 7, 7)
    linear = LinearWeight(1792)
    widths = [layer.weight.shape for layer in linear.layers if isinstance(layer, torch.nn.Linear)]
    assert widths == [(896, 1792), (448, 896), (224, 448), (112, 224), (1, 112)]
    for module in (linear, ConvolutionalWeight(1792)):
        weight = module(features)
        assert weight.shape == (3,)
        assert 0 < weight.min() <= weight.max() < 1


def test_similarity_is_the_cosine_of_flattened_latents() -> None:
    one = torch.tensor([[[[1.0, 0.0]]], [[[1.0, 2.0]]], [[[1.0, 0.0]]]])
    other = torch.tensor([[[[0.0, 3.0]]], [[[2.0, 4.0]]], [[[-5.0, 0.0]]]])
    assert similarity(one, other).tolist() == pytest.approx([0, 1, -1])
    assert similarity(one, other, "shifted_cosine").tolist() == pytest.approx([0.5, 1, 0])


def test_negative_weights_of_losses_are_refused(diffusion: LatentDiffusion) -> None:
    with pytest.raises(UserError, match="at least 0"):
        made(Guide, diffusion, CHANNELS, lambda_source=-0.1)


def test_needs_are_declared_and_settings_kept(diffusion: LatentDiffusion) -> None:
    guide = made(Guide, diffusion, CHANNELS, lambda_source=0.5)
    assert guide.needs.partners
    assert guide.needs.draws == {"noise": Draw((2, 4, 12, 12)), "timestep": Draw((2,), below=1000)}
    assert guide.settings == {
        "lambda_source": 0.5, "lambda_target": 1.0, "feature_filter": "full", "weight": "linear",
        "similarity": "cosine", "shared_noise": False, "checkpointing": False,
    }  # fmt: skip
