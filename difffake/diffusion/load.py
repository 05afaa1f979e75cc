"""Loading a frozen latent diffusion model by name: Stable Diffusion from the Hub or a folder, or the package's own."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from difffake.diffusion.autoencoder import CONFIG, Autoencoder, StableAutoencoder, StandardTaef2
from difffake.diffusion.latent_diffusion import LatentDiffusion
from difffake.diffusion.taef2 import TAEF2, Taef2, load_taef2
from difffake.diffusion.tiny import DRAWN_FACES, PROMPT_FILE, drawn_faces_folder
from difffake.errors import UserError


@dataclass(frozen=True)
class DiffusionConfig:
    """The frozen diffusion model of a run.

    Args:
        name: drawn-faces (a small model in the package, trained on drawn faces), a folder in diffusers' layout, such as
            one from `difffake pretrain-guide`, or a Hub name such as stable-diffusion-v1-5/stable-diffusion-v1-5.
        precision: precision of the U-Net; bfloat16 halves its time and memory on a GPU. The VAE is always in float32.
        pretrained: whether the U-Net has its trained weights; false gives random weights (ablation). The VAE always has
            its trained weights, because latents of a random VAE have no meaning.
    """

    name: str = DRAWN_FACES
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    pretrained: bool = True


def load_diffusion(config: DiffusionConfig = DiffusionConfig(), seed: int = 0) -> LatentDiffusion:
    """Load a diffusion model to the CPU.

    The text encoder is loaded only to embed the empty prompt once. Weights are read only from safetensors files, so no
    code in them is run.

    Args:
        config: name and settings of the model.
        seed: random seed of the weights if they are not pretrained.

    Raises:
        UserError: the name is neither a folder nor on the Hub, a file is missing or broken, or the model is of another
            kind.
    """
    name = str(drawn_faces_folder()) if config.name == DRAWN_FACES else config.name
    local = Path(name).exists() or Path(name).parent.is_dir() or name.startswith((".", "/", "~"))
    if not Path(name).is_dir() and (local or name.count("/") != 1):
        raise UserError(
            f"diffusion model {name} is neither a folder nor a Hub name: give a folder in diffusers' layout, "
            "such as one of difffake pretrain-guide, or stable-diffusion-v1-5/stable-diffusion-v1-5"
        )
    # Imported here, because a detector must load without diffusers.
    from diffusers import DDPMScheduler, UNet2DConditionModel

    def exact_unet() -> Any:
        unet = load_part(name, "unet", UNet2DConditionModel)
        if config.pretrained:
            return unet
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return UNet2DConditionModel.from_config(unet.config)

    vae = _autoencoder(Path(name), "vae")
    unet = exact_unet()
    scheduler = load_part(name, "scheduler", DDPMScheduler)
    prompt = _empty_prompt(name)
    _check(name, vae, unet, scheduler, prompt)
    precision = getattr(torch, config.precision)
    rounded = any(part.dtype != precision for part in unet.parameters())
    # torch's own `to`: that of diffusers warns about modules to keep in float32 even if there are none.
    unet = nn.Module.to(unet, precision)
    # The file is read again if a guide needs the exact weights, so that they are not kept in memory otherwise.
    return LatentDiffusion(vae, unet, scheduler, prompt, config.name, exact_unet if rounded else None)


def load_autoencoder(name: str) -> Autoencoder | Taef2:
    """Load a frozen autoencoder to the CPU.

    Args:
        name: taef2; a diffusion model as in `DiffusionConfig`, of which the autoencoder is taken; or the folder of an
            autoencoder.

    Raises:
        UserError: there is no such model, or it is broken.
    """
    folder = drawn_faces_folder() if name == DRAWN_FACES else Path(name)
    alone = (folder / CONFIG).is_file()  # the autoencoder's own folder
    model: Autoencoder | Taef2
    if name == TAEF2:
        model = load_taef2()
    else:
        model = _autoencoder(folder.parent, folder.name) if alone else _autoencoder(folder, "vae")
    # With channels_last, convolutions in bfloat16 are several times as fast on a CPU.
    return model.requires_grad_(False).eval().to(memory_format=torch.channels_last)


def _autoencoder(model: Path, part: str) -> Autoencoder:
    from diffusers import AutoencoderKL

    config = model / part / CONFIG
    if config.is_file():
        try:
            found = json.loads(config.read_text())
            if found["_class_name"] == "Taef2":
                return StandardTaef2(load_taef2(model / part), *(torch.tensor(found[name]) for name in ("mean", "std")))
        except (ValueError, TypeError, KeyError, RuntimeError) as error:
            raise UserError(f"{config} cannot be read ({_line(error)}): copy the model again") from error
    return StableAutoencoder(load_part(str(model), part, AutoencoderKL))


def load_part(name: str, part: str, kind: Any) -> Any:
    """Load one part of a model with the loader of diffusers or transformers.

    Args:
        name: folder in diffusers' layout, or a Hub name.
        part: name of the part's folder in it.
        kind: class of the part.

    Raises:
        UserError: the part is missing, broken or of another kind.
    """
    folder = Path(name)
    if folder.is_dir() and not (folder / part).is_dir():
        raise UserError(f"{folder} has no folder {part}: it is not a latent diffusion model in diffusers' layout")
    try:
        if part == "tokenizer":
            return kind.from_pretrained(name, subfolder=part)
        if part == "scheduler":
            config = kind.load_config(name, subfolder=part)
            # Otherwise diffusers uses its default schedule, which is not that of Stable Diffusion.
            if not {"beta_start", "beta_end", "beta_schedule"} <= config.keys():
                raise UserError(f"{name}/{part} has no betas: choose a model with Stable Diffusion's schedule")
            return kind.from_pretrained(name, subfolder=part)
        options: dict[str, Any] = {"use_safetensors": True, "output_loading_info": True}
        if part != "text_encoder":
            # Otherwise a model of another kind would be built from the settings with common names.
            found = kind.load_config(name, subfolder=part)["_class_name"]
            if found != kind.__name__:
                raise UserError(f"{name}/{part} is a {found}, not a {kind.__name__}: choose a latent diffusion model")
            options["low_cpu_mem_usage"] = False
        model, info = kind.from_pretrained(name, subfolder=part, **options)
        # A text encoder may have a vision part, or buffers of older versions, which are not needed.
        unknown = [] if part == "text_encoder" else info["unexpected_keys"]
        if wrong := [*info["missing_keys"], *unknown, *info["mismatched_keys"]]:
            raise UserError(
                f"{name}/{part}: {len(wrong)} weights are missing, unknown or of another shape than config.json "
                f"says, such as {wrong[0]}: copy the model again"
            )
        return model
    except UserError:
        raise
    except Exception as error:  # the loaders of four libraries have no common exception
        advice = "copy the model again" if folder.is_dir() else "check name and network, or give a local folder"
        raise UserError(f"diffusion model {name}: {part} cannot be loaded ({_line(error)}): {advice}") from error


def _empty_prompt(name: str) -> Tensor:
    """Embedding (1, L, D) of the empty prompt: from its file, or from the text encoder, which is not kept."""
    file = Path(name) / PROMPT_FILE
    if file.is_file():
        try:
            return load_file(file)["prompt"].float()
        except (SafetensorError, KeyError) as error:
            raise UserError(f"{file} cannot be read ({_line(error)}): copy the model again") from error
    from transformers import CLIPTextModel, CLIPTokenizer

    tokenizer = load_part(name, "tokenizer", CLIPTokenizer)
    encoder = load_part(name, "text_encoder", CLIPTextModel)
    length = encoder.config.max_position_embeddings  # the tokenizer's own length may not be set
    tokens = tokenizer("", padding="max_length", max_length=length, return_tensors="pt")
    with torch.no_grad():
        return encoder(tokens.input_ids).last_hidden_state


def _check(name: str, vae: Any, unet: Any, scheduler: Any, prompt: Tensor) -> None:
    """Raise `UserError` if the parts do not fit together."""
    channels = {vae.channels, unet.config["in_channels"], unet.config["out_channels"]}
    if len(channels) > 1:
        raise UserError(f"{name}: VAE and U-Net have latents of {sorted(channels)} channels: they do not fit together")
    if prompt.ndim != 3 or len(prompt) != 1:
        raise UserError(f"{name}: the prompt's embedding is {tuple(prompt.shape)}, not (1, length, channels)")
    wanted = unet.config["cross_attention_dim"]
    if prompt.shape[2] != wanted:
        raise UserError(f"{name}: the prompt's embedding has {prompt.shape[2]} channels, but the U-Net needs {wanted}")
    kind = scheduler.config["prediction_type"]
    if kind not in ("epsilon", "v_prediction"):
        raise UserError(f"{name}: its U-Net predicts {kind}; only models that predict noise or velocity are supported")
    if not scheduler.alphas_cumprod[-1] > 0:
        raise UserError(f"{name}: its schedule has alpha-bar 0 at the last step: choose another model")


def _line(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
