"""What the frozen model says of noise, against diffusers' own U-Net and inverse scheduler."""

import numpy as np
import pytest
import torch
from diffusers import DDIMInverseScheduler
from taught import made
from torch import Tensor

from difffake.data.batches import Batch, to_tensors, to_unit
from difffake.diffusion.latent_diffusion import LatentDiffusion
from difffake.diffusion.load import DiffusionConfig, load_diffusion
from difffake.diffusion.sampling import ddim_sample
from difffake.diffusion.teacher import Teacher
from difffake.diffusion.tiny import DRAWN_FACES
from difffake.drawn.people import Identity
from difffake.drawn.render import render_face
from difffake.regularizers.noise_learning.noise_learning import NoiseLearning, standardized
from difffake.regularizers.noise_learning.teacher import injected, inversion_path, teacher_noise
from difffake.regularizers.run import Regularizers


@pytest.fixture(scope="module")
def diffusion() -> LatentDiffusion:
    return load_diffusion(DiffusionConfig(DRAWN_FACES))


@pytest.fixture(scope="module")
def latents(diffusion: LatentDiffusion) -> Tensor:
    """(4, 4, 12, 12), of drawn faces as the model has learned them."""
    faces = [render_face(Identity.sample(np.random.default_rng(900 + number)), size=96)[0] for number in range(4)]
    return diffusion.encode(to_unit(to_tensors(faces, 96)))


def test_the_image_is_read_as_a_noisy_sample_at_each_timestep(diffusion: LatentDiffusion, latents: Tensor) -> None:
    found = teacher_noise(diffusion, latents, (1, 200))
    assert found.shape == (4, 2, 4, 12, 12)
    for number, step in enumerate((1, 200)):
        with torch.no_grad():
            wanted = diffusion.unet(latents, step, diffusion.prompt.expand(4, -1, -1)).sample
        assert torch.allclose(found[:, number], wanted, atol=1e-5)


def test_inversion_is_that_of_diffusers(diffusion: LatentDiffusion, latents: Tensor) -> None:
    """Its inverse scheduler, given the same timesteps; the latent that it ends with is what noise is predicted in."""
    scheduler = DDIMInverseScheduler.from_config(diffusion.scheduler.config, steps_offset=0, clip_sample=False)
    scheduler.set_timesteps(5)
    path = inversion_path(499, 5)
    assert path == [-1, 99, 199, 299, 399, 499]
    inverted = latents
    scheduler.num_inference_steps = 10  # 1000 / 10 are the strides of 100 above
    for step in path[1:]:
        noise = diffusion.predict_noise(inverted, torch.full((4,), max(step - 100, 0)))
        inverted = scheduler.step(noise, step, inverted).prev_sample
    with torch.no_grad():
        wanted = diffusion.predict_noise(inverted, torch.full((4,), 499))
    found = teacher_noise(diffusion, latents, (499,), inversion_steps=5)[:, 0]
    assert (found - wanted).norm() < 1e-3 * wanted.norm()


def test_inversion_and_sampling_back_return_the_latent(diffusion: LatentDiffusion, latents: Tensor) -> None:
    """To within 2 % of its norm with 50 passes, and better with more: what is lost is the step size alone."""

    def lost(step: int, passes: int) -> float:
        there = inversion_path(step, passes)
        noisy = ddim_sample(diffusion, latents, diffusion.predict_noise, there)
        back = ddim_sample(diffusion, noisy, diffusion.predict_noise, there[::-1])
        assert (noisy - latents).norm() > 0.05 * latents.norm()  # it has been somewhere
        return float((back - latents).norm() / latents.norm())

    assert lost(200, 50) < 0.02
    assert lost(200, 50) < lost(200, 10)


def test_injected_noise_is_in_the_image_that_the_detector_sees(diffusion: LatentDiffusion, latents: Tensor) -> None:
    noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(0))
    images, found = injected(diffusion, latents, noise, 500)
    noisy = diffusion.scheduler.add_noise(latents, noise, torch.full((4,), 500))
    assert torch.allclose(images, diffusion.decode(noisy), atol=1e-5)
    assert torch.allclose(found[:, 0], diffusion.predict_noise(noisy, torch.full((4,), 500)), atol=1e-5)
    # A model that has learned faces finds much of the noise that was added.
    assert torch.nn.functional.mse_loss(found[:, 0], noise) < 0.5


def test_teachers_of_different_settings_say_different_things(diffusion: LatentDiffusion, latents: Tensor) -> None:
    models = [
        made(NoiseLearning, diffusion, 8, timesteps=(200,)),
        made(NoiseLearning, diffusion, 8, timesteps=(500,)),
        made(NoiseLearning, diffusion, 8, timesteps=(200,), noise_source="ddim_inversion"),
        made(NoiseLearning, diffusion, 8, timesteps=(200,), noise_source="ddim_inversion", inversion_steps=3),
    ]
    arrays = [model.needs.arrays["noise"] for model in models]
    assert len({array.settings for array in arrays}) == 4
    found = [standardized(array.compute(diffusion, latents)[:, None]) for array in arrays]
    assert all((a - b).norm() > 0.01 * a.norm() for n, a in enumerate(found) for b in found[n + 1 :])
    # What changes no cached number needs no other cache.
    warm = made(NoiseLearning, diffusion, 8, timesteps=(200,), inversion_steps=3, temperature=9)
    assert warm.needs.arrays["noise"].settings == arrays[0].settings


@pytest.mark.parametrize("known", [(0, 1, 2, 3), (), (0, 3)])
def test_cached_noise_is_taken_and_the_rest_predicted(
    diffusion: LatentDiffusion, latents: Tensor, known: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = made(NoiseLearning, diffusion, 8, timesteps=(50, 200))
    cached = torch.arange(len(known)).view(-1, 1, 1, 1) + torch.zeros(len(known), 8, 12, 12)
    batch = Batch(image=latents, label=latents, index=latents)
    batch |= {"latents": latents[list(known)], "arrays": {"student.noise": cached}}
    # The faces that are not cached come as pictures; here their latents are put in their place.
    rest = [number for number in range(4) if number not in known]
    places = [known.index(number) if number in known else len(known) + rest.index(number) for number in range(4)]
    batch["roles"] = torch.tensor(places)[:, None].expand(4, 3)
    batch["faces"] = torch.zeros(len(rest), 3, 96, 96)
    monkeypatch.setattr(diffusion, "encode", lambda images: latents[rest])
    factories = {"student": lambda encoder, teacher: model}
    parts = Regularizers(factories, None, Teacher.of(diffusion))  # type: ignore[arg-type]
    found = parts.batches(batch, latents, Teacher.of(diffusion))["student"].arrays["noise"].unflatten(1, (2, -1))
    predicted = teacher_noise(diffusion, latents, (50, 200))
    for number in range(4):
        if number in known:
            assert (found[number] == known.index(number)).all()
        else:
            assert torch.allclose(found[number], predicted[number], atol=1e-5)
