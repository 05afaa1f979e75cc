"""TAEF2, the tiny autoencoder of FLUX.2's latents: 8 times down-sampling, 32 channels, 1.3 M parameters each way."""

import os
import pickle
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from difffake.diffusion.fingerprint import fingerprint
from difffake.errors import UserError
from difffake.faces.model_file import cache_folder

TAEF2 = "taef2"
"""Name of this autoencoder in options."""
VARIABLE = "DIFFFAKE_TAEF2"
"""Environment variable with the folder of the two files of weights."""
SOURCE = "https://github.com/madebyollin/taesd"
SHA256 = {
    "encoder": "6918453a0228da434d86315ca6ea3e57bd1e6ed2cf530e14ffb6d4e0659ddca8",
    "decoder": "ed18b6801c7668dbe13d0e7f9986df1f87a29a0253a62b9e8c88b403360d5720",
}
"""SHA-256 of each part's weights in float16 (`fingerprint`), so that it does not matter in which format they are."""
_WIDTH = 64
_FORMATS = (".safetensors", ".pth")


class Taef2(nn.Module):
    """The autoencoder, for images in [0, 1] and latents (B, 32, h, w) as FLUX.2 has them.

    Source: Ollin Boer Bohan, https://github.com/madebyollin/taesd (MIT license). It differs from the tiny autoencoder
    of Stable Diffusion by the pooled paths of the blocks at the lowest resolution.
    """

    scale = 8
    channels = 32
    half_precision = True
    """Whether it works in bfloat16 too."""

    def __init__(self) -> None:
        super().__init__()
        stages = [[_Block() for _ in range(3)] for _ in range(3)]
        self.encoder = nn.Sequential(
            _conv(3, _WIDTH), _Block(), _down(), *stages[0], _down(), *stages[1], _down(), *_pooled(), _conv(_WIDTH, 32)
        )
        self.decoder = nn.Sequential(
            _Bounded(), _conv(32, _WIDTH), nn.ReLU(), *_pooled(), *_up(), *(_Block() for _ in range(3)), *_up(),
            *(_Block() for _ in range(3)), *_up(), _Block(), _conv(_WIDTH, 3),
        )  # fmt: skip

    def encode(self, images: Tensor) -> Tensor:
        """Latents (B, 32, H / 8, W / 8) of images (B, 3, H, W) in [0, 1]; sides are multiples of 8."""
        return _in_float32(self.encoder, images)

    def decode(self, latents: Tensor) -> Tensor:
        """Images (B, 3, 8 h, 8 w) in [0, 1] of latents (B, 32, h, w)."""
        return _in_float32(self.decoder, latents).clamp(0, 1)


def _in_float32(layers: nn.Sequential, x: Tensor) -> Tensor:
    """The output of layers, of which the last one is in float32 even where the network runs in bfloat16.

    That has fewer values above 0.5 than an image has levels, and levels that are used unevenly tell a rebuilt image.
    """
    inner = layers[:-1](x)
    with torch.autocast(x.device.type, enabled=False):
        return layers[-1](inner.float())


class _Block(nn.Module):
    """Three convolutions with a skip connection; with `pooled`, first four groups that share one scale each."""

    def __init__(self, pooled: bool = False) -> None:
        super().__init__()
        layers = [_conv(_WIDTH, _WIDTH), nn.ReLU(), _conv(_WIDTH, _WIDTH), nn.ReLU(), _conv(_WIDTH, _WIDTH)]
        self.conv = nn.Sequential(*layers)
        self.pool = None
        if pooled:
            wide = 4 * _WIDTH
            self.pool = nn.Sequential(
                nn.Conv2d(_WIDTH, wide, 1, bias=False), nn.GroupNorm(4, wide), nn.ReLU(),
                nn.Conv2d(wide, _WIDTH, 1, bias=False),
            )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        if self.pool is not None:
            x = x + self.pool(x)
        return torch.relu(self.conv(x) + x)


class _Bounded(nn.Module):
    """Keeps latents between -3 and 3, smoothly."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(x / 3) * 3


def _conv(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1)


def _down() -> nn.Conv2d:
    return nn.Conv2d(_WIDTH, _WIDTH, 3, stride=2, padding=1, bias=False)


def _up() -> tuple[nn.Module, nn.Module]:
    return nn.Upsample(scale_factor=2), nn.Conv2d(_WIDTH, _WIDTH, 3, padding=1, bias=False)


def _pooled() -> list[_Block]:
    return [_Block(pooled=True) for _ in range(3)]


def load_taef2(folder: Path | None = None) -> Taef2:
    """Load the weights: from `folder`, else from $DIFFFAKE_TAEF2, else from the folder `taef2` of the user's cache.

    The folder has taef2_encoder and taef2_decoder, each as .safetensors or as .pth (without code).

    Raises `UserError` if a file is missing, broken or has other weights.
    """
    named = folder or (Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None)
    found = named or cache_folder() / TAEF2
    model = Taef2()
    for part, network in (("encoder", model.encoder), ("decoder", model.decoder)):
        files = [found / f"{TAEF2}_{part}{ending}" for ending in _FORMATS]
        file = next((file for file in files if file.is_file()), None)
        if file is None:
            raise UserError(
                f"{files[0]} does not exist: get taef2_encoder.pth and taef2_decoder.pth from {SOURCE}, and set "
                f"${VARIABLE} to their folder"
            )
        network.load_state_dict(_weights(file, part))
    return model.requires_grad_(False).eval()


def _weights(file: Path, part: str) -> dict[str, Tensor]:
    try:
        state = load_file(file) if file.suffix == ".safetensors" else torch.load(file, "cpu", weights_only=True)
        found = fingerprint({name: value.half() for name, value in state.items()})
    except (SafetensorError, OSError, pickle.UnpicklingError, RuntimeError, AttributeError, EOFError) as error:
        raise UserError(f"{file} cannot be read ({error}): copy it again from {SOURCE}") from error
    if found != SHA256[part]:
        raise UserError(f"{file} has other weights than TAEF2's {part} (SHA-256 {found[:8]}...): copy it from {SOURCE}")
    return state
