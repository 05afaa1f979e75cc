"""The sides of `guide_step.py`: one training step each, on the same weights, images, noise and steps."""

import argparse
import copy
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from itertools import pairwise

import torch
from diffusers.models.attention_processor import AttnProcessor2_0
from torch import Tensor, nn
from torch.nn import functional

from difffake.diffusion.face_latents import FaceLatents
from difffake.diffusion.latent_diffusion import LatentDiffusion
from difffake.diffusion.teacher import Teacher
from difffake.diffusion.tiny import tiny_prompt, tiny_scheduler, tiny_unet, tiny_vae
from difffake.models.detector import Detector, DetectorConfig, build_detector
from difffake.regularizers.base import TaughtBatch
from difffake.regularizers.guide.guide import Guide
from difffake.regularizers.noise_learning.noise_learning import NoiseLearning

Step = Callable[[], dict[str, float]]
"""Trains one batch and gives the losses by name."""
Part = tuple[Tensor, Tensor, dict[str, Tensor]]
"""Logits, labels and the other losses of a batch or a part of it."""
SIDES = ("difffake", "straightforward", "published", "plain", "anl", "both")
"""Those of `guide_step.py`."""
WEIGHTS = {"source": 0.7, "target": 1.0, "source_weight": 1.0, "target_weight": 1.0, "noise": 1.0, "attention": 1.0}
"""Of the losses; those of the defaults."""
SWITCHES = ("difffake", "checkpointed", "accumulated")
"""Those of `memory_switches.py`: the second recomputes activations, the third takes the batch in two halves."""


def build(args: argparse.Namespace, device: torch.device, names: Sequence[str] = SIDES) -> dict[str, Step]:
    """A step of each of the sides named; nothing of the others stays in memory."""
    torch.manual_seed(0)
    vae, unet, prompt, text_encoder = (
        sd_shaped() if args.model == "sd" else (tiny_vae(), tiny_unet(), tiny_prompt(), None)
    )
    reference = LatentDiffusion(vae, unet, tiny_scheduler(), prompt)
    detector = build_detector(DetectorConfig(args.encoder, args.image_size))
    guide = Guide(detector.encoder, Teacher.of(reference))
    # As after a while: while these convolutions are zero, losses say nothing of the guide.
    for layer in (*guide.copy.controlnet_down_blocks, guide.copy.controlnet_mid_block):
        nn.init.normal_(layer.weight, std=0.02)
    half = torch.bfloat16 if args.precision == "bfloat16" else None

    faces = torch.rand(3, args.batch, 3, args.image_size, args.image_size, device=device)  # image, source, target
    label = torch.arange(args.batch, device=device) % 2
    side = args.image_size // reference.scale
    draws = {
        "noise": torch.randn(args.batch, 2, 4, side, side, device=device),
        "timestep": torch.randint(reference.steps, (args.batch, 2), device=device),
    }

    def precision() -> torch.autocast | nullcontext[None]:
        return torch.autocast(device.type, half) if half else nullcontext()

    def training(
        memory_format: torch.memory_format, *, guided: bool = True, fused: bool = False
    ) -> tuple[Detector, Guide, torch.optim.Optimizer]:
        own_detector, own_guide = copy.deepcopy(detector).to(device), copy.deepcopy(guide).to(device)
        for network in (own_detector, own_guide):
            network.to(memory_format=memory_format)
        trained = [*own_detector.parameters(), *(own_guide.parameters() if guided else ())]
        return own_detector, own_guide, torch.optim.AdamW(trained, lr=1e-5, fused=fused)

    def difffake(guided: bool = True, noisy: bool = False, checkpointing: bool = False, parts: int = 1) -> Step:
        own_unet = copy.deepcopy(unet).to(half or torch.float32)
        frozen = LatentDiffusion(copy.deepcopy(vae), own_unet, tiny_scheduler(), prompt).to(device)
        own_detector, own_guide, optimizer = training(torch.channels_last, guided=guided, fused=True)
        teacher = Teacher.of(frozen)
        student = NoiseLearning(own_detector.encoder, teacher).to(device)
        student.to(memory_format=torch.channels_last)
        optimizer.add_param_group({"params": student.parameters() if noisy else []})
        if args.compile:
            own_detector.compile()
            own_guide.copy.compile()
            frozen.unet.compile()
        if checkpointing:
            own_guide.copy.enable_gradient_checkpointing()
            frozen.unet.enable_gradient_checkpointing()
        images = faces[0].contiguous(memory_format=torch.channels_last)
        # A few at a time, so that memory in use peaks in the steps and not here.
        image, source, target = (torch.cat([frozen.encode(few) for few in part.split(4)]) for part in faces.unbind())
        latents = FaceLatents(image, source, target, torch.ones(args.batch, dtype=torch.bool, device=device))
        cached = torch.cat([student.teach(frozen, few) for few in image.split(4)])

        rows = [slice(*ends) for ends in pairwise(range(0, args.batch + 1, args.batch // parts))]

        def part(some: slice) -> Part:
            few = FaceLatents(*(values[some] for values in latents))
            own = {name: values[some] for name, values in draws.items()}
            batch = TaughtBatch(images[some], label[some].float(), few, own, {"noise": cached[some]})
            with precision():
                output = own_detector(images[some])
                losses = {
                    name: loss.value
                    for regularizer, used in ((own_guide, guided), (student, noisy)) if used
                    for name, loss in regularizer(output, batch, teacher).items()
                }  # fmt: skip
            return output.logit, label[some], losses

        return lambda: finish((part(some) for some in rows), WEIGHTS, optimizer, parts)

    def straightforward(decoder_gradients: bool = False) -> Step:
        theirs = LatentDiffusion(copy.deepcopy(vae), copy.deepcopy(unet), tiny_scheduler(), prompt).to(device)
        own_detector, own_guide, optimizer = training(torch.contiguous_format)
        for network in (theirs.vae, theirs.unet):
            network.to(memory_format=torch.contiguous_format)
        for network in (theirs.unet, own_guide.copy):
            network.set_attn_processor(AttnProcessor2_0())
        for network in (theirs.unet.up_blocks, theirs.unet.conv_norm_out, theirs.unet.conv_out):
            network.requires_grad_(decoder_gradients)
        if text_encoder is not None:
            text_encoder.to(device)

        def step() -> dict[str, float]:
            output = own_detector(faces[0])
            if text_encoder is not None:
                with torch.no_grad():
                    theirs.prompt = text_encoder(empty_tokens(device)).last_hidden_state
            image, source, target = (theirs.encode(part) for part in faces)
            losses = {}
            for number, (name, clean) in enumerate((("source", source), ("target", target))):
                condition = getattr(own_guide, f"{name}_filter")(output.features, (side, side))
                weight = getattr(own_guide, f"{name}_weight")(output.features)
                injected, timestep = draws["noise"][:, number], draws["timestep"][:, number]
                noisy = theirs.add_noise(clean, injected, timestep)
                predicted = own_guide.predict_noise(theirs, noisy, timestep, condition, weight)
                losses[name] = functional.mse_loss(predicted, injected)
                alike = functional.cosine_similarity(image.flatten(1), clean.flatten(1))
                losses[f"{name}_weight"] = functional.mse_loss(weight, alike)
            return finish([(output.logit, label, losses)], WEIGHTS, optimizer)

        return step

    def plain() -> Step:
        own_detector = copy.deepcopy(detector).to(device).to(memory_format=torch.channels_last)
        optimizer = torch.optim.AdamW(own_detector.parameters(), lr=1e-5, fused=True)
        images = faces[0].contiguous(memory_format=torch.channels_last)

        def step() -> dict[str, float]:
            with precision():
                output = own_detector(images)
            return finish([(output.logit, label, {})], {}, optimizer)

        return step

    makers: dict[str, Callable[[], Step]] = {
        "difffake": difffake,
        "straightforward": straightforward,
        "published": lambda: straightforward(decoder_gradients=True),
        "plain": plain,
        "anl": lambda: difffake(guided=False, noisy=True),
        "both": lambda: difffake(noisy=True),
        "checkpointed": lambda: difffake(checkpointing=True),
        "accumulated": lambda: difffake(parts=2),
    }
    return {name: makers[name]() for name in names}


def finish(
    parts: Iterable[Part], weights: dict[str, float], optimizer: torch.optim.Optimizer, count: int = 1
) -> dict[str, float]:
    """Backward pass of each of `count` parts and one optimizer step; gives the means of the losses by name."""
    weights = {"classification": 1.0, **weights}
    found: dict[str, Tensor] = {}
    optimizer.zero_grad()
    for logit, label, losses in parts:
        losses = {"classification": functional.binary_cross_entropy_with_logits(logit.float(), label.float()), **losses}
        (torch.stack([weights[name] * value for name, value in losses.items()]).sum() / count).backward()
        for name, value in losses.items():
            found[name] = found.get(name, 0.0) + value.detach() / count
    optimizer.step()
    return {name: value.item() for name, value in found.items()}


def sd_shaped() -> tuple[nn.Module, nn.Module, Tensor, nn.Module]:
    """VAE, U-Net, the empty prompt's embedding and the text encoder of Stable Diffusion 1.5's shape, random weights."""
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    vae = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(128, 256, 512, 512),
        layers_per_block=2,
        scaling_factor=0.18215,
    )
    unet = UNet2DConditionModel(sample_size=64, cross_attention_dim=768, attention_head_dim=8)
    text_encoder = CLIPTextModel(
        CLIPTextConfig(hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12)
    ).eval()
    with torch.no_grad():
        prompt = text_encoder(empty_tokens(torch.device("cpu"))).last_hidden_state
    return vae, unet, prompt, text_encoder


def empty_tokens(device: torch.device) -> Tensor:
    """Tokens (1, 77) of the empty prompt."""
    return torch.tensor([[49406, *[49407] * 76]], device=device)
