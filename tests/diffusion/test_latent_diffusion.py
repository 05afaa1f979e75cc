"""The frozen model agrees with diffusers' own schedulers, and stays frozen."""

import copy

import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler
from torch import nn

from difffake.diffusion.fingerprint import fingerprint
from difffake.diffusion.latent_diffusion import LatentDiffusion
from difffake.diffusion.sampling import ddim_sample, ddim_steps
from difffake.diffusion.tiny import tiny_prompt, tiny_scheduler, tiny_unet, tiny_vae


@pytest.fixture(scope="module")
def diffusion() -> LatentDiffusion:
    torch.manual_seed(0)
    return LatentDiffusion(tiny_vae(), tiny_unet(), tiny_scheduler(), tiny_prompt())


def test_noise_is_added_as_by_diffusers(diffusion: LatentDiffusion) -> None:
    latents, noise, step = torch.randn(3, 4, 8, 8), torch.randn(3, 4, 8, 8), torch.tensor([0, 500, 999])
    wanted = tiny_scheduler().add_noise(latents, noise, step)
    assert torch.allclose(diffusion.add_noise(latents, noise, step), wanted, atol=1e-6)


def test_noise_is_predicted_by_the_unet_as_it_is(diffusion: LatentDiffusion) -> None:
    latents, step = torch.randn(2, 4, 8, 8), torch.tensor([10, 900])
    with torch.no_grad():
        wanted = diffusion.unet(latents, step, torch.zeros(2, 1, 32)).sample
    assert torch.allclose(diffusion.predict_noise(latents, step), wanted, atol=1e-6)


def test_velocity_is_turned_into_noise(diffusion: LatentDiffusion) -> None:
    """A U-Net that predicts the true velocity must be read as one that predicts the true noise."""
    scheduler = DDPMScheduler.from_config(tiny_scheduler().config, prediction_type="v_prediction")
    latents, noise, step = torch.randn(2, 4, 8, 8), torch.randn(2, 4, 8, 8), torch.tensor([50, 700])
    unet = tiny_unet()
    velocity = scheduler.get_velocity(latents, noise, step)
    unet.forward = lambda *_, **__: type("Output", (), {"sample": velocity})()
    model = LatentDiffusion(tiny_vae(), unet, scheduler, tiny_prompt())
    found = model.predict_noise(model.add_noise(latents, noise, step), step)
    assert torch.allclose(found, noise, atol=1e-4)


def test_images_are_latents_of_an_eighth_of_the_side_and_come_back_in_range(diffusion: LatentDiffusion) -> None:
    latents = diffusion.encode(torch.rand(2, 3, 64, 64))
    assert latents.shape == (2, 4, 8, 8)
    images = diffusion.decode(latents)
    assert images.shape == (2, 3, 64, 64)
    assert 0 <= images.min() <= images.max() <= 1


def test_it_stays_frozen_whatever_happens_to_its_holder(diffusion: LatentDiffusion) -> None:
    class Holder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.diffusion = diffusion
            self.own = nn.Linear(1, 1)

    holder = Holder().train().requires_grad_(True).half()
    assert {name for name, _ in holder.named_parameters()} == {"own.weight", "own.bias"}
    assert set(holder.state_dict()) == {"own.weight", "own.bias"}
    for network in (diffusion.vae, diffusion.unet):
        assert not any(module.training for module in network.modules())
        assert not any(parameter.requires_grad for parameter in network.parameters())
        assert all(parameter.dtype == torch.float32 for parameter in network.parameters())
    assert copy.deepcopy(holder).diffusion is diffusion


def test_ddim_samples_as_diffusers_does(diffusion: LatentDiffusion) -> None:
    scheduler = DDIMScheduler.from_config(
        tiny_scheduler().config, clip_sample=False, set_alpha_to_one=True, timestep_spacing="trailing"
    )
    scheduler.set_timesteps(10)
    start = torch.randn(2, 4, 8, 8)
    wanted = start
    for step in scheduler.timesteps:
        noise = diffusion.predict_noise(wanted, torch.full((2,), int(step)))
        wanted = scheduler.step(noise, step, wanted).prev_sample
    steps = ddim_steps(diffusion, 10)
    assert steps[:-1] == scheduler.timesteps.tolist()
    found = ddim_sample(diffusion, start, diffusion.predict_noise, steps)
    assert torch.allclose(found, wanted.detach(), rtol=1e-4, atol=1e-4)


def test_what_happens_between_steps_is_told_the_step_that_was_reached(diffusion: LatentDiffusion) -> None:
    reached = []

    def note(latents: torch.Tensor, step: int) -> torch.Tensor:
        reached.append(step)
        return latents

    steps = ddim_steps(diffusion, 4, start=500)
    ddim_sample(diffusion, torch.randn(1, 4, 8, 8), diffusion.predict_noise, steps, note)
    assert reached == steps[1:]
    assert reached[-1] == -1


def test_fingerprints_tell_one_changed_weight_and_one_changed_name() -> None:
    state = {"a": torch.zeros(3), "b": torch.ones(2)}
    assert fingerprint(state) == fingerprint(dict(reversed(state.items())))
    assert fingerprint(state) != fingerprint(state | {"b": torch.tensor([1.0, 1.0 + 1e-6])})
    assert fingerprint(state) != fingerprint({"a": torch.zeros(3), "c": torch.ones(2)})
    assert fingerprint(state) != fingerprint(state | {"a": torch.zeros(3, 1)})
