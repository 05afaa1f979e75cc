"""Attention-guided noise learning (ANL): features must predict the noise that a frozen diffusion model predicts."""

from math import ceil
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from difffake.data.extras import Draw
from difffake.data.faces_to_draw import Drawing
from difffake.diffusion.latent_diffusion import LatentDiffusion
from difffake.diffusion.teacher import Teacher
from difffake.errors import UsageError
from difffake.models.detector import Detector, DetectorOutput
from difffake.models.encoder import Encoder
from difffake.models.saliency import log_saliency
from difffake.regularizers.base import Loss, Needs, Regularizer, TaughtBatch, TeacherArray
from difffake.regularizers.noise_learning.teacher import injected, teacher_noise

NoiseSource = Literal["image", "ddim_inversion", "injected"]


class NoiseLearning(Regularizer):
    """The student head and the two losses of attention-guided noise learning.

    This is this project's interpretation of an idea (arXiv 2604.14570) whose formulas and settings are not public. All
    defaults are this project's choice.

    Args:
        encoder: the detector's encoder; the student's input is its features.
        teacher: the frozen model, whose predicted noise the student must predict.
        lambda_noise: weight of the noise loss. With 0, the student is still trained, but no gradient of it reaches the
            encoder; so the attention loss can be tried alone.
        lambda_attention: weight of the attention loss; 0 removes the loss.
        noise_source: the frozen model's input at the timestep: image (the clean latent, used as if it were noisy),
            ddim_inversion (the latent after DDIM inversion to the timestep) or injected (the latent with added noise;
            the detector's input is this latent, decoded).
        timesteps: timesteps of the frozen model's schedule; the student predicts the noise of each. injected takes
            exactly one.
        temperature: divisor in the softmax that turns the predicted noise into attention; a larger temperature gives
            more even attention.
        inversion_steps: number of U-Net passes in a DDIM inversion.

    Raises `UserError` if a setting is out of its range.
    """

    def __init__(
        self,
        encoder: Encoder,
        teacher: Teacher,
        lambda_noise: float = 1.0,
        lambda_attention: float = 1.0,
        noise_source: NoiseSource = "image",
        timesteps: tuple[int, ...] = (50,),
        temperature: float = 1.0,
        inversion_steps: int = 10,
    ) -> None:
        super().__init__(encoder, teacher)
        timesteps = tuple(timesteps)
        if min(lambda_noise, lambda_attention) < 0 or not lambda_noise + lambda_attention:
            raise UsageError("noise_learning: lambda_noise and lambda_attention must be at least 0, and one above 0")
        if not timesteps or min(timesteps) < 0 or len(set(timesteps)) < len(timesteps):
            raise UsageError("noise_learning: timesteps must be one or several different numbers of at least 0")
        if noise_source == "injected" and len(timesteps) > 1:
            raise UsageError(
                "noise_learning: injected noise needs exactly one timestep, because the detector sees one image"
            )
        if temperature <= 0 or inversion_steps < 1:
            raise UsageError("noise_learning: temperature must be above 0, and inversion_steps at least 1")
        diffusion = teacher.diffusion
        if max(timesteps) >= diffusion.steps:
            raise UsageError(
                f"noise_learning: timesteps {list(timesteps)} are too large: the schedule of {teacher.config.name} "
                f"ends at {diffusion.steps - 1}"
            )
        self.lambda_noise = lambda_noise
        self.lambda_attention = lambda_attention
        self.timesteps = timesteps
        self.temperature = temperature
        self.injected = noise_source == "injected"
        self.inversion_steps = inversion_steps if noise_source == "ddim_inversion" else 0
        finer = ceil(encoder.stride / diffusion.scale)
        self.student = Student(encoder.channels, diffusion.channels * len(timesteps), finer)
        side = encoder.image_size // diffusion.scale
        self._noise = Draw((diffusion.channels, side, side))

    @property
    def needs(self) -> Needs:
        """The image's latents, and either the frozen model's predicted noise or random noise to add to the image."""
        if self.injected:
            return Needs(latents=True, draws={"noise": self._noise})
        settings = f"noise at {list(self.timesteps)} after {self.inversion_steps} steps of inversion"
        return Needs(latents=True, arrays={"noise": TeacherArray(self.teach, settings)})

    def teach(self, diffusion: LatentDiffusion, latents: Tensor) -> Tensor:
        """Noise (B, S c, h, w) that the frozen model predicts in clean latents (B, c, h, w) at the S timesteps."""
        return teacher_noise(diffusion, latents, self.timesteps, self.inversion_steps).flatten(1, 2)

    def predict(self, features: Tensor, size: tuple[int, int]) -> Tensor:
        """Standardized noise (B, S, 4, h, w) that the student predicts from features, for latents of `size` (h, w)."""
        return self.student(features, size).float().unflatten(1, (len(self.timesteps), -1))

    def change_images(self, batch: TaughtBatch, teacher: Teacher) -> Tensor:
        """Return the noisy images if noise is injected, else the images unchanged."""
        if not self.injected:
            return batch.image
        assert batch.latents is not None  # declared in `needs`
        images, noise = injected(teacher.diffusion, batch.latents.image, batch.draws["noise"], self.timesteps[0])
        batch.arrays["noise"] = noise.flatten(1, 2)
        return images

    def forward(self, output: DetectorOutput, batch: TaughtBatch, teacher: Teacher) -> dict[str, Loss]:
        """Losses by name.

        `noise` is the mean squared error between the student's prediction and the standardized noise; predicting zero
        gives 1. `attention` is the Kullback-Leibler divergence from the detector's saliency to the attention; it is
        zero if both are the same. Its gradient reaches the encoder through the saliency only: the attention is the
        fixed goal, so it does not move towards the saliency.
        """
        features = output.features
        noise = batch.arrays["noise"].unflatten(1, (len(self.timesteps), -1))
        given = features if self.lambda_noise else features.detach()
        predicted = self.predict(given, (noise.shape[3], noise.shape[4]))
        losses = {"noise": Loss(functional.mse_loss(predicted, standardized(noise)), self.lambda_noise or 1.0)}
        if self.lambda_attention:
            wanted = attention(predicted.detach(), self.temperature)
            distance = divergence(pooled(wanted, features.shape[2:]), log_saliency(features)).mean()
            losses["attention"] = Loss(distance, self.lambda_attention)
        return losses

    def draw(self, detector: Detector, teacher: Teacher, drawing: Drawing, folder: Path) -> dict[str, Any]:
        """Draw noise, attention and saliency on faces, and the coverage."""
        from difffake.regularizers.noise_learning.pictures import draw_noise

        return draw_noise(self, detector, teacher.diffusion, drawing, folder)


class Student(nn.Module):
    """Maps features (B, C, h', w') to maps (B, outputs, h, w): each position gives `finer` x `finer` positions.

    This is a sub-pixel convolution (Shi et al. 2016): the channels of one position describe the finer positions inside
    it. With an encoder of stride 32, nearly all variation of the noise is inside one position, where up-sampling alone
    cannot show it.

    Args:
        channels: number of channels C of the features.
        outputs: number of channels of the maps.
        finer: number of finer positions per position and axis.
        width: number of channels of the hidden layers.
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
        if unfolded.shape[2:] != size:  # the image's side is not a multiple of the encoder's stride
            unfolded = functional.interpolate(unfolded, size, mode="bilinear")
        return self.out(functional.silu(self.mix(unfolded)))


def standardized(noise: Tensor) -> Tensor:
    """Scale noise (B, S, 4, h, w) to mean 0 and variance 1 per image and timestep.

    The scale of predicted noise falls by orders of magnitude with the timestep, and says little about forgeries.
    """
    deviation, mean = torch.std_mean(noise.float(), dim=(2, 3, 4), keepdim=True, correction=0)
    return (noise - mean) / deviation.clamp(min=1e-6)


def attention(predicted: Tensor, temperature: float) -> Tensor:
    """Attention (B, h, w): softmax over positions of the mean |noise|, from predicted noise (B, S, 4, h, w)."""
    strength = predicted.abs().mean(dim=(1, 2))
    return (strength / temperature).flatten(1).softmax(dim=1).view_as(strength)


def pooled(attention: Tensor, size: tuple[int, ...]) -> Tensor:
    """Attention (B, h, w) on a coarser grid (B, *size); it still sums to 1 per image."""
    coarse = functional.adaptive_avg_pool2d(attention, (size[0], size[1]))
    return coarse / coarse.sum(dim=(1, 2), keepdim=True)


def divergence(wanted: Tensor, log_found: Tensor) -> Tensor:
    """Kullback-Leibler divergence KL(wanted || found) (B,) of distributions over positions (B, h, w).

    It is large if `found` is small where `wanted` is large.

    Args:
        wanted: the goal (B, h, w), sums to 1.
        log_found: logarithm of the other distribution (B, h, w).
    """
    return (torch.xlogy(wanted, wanted) - wanted * log_found).sum(dim=(1, 2))
