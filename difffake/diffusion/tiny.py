"""The small latent diffusion model of `difffake pretrain-guide` and of the package: its networks and folders."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors.torch import save_file
from torch import Tensor

from difffake.diffusion.autoencoder import Autoencoder, StableAutoencoder

if TYPE_CHECKING:
    from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel

PROMPT_FILE = "empty_prompt.safetensors"
"""File in a model's folder instead of text_encoder/ and tokenizer/: the empty prompt's embedding, named `prompt`."""
DRAWN_FACES = "drawn-faces"
"""Name of the model in the package, trained on drawn faces of 96 px."""
_PROMPT_SHAPE = (1, 1, 32)


def drawn_faces_folder() -> Path:
    """Folder of the model of drawn faces in the package."""
    return Path(__file__).parent / "drawn_faces"


def tiny_vae() -> "AutoencoderKL":
    """Untrained VAE of Stable Diffusion's class: 8 times down-sampling, 4 latent channels, 1.0 M parameters."""
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(16, 32, 64, 64),
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=8,
        sample_size=96,
        scaling_factor=1.0,
    )


def tiny_unet(channels: int = 4, side: int = 12, width: int = 48) -> "UNet2DConditionModel":
    """Untrained U-Net of Stable Diffusion's class: two levels, attention on the lower level.

    Args:
        channels: number of channels of the latents.
        side: side of the latents that it is trained on.
        width: channels of the upper level, half of the lower level's; 2.2 M parameters for 48, 8.9 M for 96.
    """
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(
        sample_size=side,
        in_channels=channels,
        out_channels=channels,
        block_out_channels=(width, 2 * width),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        layers_per_block=1,
        cross_attention_dim=_PROMPT_SHAPE[2],
        attention_head_dim=4,
        norm_num_groups=8,
    )


def tiny_scheduler() -> "DDPMScheduler":
    """Stable Diffusion's noise schedule."""
    from diffusers import DDPMScheduler

    return DDPMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1, clip_sample=False
    )


def tiny_prompt() -> Tensor:
    """Embedding (1, 1, 32) of zeros, for a model without text."""
    return torch.zeros(_PROMPT_SHAPE)


def save_diffusion(
    folder: Path,
    vae: "AutoencoderKL | Autoencoder",
    unet: "UNet2DConditionModel",
    scheduler: "DDPMScheduler",
    prompt: Tensor,
) -> None:
    """Write a model to a folder in diffusers' layout, weights in float16 (safetensors)."""
    own = vae if isinstance(vae, Autoencoder) else StableAutoencoder(vae)
    own.save(folder / "vae")
    unet.half().save_pretrained(folder / "unet")
    scheduler.save_pretrained(folder / "scheduler")
    save_file({"prompt": prompt.half()}, folder / PROMPT_FILE)
    index = {
        "_class_name": "StableDiffusionPipeline",
        "scheduler": ["diffusers", "DDPMScheduler"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"] if isinstance(own, StableAutoencoder) else ["difffake", "Taef2"],
    }
    (folder / "model_index.json").write_text(json.dumps(index, indent=2) + "\n")
