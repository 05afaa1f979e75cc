"""Training of a small latent diffusion model on faces: first the VAE, unless it is TAEF2, then the U-Net."""

import csv
import json
import pickle
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from math import cos, pi
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from difffake.data.batches import to_tensors, to_unit
from difffake.data.manifest import Manifest
from difffake.diffusion.attention import Attention
from difffake.diffusion.autoencoder import StableAutoencoder, bfloat16_is_fast
from difffake.diffusion.latent_diffusion import LatentDiffusion
from difffake.diffusion.sampling import ddim_sample, ddim_steps
from difffake.diffusion.taef2 import TAEF2
from difffake.diffusion.tiny import save_diffusion, tiny_prompt, tiny_scheduler, tiny_unet, tiny_vae
from difffake.errors import UserError
from difffake.faces.images import read_image, write_png
from difffake.files import staged_file
from difffake.progress import console, track
from difffake.randomness import generator

if TYPE_CHECKING:
    from diffusers import AutoencoderKL

MAX_FACES = 20_000
"""Largest number of faces in memory; more would hardly improve such a small network."""
SAVE_EVERY = 200
"""Number of steps between saved states, from which an interrupted run continues."""
PATCH = 64
"""Side in pixels of the random patches for training the VAE. It is convolutional, so it works at any size later."""
_VAE, _UNET, _SAMPLES, _HELD_OUT = range(4)  # keys of random numbers


@dataclass(frozen=True)
class Settings:
    """Settings that the weights depend on, in addition to the faces; see `difffake pretrain-guide`."""

    image_size: int
    vae_steps: int
    unet_steps: int
    batch_size: int
    seed: int
    device: str
    autoencoder: str = "own"
    """own for a VAE that is trained, or taef2."""


def pretrain(faces: Tensor, held_out: Tensor, settings: Settings, folder: Path) -> None:
    """Train a small latent diffusion model and write it to `folder` in diffusers' layout, with samples.png.

    It continues from the states that an interrupted call with the same arguments left in `folder`.

    Args:
        faces: training faces (N, 3, S, S) uint8.
        held_out: other faces (M, 3, S, S) uint8, to measure the model for training.json; M may be 0.
        settings: settings of the training.
        folder: folder for vae/, unet/, scheduler/, samples.png and training.json.
    """
    where = torch.device(settings.device)
    vae = StableAutoencoder(train_vae(folder, faces, settings, where))
    average = tiny_unet()
    diffusion = LatentDiffusion(vae, average, tiny_scheduler(), tiny_prompt()).to(where)
    latents = torch.cat([_encoded(diffusion, part) for part in (faces, faces.flip(3))])
    train_unet(folder, diffusion, latents, settings)
    finish(folder, diffusion, held_out if len(held_out) else faces, settings, len(faces), bool(len(held_out)))


def finish(
    folder: Path, diffusion: LatentDiffusion, shown: Tensor, settings: Settings, faces: int, held_out: bool
) -> None:
    """Measure a trained model, draw samples and save it, and delete the states of its training.

    Args:
        folder: folder for vae/, unet/, scheduler/, samples.png and training.json.
        diffusion: the model.
        shown: faces (M, 3, S, S) uint8 to measure the model on and to draw.
        settings: settings of the training.
        faces: number of training faces.
        held_out: whether `shown` are not among the training faces; otherwise the model is not measured.
    """
    facts = asdict(settings) | {"faces": faces}
    if held_out:
        facts |= _measured(diffusion, shown, settings.seed)
    _draw(folder / "samples.png", diffusion, shown, settings.seed)
    save_diffusion(folder, diffusion.vae.cpu(), diffusion.unet.cpu(), tiny_scheduler(), tiny_prompt())
    (folder / "training.json").write_text(json.dumps(facts, indent=1) + "\n")
    for state in folder.glob("*.state"):
        state.unlink()


def train_vae(folder: Path, faces: Tensor, settings: Settings, device: torch.device) -> "AutoencoderKL":
    """Train a VAE on random patches of faces (N, 3, H, W) uint8; its latents are scaled to unit variance.

    The loss is the absolute error, plus the absolute error of differences between neighboring pixels (for sharp edges),
    plus a small Kullback-Leibler divergence. A discriminator or a perceptual loss would need other networks.
    """
    torch.manual_seed(settings.seed)
    vae = tiny_vae().to(device, memory_format=torch.channels_last)

    def loss(step: int) -> Tensor:
        rng = generator(settings.seed, _VAE, step)
        images = to_unit(_patches(faces, settings.batch_size // 4, rng).to(device)) * 2 - 1
        posterior = vae.encode(images).latent_dist
        noise = torch.from_numpy(rng.standard_normal(posterior.mean.shape, np.float32)).to(device)
        error = vae.decode(posterior.mean + posterior.std * noise).sample - images
        edges = error.diff(dim=2).abs().mean() + error.diff(dim=3).abs().mean()
        return error.abs().mean() + edges + 1e-6 * posterior.kl().mean()

    _optimize(folder / "vae", vae, vae, loss, settings.vae_steps, 2e-3)
    vae.eval()
    with torch.no_grad():
        some = to_unit(faces[:: max(1, len(faces) // 256)].to(device)) * 2 - 1
        deviation = torch.cat([vae.encode(part).latent_dist.mode() for part in some.split(32)]).std()
    vae.register_to_config(scaling_factor=1 / float(deviation))
    return vae


def train_unet(folder: Path, diffusion: LatentDiffusion, latents: Tensor, settings: Settings) -> None:
    """Train a U-Net to predict the noise in latents (N, c, h, w) of faces, mirrored or not.

    The loss is the simple loss of Ho et al., NeurIPS 2020. The U-Net of `diffusion` becomes the moving average of the
    weights.
    """
    torch.manual_seed(settings.seed + 1)
    device, average = diffusion.device, diffusion.unet
    unet = type(average).from_config(average.config).to(device, memory_format=torch.channels_last)
    unet.set_attn_processor(Attention())
    average.load_state_dict(unet.state_dict())
    half = settings.autoencoder == TAEF2 and bfloat16_is_fast(device)

    def loss(step: int) -> Tensor:
        rng = generator(settings.seed, _UNET, step)
        clean = latents[torch.from_numpy(rng.integers(len(latents), size=settings.batch_size))].to(device)
        noise, timestep = _noise(clean, diffusion.steps, rng)
        noisy = diffusion.add_noise(clean, noise, timestep)
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            out = unet(noisy, timestep, diffusion.prompt.expand(len(clean), -1, -1)).sample
        return functional.mse_loss(out.float(), noise)

    _optimize(folder / "unet", unet, average, loss, settings.unet_steps, 1e-3)


def held_out_error(diffusion: LatentDiffusion, faces: Tensor, seed: int) -> float:
    """Mean squared error of the predicted noise for faces (N, 3, H, W) uint8, at random timesteps from `seed`.

    A model that predicts zero noise has an error of 1.
    """
    latents = _encoded(diffusion, faces).to(diffusion.device)
    noise, timestep = _noise(latents, diffusion.steps, generator(seed, _HELD_OUT))
    noisy = diffusion.add_noise(latents, noise, timestep)
    with torch.no_grad():
        parts = zip(noisy.split(64), timestep.split(64), strict=True)
        return float(functional.mse_loss(torch.cat([diffusion.predict_noise(*part) for part in parts]), noise))


def _optimize(
    path: Path, network: nn.Module, average: nn.Module, loss: Callable[[int], Tensor], steps: int, rate: float
) -> None:
    """Train with Adam. The rate rises over the first twentieth of the steps, then falls to 0 along half a cosine.

    `average` becomes the moving average of the network's weights, unless it is the network itself. The state is saved
    in PATH.state, the losses in PATH.csv.
    """
    optimizer = torch.optim.Adam(network.parameters(), lr=rate, betas=(0.9, 0.99))
    rise = max(1, steps // 20)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1, (step + 1) / rise) * (1 + cos(pi * step / steps)) / 2
    )
    parts: dict[str, Any] = {"network": network, "average": average, "optimizer": optimizer, "schedule": schedule}
    state_file, start = path.with_suffix(".state"), 0
    if state_file.is_file():
        try:
            state = torch.load(state_file, map_location="cpu", weights_only=True)
        except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
            raise UserError(f"{state_file} is broken: delete it to train {path.name} from the start") from error
        start = state["step"]
        for name, part in parts.items():
            part.load_state_dict(state[name])
    if start >= steps:
        return
    network.train()
    losses: list[tuple[int, Tensor]] = []
    for step in track(range(start, steps), f"{path.name} from step {start}" if start else path.name):
        optimizer.zero_grad()
        value = loss(step)
        value.backward()
        optimizer.step()
        schedule.step()
        if average is not network:
            _follow(average, network, min(0.999, (step + 1) / (step + 10)))
        losses.append((step, value.detach()))
        if (step + 1) % SAVE_EVERY == 0 or step + 1 == steps:
            _append(path.with_suffix(".csv"), losses)
            losses.clear()
            with staged_file(state_file) as partial:
                torch.save({"step": step + 1} | {name: part.state_dict() for name, part in parts.items()}, partial)


@torch.no_grad()
def _follow(average: nn.Module, network: nn.Module, decay: float) -> None:
    for old, new in zip(average.parameters(), network.parameters(), strict=True):
        old.lerp_(new, 1 - decay)


def _append(path: Path, losses: list[tuple[int, Tensor]]) -> None:
    with path.open("a", newline="") as file:
        csv.writer(file).writerows((step, f"{float(value):.5f}") for step, value in losses[::10])


def load_faces(manifest: Manifest, image_size: int, seed: int, name: str) -> Tensor:
    """Load at most `MAX_FACES` random faces (N, 3, S, S) uint8 of a manifest; `name` is for the progress line."""
    rows = sorted(generator(seed).permutation(len(manifest))[:MAX_FACES].tolist())
    if not rows:
        return torch.zeros(0, 3, image_size, image_size, dtype=torch.uint8)
    return torch.cat([to_tensors([read_image(manifest.file(row))], image_size) for row in track(rows, f"{name} faces")])


def _patches(faces: Tensor, count: int, rng: np.random.Generator) -> Tensor:
    """Random patches (count, 3, PATCH, PATCH) of random faces, half of them mirrored."""
    found = []
    for face, y, x in zip(
        rng.integers(len(faces), size=count), *rng.integers(faces.shape[2] - PATCH + 1, size=(2, count)), strict=True
    ):
        found.append(faces[face, :, y : y + PATCH, x : x + PATCH])
    mirrored = torch.from_numpy(rng.random(count) < 0.5).view(-1, 1, 1, 1)
    patches = torch.stack(found)
    return torch.where(mirrored, patches.flip(3), patches)


def _encoded(diffusion: LatentDiffusion, faces: Tensor) -> Tensor:
    """Latents (N, 4, h, w) on the CPU of faces (N, 3, H, W) uint8."""
    return torch.cat([diffusion.encode(to_unit(part.to(diffusion.device))).cpu() for part in faces.split(64)])


def _noise(latents: Tensor, steps: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Noise like the latents (N, 4, h, w), and steps (N,)."""
    noise = torch.from_numpy(rng.standard_normal(latents.shape, np.float32))
    timestep = torch.from_numpy(rng.integers(steps, size=len(latents)))
    return noise.to(latents.device), timestep.to(latents.device)


def _measured(diffusion: LatentDiffusion, held_out: Tensor, seed: int) -> dict[str, float]:
    """Quality of the model on held-out faces."""
    rebuilt = torch.cat(list(_rebuilt(diffusion, held_out)))
    error = (rebuilt - held_out.float() / 255).square().mean()
    facts = {
        "held_out_faces": len(held_out),
        "noise_mse": held_out_error(diffusion, held_out, seed),
        "vae_psnr_db": float(-10 * error.log10()),
    }
    console.print(
        f"{len(held_out)} held-out faces: mean squared error of predicted noise {facts['noise_mse']:.3f} (predicting "
        f"zero gives 1), PSNR of the VAE {facts['vae_psnr_db']:.1f} dB"
    )
    return facts


def _rebuilt(diffusion: LatentDiffusion, faces: Tensor) -> Iterator[Tensor]:
    for part in _encoded(diffusion, faces).split(64):
        yield diffusion.decode(part.to(diffusion.device)).cpu()


def _draw(path: Path, diffusion: LatentDiffusion, faces: Tensor, seed: int) -> None:
    """Draw four rows of at most 8 faces: faces, their reconstructions by the VAE, and two rows of samples."""
    shown = faces[:8]
    shape = (2 * len(shown), *diffusion.encode(to_unit(shown[:1].to(diffusion.device))).shape[1:])
    noise = torch.from_numpy(generator(seed, _SAMPLES).standard_normal(shape, np.float32)).to(diffusion.device)
    sampled = diffusion.decode(ddim_sample(diffusion, noise, diffusion.predict_noise, ddim_steps(diffusion, 50)))
    rows = [shown.float() / 255, torch.cat(list(_rebuilt(diffusion, shown))), *sampled.cpu().split(len(shown))]
    sheet = torch.cat([torch.cat(list(row), dim=2) for row in rows], dim=1)
    write_png(path, (sheet * 255).round().byte().permute(1, 2, 0).numpy())
