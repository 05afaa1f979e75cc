"""Autoencoders of latent diffusion models by name, with one interface."""

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from difffake.diffusion.load import load_part
from difffake.diffusion.taef2 import TAEF2, Taef2, load_taef2
from difffake.diffusion.tiny import DRAWN_FACES, drawn_faces_folder

if TYPE_CHECKING:
    from diffusers import AutoencoderKL


class StableAutoencoder(nn.Module):
    """Stable Diffusion's VAE with the interface of `Taef2`; an image's latents are the mean of their distribution."""

    half_precision = False
    """It overflows in half precision."""

    def __init__(self, vae: "AutoencoderKL") -> None:
        super().__init__()
        self.vae = vae

    def encode(self, images: Tensor) -> Tensor:
        """Latents (B, c, h, w) of images (B, 3, H, W) in [0, 1]."""
        return self.vae.encode(images * 2 - 1).latent_dist.mode()

    def decode(self, latents: Tensor) -> Tensor:
        """Images (B, 3, H, W) in [0, 1] of latents (B, c, h, w)."""
        return (self.vae.decode(latents).sample / 2 + 0.5).clamp(0, 1)


def load_autoencoder(name: str) -> Taef2 | StableAutoencoder:
    """Load a frozen autoencoder.

    Args:
        name: taef2; a diffusion model as `difffake.diffusion.load.DiffusionConfig` names it, of which the VAE is taken;
            or the folder of a VAE.

    Raises:
        UserError: there is no such model, or it is broken.
    """
    if name == TAEF2:
        model: Taef2 | StableAutoencoder = load_taef2()
    else:
        from diffusers import AutoencoderKL

        folder = drawn_faces_folder() if name == DRAWN_FACES else Path(name)
        alone = (folder / "config.json").is_file()  # the VAE's own folder
        whole, part = (folder.parent, folder.name) if alone else (folder, "vae")
        model = StableAutoencoder(load_part(str(whole), part, AutoencoderKL).float())
    # With channels_last, convolutions in bfloat16 are several times as fast on a CPU.
    return model.requires_grad_(False).eval().to(memory_format=torch.channels_last)


def bfloat16_is_fast(device: torch.device) -> bool:
    """Whether a device multiplies in bfloat16: a GPU, or a CPU with instructions for it (AMX, AVX512-BF16)."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    return device.type == "cpu" and torch.cpu._is_avx512_bf16_supported()
