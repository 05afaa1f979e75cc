"""DiffusionFake's guide branch: a frozen diffusion model must reconstruct source and target from the features."""

from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from difffake.data.extras import Draw
from difffake.data.faces_to_draw import Drawing
from difffake.diffusion.attention import Attention
from difffake.diffusion.latent_diffusion import LatentDiffusion
from difffake.diffusion.teacher import Teacher
from difffake.distributed import ranks, total
from difffake.errors import UsageError
from difffake.models.detector import Detector, DetectorOutput
from difffake.models.encoder import Encoder
from difffake.regularizers.base import Loss, Needs, Regularizer, TaughtBatch
from difffake.regularizers.guide.feature_filter import FeatureFilter, Projection, PublishedFilter
from difffake.regularizers.guide.weight_module import (
    ConstantWeight,
    ConvolutionalWeight,
    LinearWeight,
    Similarity,
    similarity,
)


class Conditions(NamedTuple):
    """Conditions and weights that the guide computes from the features of B images."""

    source: Tensor
    """(B, width, h, w): f_s."""
    target: Tensor
    """(B, width, h, w): f_t."""
    source_weight: Tensor
    """(B,) in (0, 1): W_s."""
    target_weight: Tensor
    """(B,) in (0, 1): W_t."""


class Guide(Regularizer):
    """Feature filters, weight modules, and a trainable copy of the frozen U-Net's encoder with zero convolutions.

    Its losses are those of DiffusionFake (arXiv 2410.04372, section 3); the defaults are the paper's.

    Args:
        encoder: the detector's encoder, whose features guide the frozen model.
        teacher: the frozen model; its U-Net's encoder and middle block are copied.
        lambda_source: weight of the source's loss; 1 in the published code.
        lambda_target: weight of the target's loss.
        feature_filter: full; published (that of the published code, 23 times as large); or none (a 1x1 convolution) for
            the ablation.
        weight: linear, convolutional (as in the published code), or none (constant 1) for the ablation.
        similarity: similarity that the weights are trained to predict: cosine, or shifted_cosine as in the published
            code.
        shared_noise: use the same noise and timestep for source and target, as the published code does.
        checkpointing: recompute activations in the backward pass, which saves memory but takes more time.

    Raises `UserError` if a lambda is negative.
    """

    harmless = frozenset({"checkpointing"})

    def __init__(
        self,
        encoder: Encoder,
        teacher: Teacher,
        lambda_source: float = 0.7,
        lambda_target: float = 1.0,
        feature_filter: Literal["full", "published", "none"] = "full",
        weight: Literal["linear", "convolutional", "none"] = "linear",
        similarity: Similarity = "cosine",
        shared_noise: bool = False,
        checkpointing: bool = False,
    ) -> None:
        super().__init__(encoder, teacher)
        from diffusers import ControlNetModel

        if lambda_source < 0 or lambda_target < 0:
            raise UsageError("guide: lambda_source and lambda_target must be at least 0")
        diffusion, channels = teacher.diffusion, encoder.channels
        self.lambdas = {"source": lambda_source, "target": lambda_target}
        self.weighted = weight != "none"
        self.similarity: Similarity = similarity
        self.shared_noise = shared_noise
        side = encoder.image_size // diffusion.scale
        noise = Draw((2, diffusion.channels, side, side))  # of the source and of the target
        self._needs = Needs(partners=True, draws={"noise": noise, "timestep": Draw((2,), below=diffusion.steps)})
        filters = {"full": FeatureFilter, "published": PublishedFilter, "none": Projection}[feature_filter]
        self.source_filter = filters(channels, diffusion.width)
        self.target_filter = filters(channels, diffusion.width)
        weights = {"linear": LinearWeight, "convolutional": ConvolutionalWeight, "none": ConstantWeight}[weight]
        self.source_weight = weights(channels)
        self.target_weight = weights(channels)
        # The copy is that of ControlNet, but its condition comes from features instead of an image. It is trained, so
        # its weights are float32, and start as they are in the file, not rounded to the frozen model's precision.
        self.copy = ControlNetModel.from_unet(diffusion.exact_unet()).float()
        self.copy.controlnet_cond_embedding = nn.Identity()
        self.copy.set_attn_processor(Attention())
        self.copy.requires_grad_(True).train().to(memory_format=torch.channels_last)
        if checkpointing:
            self.copy.enable_gradient_checkpointing()
            diffusion.unet.enable_gradient_checkpointing()

    @property
    def needs(self) -> Needs:
        """Latents of image, source and target, and the noises and timesteps for source and target."""
        return self._needs

    @property
    def heavy_parts(self) -> list[nn.Module]:
        """The copy of the U-Net's encoder."""
        return [self.copy]

    def conditions(self, features: Tensor, size: tuple[int, int]) -> Conditions:
        """Compute conditions and weights from features (B, C, h', w'), for latents of `size` (h, w)."""
        return Conditions(
            self.source_filter(features, size),
            self.target_filter(features, size),
            self.source_weight(features),
            self.target_weight(features),
        )

    def predict_noise(
        self, diffusion: LatentDiffusion, noisy: Tensor, timestep: Tensor, condition: Tensor, weight: Tensor
    ) -> Tensor:
        """Predict the noise (B, 4, h, w) in noisy latents with the frozen model and the guide.

        Before the first optimizer step, the prediction is that of the frozen model alone, because the outputs of the
        copy pass through zero convolutions.

        Args:
            diffusion: the frozen model.
            noisy: noisy latents (B, 4, h, w).
            timestep: timestep (B,) of each image.
            condition: condition f (B, width, h, w) of the source or target.
            weight: weight W (B,) of the source or target.
        """
        prompt = diffusion.prompt.float().expand(len(noisy), -1, -1)
        down, middle = self.copy(
            noisy, timestep, prompt, condition, conditioning_scale=weight.view(-1, 1, 1, 1), return_dict=False
        )
        return diffusion.predict_noise(noisy, timestep, down, middle)

    def forward(self, output: DetectorOutput, batch: TaughtBatch, teacher: Teacher) -> dict[str, Loss]:
        """Losses by name, each a mean over the images whose source and target are known; 0 if there is no such image.

        With several ranks, all ranks must call it. The mean over ranks is the mean over all their known images.

        `source` and `target`: mean squared error between the noise and its prediction, L_s and L_t. `source_weight`
        and `target_weight`: squared error between weight and similarity, L_ws and L_wt.
        """
        latents, diffusion = batch.latents, teacher.diffusion
        assert latents is not None  # declared in `needs`
        found = self.conditions(output.features, (latents.image.shape[2], latents.image.shape[3]))
        # Both branches in one pass: twice the batch runs faster than two batches.
        clean = torch.cat([latents.source, latents.target])
        which = (0, 0) if self.shared_noise else (0, 1)
        injected = torch.cat([batch.draws["noise"][:, branch] for branch in which])
        timestep = torch.cat([batch.draws["timestep"][:, branch] for branch in which])
        predicted = self.predict_noise(
            diffusion,
            diffusion.add_noise(clean, injected, timestep),
            timestep,
            torch.cat([found.source, found.target]),
            torch.cat([found.source_weight, found.target_weight]),
        )
        error = (predicted - injected).square().mean((1, 2, 3))
        losses = dict(zip(("source", "target"), error.chunk(2), strict=True))
        if self.weighted:
            for name, weight, other in (
                ("source", found.source_weight, latents.source),
                ("target", found.target_weight, latents.target),
            ):
                wanted = similarity(latents.image, other, self.similarity)
                losses[f"{name}_weight"] = (weight.float() - wanted).square()
        # All images are computed, and those with unknown partners are left out afterwards. So shapes are the same in
        # every step, and every weight gets a gradient on every rank.
        known = latents.known.float()
        # This gives the mean over all ranks' known images, not a mean of means: DDP averages the ranks' gradients.
        count = total(known.sum()).clamp(min=1) / ranks()
        return {name: Loss((loss * known).sum() / count, self.lambdas.get(name, 1.0)) for name, loss in losses.items()}

    def draw(self, detector: Detector, teacher: Teacher, drawing: Drawing, folder: Path) -> dict[str, Any]:
        """Draw reconstructed sources and targets, weights and feature distances."""
        from difffake.regularizers.guide.pictures import draw_guide

        return draw_guide(self, detector, teacher.diffusion, drawing, folder)
