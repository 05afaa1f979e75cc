"""A frozen latent diffusion model: the teacher of the guide branch and of noise learning."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import Tensor, nn

from difffake.diffusion.attention import Attention
from difffake.diffusion.autoencoder import Autoencoder, StableAutoencoder, bfloat16_is_fast
from difffake.diffusion.fingerprint import fingerprint

if TYPE_CHECKING:
    from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel

M = TypeVar("M", bound=nn.Module)


class LatentDiffusion:
    """VAE, U-Net, noise schedule and the embedding of the empty prompt, all frozen.

    It is not an `nn.Module`, so that a module with a reference to it does not save, train or synchronize it.

    Args:
        vae: diffusers' AutoencoderKL, or another `Autoencoder`.
        unet: diffusers' UNet2DConditionModel; it runs in the precision of its weights.
        scheduler: schedule of the training noise, from step 0 to `steps` - 1.
        prompt: (1, L, D), embedding of the empty prompt.
        name: Hub name or folder that it was loaded from.
        exact: function that gives the U-Net in the precision of its file; None if `unet` has this precision.

    Source: Rombach et al., CVPR 2022.
    """

    def __init__(
        self,
        vae: "AutoencoderKL | Autoencoder",
        unet: "UNet2DConditionModel",
        scheduler: "DDPMScheduler",
        prompt: Tensor,
        name: str = "",
        exact: "Callable[[], UNet2DConditionModel] | None" = None,
    ) -> None:
        self.exact_unet = exact or (lambda: self.unet)
        self.vae: Autoencoder = _frozen(vae if isinstance(vae, Autoencoder) else StableAutoencoder(vae))
        self.unet = _frozen(unet)
        self.unet.set_attn_processor(Attention())
        self.scheduler = scheduler
        self.prompt = prompt.to(unet.dtype)
        self.name = name
        self.signal = scheduler.alphas_cumprod.float()
        """(T,), alpha-bar: share of the image's variance that is left at each step."""
        self.steps = len(self.signal)
        self.vae_fingerprint = fingerprint(self.vae.state_dict())
        """SHA-256 of the autoencoder's weights, to recognize cached latents."""

    def __deepcopy__(self, memo: dict[int, object]) -> "LatentDiffusion":
        # It never changes, so a copy of its owner, such as a moving average of a training module, shares it.
        return self

    @property
    def scale(self) -> int:
        """Pixels per latent position along each axis: 8 for Stable Diffusion."""
        return self.vae.scale

    @property
    def channels(self) -> int:
        """Number of channels of latents: 4 for Stable Diffusion."""
        return self.vae.channels

    @property
    def width(self) -> int:
        """Number of channels after the U-Net's first convolution: 320 for Stable Diffusion 1.5."""
        return int(self.unet.config["block_out_channels"][0])

    @property
    def device(self) -> torch.device:
        """Device of the model."""
        return self.prompt.device

    def fingerprint(self) -> str:
        """SHA-256 of all weights, the schedule and the prompt's embedding. Takes seconds for Stable Diffusion."""
        parts = {f"unet.{name}": value for name, value in self.unet.state_dict().items()}
        return fingerprint(parts | {"signal": self.signal, "prompt": self.prompt, "vae": _text(self.vae_fingerprint)})

    def to(self, device: torch.device | str) -> "LatentDiffusion":
        """Move all parts in place; returns the model itself."""
        self.vae.to(device)
        self.unet.to(device)
        self.prompt = self.prompt.to(device)
        self.signal = self.signal.to(device)
        return self

    @torch.no_grad()
    def encode(self, images: Tensor) -> Tensor:
        """Latents (B, 4, h, w) float32 of images (B, 3, H, W) in [0, 1], with about unit variance.

        They are the mean of the VAE's distribution, so that they can be cached. DiffusionFake's code draws samples.
        """
        with self._coding(images.device):
            return self.vae.encode(images.float()).float()

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        """Images (B, 3, H, W) in [0, 1] of latents (B, 4, h, w)."""
        with self._coding(latents.device):
            return self.vae.decode(latents.float()).float()

    def _coding(self, device: torch.device) -> torch.autocast:
        """bfloat16 for autoencoders that work in it, where it is fast; float32 for all others."""
        half = self.vae.half_precision and bfloat16_is_fast(device)
        return torch.autocast(device.type, torch.bfloat16, enabled=half)

    def add_noise(self, latents: Tensor, noise: Tensor, timestep: Tensor) -> Tensor:
        """Noisy latents (B, 4, h, w) at steps (B,): `sqrt(a) z + sqrt(1 - a) noise` with a = alpha-bar."""
        left = self.signal[timestep].view(-1, 1, 1, 1)
        return left.sqrt() * latents + (1 - left).sqrt() * noise

    def predict_noise(
        self, noisy: Tensor, timestep: Tensor, down: Sequence[Tensor] | None = None, middle: Tensor | None = None
    ) -> Tensor:
        """The noise (B, 4, h, w) float32 that the U-Net predicts. Models that predict velocity work too.

        Args:
            noisy: noisy latents (B, 4, h, w).
            timestep: timesteps (B,).
            down: tensors that are added to the decoder's skip connections, as those of a ControlNet, with gradients.
            middle: tensor that is added to the output of the middle block, with gradients.
        """
        dtype = self.unet.dtype
        with torch.autocast(noisy.device.type, enabled=False):
            out = self.unet(
                noisy.to(dtype),
                timestep,
                self.prompt.expand(len(noisy), -1, -1),
                down_block_additional_residuals=None if down is None else [part.to(dtype) for part in down],
                mid_block_additional_residual=None if middle is None else middle.to(dtype),
            ).sample.float()
        if self.scheduler.config["prediction_type"] == "epsilon":
            return out
        left = self.signal[timestep].view(-1, 1, 1, 1)  # velocity: sqrt(a) noise - sqrt(1 - a) z
        return left.sqrt() * out + (1 - left).sqrt() * noisy


def _text(text: str) -> Tensor:
    return torch.tensor(list(text.encode()), dtype=torch.uint8)


def _frozen(module: M) -> M:
    # With channels_last, EfficientNets and U-Nets run faster on a CPU, and in half precision on a GPU.
    return module.requires_grad_(False).eval().to(memory_format=torch.channels_last)
