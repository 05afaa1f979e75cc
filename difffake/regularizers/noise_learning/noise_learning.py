"""Attention-guided noise learning (ANL): features must predict the noise that a frozen diffusion model sees."""

from dataclasses import dataclass
from math import ceil, log
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from difffake.diffusion.latent_diffusion import LatentDiffusion
from difffake.errors import UserError
from difffake.models.encoder import Encoder

NoiseSource = Literal["image", "ddim_inversion", "injected"]


@dataclass(frozen=True)
class NoiseLearningConfig:
    """Settings of noise learning. The paper's are not public: all defaults are this project's own choice.

    Args:
        lambda_noise: weight of the noise loss. With 0 the student still learns, from features that it cannot change,
            so that the attention loss alone can be tried.
        lambda_attention: weight of the attention loss; with 0 it is left out.
        noise_source: what the frozen model sees at the timestep: image (the clean latent, as if it were a noisy
            one), ddim_inversion (the latent taken there by DDIM inversion) or injected (the latent with noise added,
            which the detector sees decoded).
        timesteps: of the frozen model's schedule, each predicted by the student; one for injected.
        temperature: of the softmax that makes attention of the predicted noise; the larger, the more even.
        inversion_steps: U-Net passes of a DDIM inversion.
    """

    lambda_noise: float = 1.0
    lambda_attention: float = 1.0
    noise_source: NoiseSource = "image"
    timesteps: tuple[int, ...] = (50,)
    temperature: float = 1.0
    inversion_steps: int = 10

    def __post_init__(self) -> None:
        if min(self.lambda_noise, self.lambda_attention) < 0 or not self.lambda_noise + self.lambda_attention:
            raise UserError("noise_learning: lambda_noise and lambda_attention must be at least 0, and one above 0")
        if not self.timesteps or min(self.timesteps) < 0 or len(set(self.timesteps)) < len(self.timesteps):
            raise UserError("noise_learning.timesteps must be one or several different numbers of at least 0")
        if self.noise_source == "injected" and len(self.timesteps) > 1:
            raise UserError("noise_learning.timesteps: injected noise takes one, because the detector sees one image")
        if self.temperature <= 0 or self.inversion_steps < 1:
            raise UserError("noise_learning: temperature must be above 0, and inversion_steps at least 1")


class NoiseLearning(nn.Module):
    """Student head and its two losses; only training needs it.

    This project's reading of a public idea (arXiv 2604.14570), whose formulas are not public.

    Args:
        channels: of the encoder's features.
        latent_channels: of the frozen model's latents.
        finer: how many of the latent's positions lie along the side of one of the features.
        config: weights and variants.
    """

    def __init__(self, channels: int, latent_channels: int, finer: int, config: NoiseLearningConfig) -> None:
        super().__init__()
        self.config = config
        self.student = Student(channels, latent_channels * len(config.timesteps), finer)

    @property
    def loss_weights(self) -> dict[str, float]:
        """What each of the losses of `forward` counts in the sum."""
        weights = {"noise": self.config.lambda_noise or 1.0}
        return weights | ({"attention": self.config.lambda_attention} if self.config.lambda_attention else {})

    def predict(self, features: Tensor, size: tuple[int, int]) -> Tensor:
        """Standardised noise (B, S, 4, h, w) of S timesteps told by features (B, C, h', w'), for latents of `size`."""
        steps = len(self.config.timesteps)
        return self.student(features, size).float().unflatten(1, (steps, -1))

    def forward(self, features: Tensor, noise: Tensor) -> dict[str, Tensor]:
        """Losses by name, from features (B, C, h', w') and the frozen model's predictions (B, S, 4, h, w).

        `noise`: mean squared error between the student's prediction and the standardised noise; 1 is what predicting
        nothing gives. `attention`: Kullback-Leibler divergence from the detector's saliency to the attention, which
        is zero where the detector looks as evenly as the predicted noise is spread. Its gradient reaches the encoder
        through the saliency alone: the attention is what is aimed at, so it does not come towards the saliency.
        """
        given = features if self.config.lambda_noise else features.detach()
        predicted = self.predict(given, (noise.shape[3], noise.shape[4]))
        losses = {"noise": functional.mse_loss(predicted, standardised(noise))}
        if self.config.lambda_attention:
            wanted = attention(predicted.detach(), self.config.temperature)
            losses["attention"] = divergence(pooled(wanted, features.shape[2:]), log_saliency(features)).mean()
        return losses


class Student(nn.Module):
    """Features (B, C, h', w') to maps (B, outputs, h, w): each position unfolds into `finer` x `finer`.

    Unfolding (sub-pixel convolution, Shi et al. 2016) lets the channels of a feature say what lies where inside of it.
    Nearly all of the noise varies inside of one position of an encoder with stride 32, of which up-sampling can tell
    next to nothing.
    """

    def __init__(self, channels: int, outputs: int, finer: int, width: int = 32) -> None:
        super().__init__()
        self.finer = finer
        self.narrow = nn.Conv2d(channels, width * finer**2, 1)
        self.mix = nn.Conv2d(width, width, 3, padding=1)
        self.out = nn.Conv2d(width, outputs, 3, padding=1)

    def forward(self, features: Tensor, size: tuple[int, int]) -> Tensor:
        """Maps (B, outputs, *size)."""
        unfolded = functional.pixel_shuffle(functional.silu(self.narrow(features)), self.finer)
        if unfolded.shape[2:] != size:  # the image's side is no multiple of the encoder's stride
            unfolded = functional.interpolate(unfolded, size, mode="bilinear")
        return self.out(functional.silu(self.mix(unfolded)))


def build_noise_learning(encoder: Encoder, diffusion: LatentDiffusion, config: NoiseLearningConfig) -> NoiseLearning:
    """Student and losses for an encoder's features and a frozen model's latents."""
    return NoiseLearning(encoder.channels, diffusion.channels, ceil(encoder.stride / diffusion.scale), config)


def standardised(noise: Tensor) -> Tensor:
    """Noise (B, S, 4, h, w) with mean 0 and variance 1 over each image and timestep.

    Its scale falls by orders of magnitude with the timestep, and says little of a forgery.
    """
    deviation, mean = torch.std_mean(noise.float(), dim=(2, 3, 4), keepdim=True, correction=0)
    return (noise - mean) / deviation.clamp(min=1e-6)


def attention(predicted: Tensor, temperature: float) -> Tensor:
    """Where noise is predicted: softmax over positions (B, h, w) of the mean |noise| of (B, S, 4, h, w)."""
    strength = predicted.abs().mean(dim=(1, 2))
    return (strength / temperature).flatten(1).softmax(dim=1).view_as(strength)


def pooled(attention: Tensor, size: tuple[int, ...]) -> Tensor:
    """Attention (B, h, w) on a coarser grid (B, *size); still sums to 1."""
    coarse = functional.adaptive_avg_pool2d(attention, (size[0], size[1]))
    return coarse / coarse.sum(dim=(1, 2), keepdim=True)


def log_saliency(features: Tensor) -> Tensor:
    """Logarithm (B, h', w') of where the detector looks: each position's share of the energy of (B, C, h', w').

    The energy is the mean square over channels. Its share is the softmax of its logarithm, so features of any scale
    give the same saliency. (The softmax of the energy itself depends on that scale; of the energy relative to its mean,
    it is nearly even whatever the features are.)
    """
    energy = features.float().square().mean(dim=1)
    # A logarithm of nothing has no gradient.
    energy = energy + 1e-6 * energy.mean(dim=(1, 2), keepdim=True) + 1e-12
    return energy.log().flatten(1).log_softmax(dim=1).view_as(energy)


def divergence(wanted: Tensor, log_found: Tensor) -> Tensor:
    """Kullback-Leibler divergence (B,) of distributions over positions (B, h, w), the second as a logarithm.

    Large where `wanted` lies and the other does not, so that no wanted place is left out.
    """
    return (torch.xlogy(wanted, wanted) - wanted * log_found).sum(dim=(1, 2))


def coverage(features: Tensor) -> Tensor:
    """How evenly a detector looks at an image (B,), from features (B, C, h', w'): 0 one place alone, 1 all alike.

    The entropy of its saliency as a share of the largest possible, log(h' w').
    """
    found = log_saliency(features).flatten(1)
    if found.shape[1] == 1:
        return torch.ones(len(found), device=found.device)
    return -(found.exp() * found).sum(dim=1) / log(found.shape[1])
