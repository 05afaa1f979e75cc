"""Attention-guided noise learning (ANL): features must predict the noise that a frozen diffusion model sees."""

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
    """Student head and its two losses: attention-guided noise learning.

    This project's reading of a public idea (arXiv 2604.14570), whose formulas and settings are not public: all defaults
    are this project's own choice.

    Args:
        encoder: the detector's encoder, from whose features the student predicts.
        teacher: the frozen model, whose noise is predicted.
        lambda_noise: weight of the noise loss. With 0 the student still learns, from features that it cannot change,
            so that the attention loss alone can be tried.
        lambda_attention: weight of the attention loss; with 0 it is left out.
        noise_source: what the frozen model sees at the timestep: image (the clean latent, as if it were a noisy
            one), ddim_inversion (the latent taken there by DDIM inversion) or injected (the latent with noise added,
            which the detector sees decoded).
        timesteps: steps of the frozen model's schedule, each predicted by the student; one for injected.
        temperature: divisor in the softmax that makes attention of the predicted noise; a larger one makes it more
            even.
        inversion_steps: U-Net passes of a DDIM inversion.

    Raises `UserError` for a setting out of its range.
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
            raise UsageError("noise_learning: injected noise takes one timestep, because the detector sees one image")
        if temperature <= 0 or inversion_steps < 1:
            raise UsageError("noise_learning: temperature must be above 0, and inversion_steps at least 1")
        diffusion = teacher.diffusion
        if max(timesteps) >= diffusion.steps:
            raise UsageError(
                f"noise_learning: timesteps {list(timesteps)} do not fit: the schedule of {teacher.config.name} ends "
                f"at {diffusion.steps - 1}"
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
        """The image's latents; and the noise that the frozen model sees, or the noise to add to the image."""
        if self.injected:
            return Needs(latents=True, draws={"noise": self._noise})
        settings = f"noise at {list(self.timesteps)} after {self.inversion_steps} steps of inversion"
        return Needs(latents=True, arrays={"noise": TeacherArray(self.teach, settings)})

    def teach(self, diffusion: LatentDiffusion, latents: Tensor) -> Tensor:
        """What the frozen model predicts (B, S c, h, w) in clean latents (B, c, h, w) at the S timesteps."""
        return teacher_noise(diffusion, latents, self.timesteps, self.inversion_steps).flatten(1, 2)

    def predict(self, features: Tensor, size: tuple[int, int]) -> Tensor:
        """Standardized noise (B, S, 4, h, w) of S timesteps told by features (B, C, h', w'), for latents of `size`."""
        return self.student(features, size).float().unflatten(1, (len(self.timesteps), -1))

    def change_images(self, batch: TaughtBatch, teacher: Teacher) -> Tensor:
        """With injected noise the detector sees the noisy image; else the images stay as they are."""
        if not self.injected:
            return batch.image
        assert batch.latents is not None  # declared in `needs`
        images, noise = injected(teacher.diffusion, batch.latents.image, batch.draws["noise"], self.timesteps[0])
        batch.arrays["noise"] = noise.flatten(1, 2)
        return images

    def forward(self, output: DetectorOutput, batch: TaughtBatch, teacher: Teacher) -> dict[str, Loss]:
        """Losses by name.

        `noise`: mean squared error between the student's prediction and the standardized noise; 1 is what predicting
        nothing gives. `attention`: Kullback-Leibler divergence from the detector's saliency to the attention, which
        is zero where the detector looks as evenly as the predicted noise is spread. Its gradient reaches the encoder
        through the saliency alone: the attention is what is aimed at, so it does not come towards the saliency.
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
        """Noise, attention and saliency on faces, and the coverage."""
        from difffake.regularizers.noise_learning.pictures import draw_noise

        return draw_noise(self, detector, teacher.diffusion, drawing, folder)


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


def standardized(noise: Tensor) -> Tensor:
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


def divergence(wanted: Tensor, log_found: Tensor) -> Tensor:
    """Kullback-Leibler divergence (B,) of distributions over positions (B, h, w), the second as a logarithm.

    Large where `wanted` lies and the other does not, so that no wanted place is left out.
    """
    return (torch.xlogy(wanted, wanted) - wanted * log_found).sum(dim=(1, 2))
