"""Autoencoders of latent diffusion models, with one interface."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from difffake.diffusion.taef2 import TAEF2, Taef2

if TYPE_CHECKING:
    from diffusers import AutoencoderKL

CONFIG = "config.json"
"""File in the folder of an autoencoder."""


class StableAutoencoder(nn.Module):
    """Stable Diffusion's VAE; the latents of an image are the mean of their distribution, scaled by one factor.

    Args:
        vae: diffusers' AutoencoderKL. It works in float32, because it overflows in float16.
    """

    half_precision = False

    def __init__(self, vae: "AutoencoderKL") -> None:
        super().__init__()
        self.vae = vae.float()

    @property
    def scale(self) -> int:
        """Pixels per latent position along each axis: 8 for Stable Diffusion."""
        return 2 ** (len(self.vae.config["block_out_channels"]) - 1)

    @property
    def channels(self) -> int:
        """Number of channels of latents: 4 for Stable Diffusion."""
        return int(self.vae.config["latent_channels"])

    def encode(self, images: Tensor) -> Tensor:
        """Latents (B, c, h, w) of images (B, 3, H, W) in [0, 1]."""
        return self.vae.encode(images * 2 - 1).latent_dist.mode() * self.vae.config["scaling_factor"]

    def decode(self, latents: Tensor) -> Tensor:
        """Images (B, 3, H, W) in [0, 1] of latents (B, c, h, w)."""
        return (self.vae.decode(latents / self.vae.config["scaling_factor"]).sample / 2 + 0.5).clamp(0, 1)

    def save(self, folder: Path) -> None:
        """Write the VAE to a folder as diffusers does, in float16."""
        self.vae.half().save_pretrained(folder)


class StandardTaef2(nn.Module):
    """TAEF2 with latents of mean 0 and variance 1 per channel, as noise schedules expect them.

    Args:
        taef2: the autoencoder.
        mean: (32,), mean of each channel of TAEF2's own latents of faces.
        std: (32,), their standard deviation.
    """

    half_precision = True
    mean: Tensor
    std: Tensor

    def __init__(self, taef2: Taef2, mean: Tensor | None = None, std: Tensor | None = None) -> None:
        super().__init__()
        self.taef2 = taef2
        self.scale, self.channels = taef2.scale, taef2.channels
        self.register_buffer("mean", (torch.zeros(self.channels) if mean is None else mean).view(1, -1, 1, 1))
        self.register_buffer("std", (torch.ones(self.channels) if std is None else std).view(1, -1, 1, 1))

    def encode(self, images: Tensor) -> Tensor:
        """Latents (B, 32, h, w) of images (B, 3, H, W) in [0, 1]."""
        return (self.taef2.encode(images) - self.mean) / self.std

    def decode(self, latents: Tensor) -> Tensor:
        """Images (B, 3, H, W) in [0, 1] of latents (B, 32, h, w)."""
        return self.taef2.decode(latents * self.std + self.mean)

    def save(self, folder: Path) -> None:
        """Write config.json with the means and standard deviations, and the weights in float16."""
        folder.mkdir(parents=True, exist_ok=True)
        for part in ("encoder", "decoder"):
            state = getattr(self.taef2, part).state_dict()
            save_file({name: value.half().contiguous() for name, value in state.items()}, weights_file(folder, part))
        numbers = {name: getattr(self, name).flatten().tolist() for name in ("mean", "std")}
        (folder / CONFIG).write_text(json.dumps({"_class_name": "Taef2"} | numbers, indent=1) + "\n")


def weights_file(folder: Path, part: str) -> Path:
    """The file of TAEF2's encoder or decoder."""
    return folder / f"{TAEF2}_{part}.safetensors"


Autoencoder = StableAutoencoder | StandardTaef2


def bfloat16_is_fast(device: torch.device) -> bool:
    """Whether a device multiplies in bfloat16: a GPU, or a CPU with instructions for it (AMX, AVX512-BF16)."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    return device.type == "cpu" and torch.cpu._is_avx512_bf16_supported()
