"""One training step with the guide branch against a straightforward one: time, peak memory, equal losses.

    python benchmarks/guide_step.py                                    # tiny model, as in the demo, on the CPU
    python benchmarks/guide_step.py --model sd --encoder tf_efficientnet_b4 --image-size 224 --device cuda

The reference does what the published code does at every step: encode images with the VAE, embed the empty prompt (where
there is a text encoder), run the two branches one after the other, and compute the gradients of the frozen decoder's
weights, which no optimiser uses (its train.py locks them by leaving them out of the optimiser only); all in float32 and
in the standard memory layout. It encodes the image itself, too, for the similarities, which the published code has from
a program of its own. difffake's step takes latents from the cache and runs both branches as one batch, in channels_last
and bfloat16. Both start from the same weights and are given the same images, noise and steps, and take turns. `sd` has
Stable Diffusion 1.5's shape and random weights, which serve for speed. `plain` is the detector alone.
"""

import argparse
import copy
import ctypes
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import torch
from diffusers.models.attention_processor import AttnProcessor2_0
from gaussian_mixture import processor, spread
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from difffake.models.detector import Detector, DetectorConfig, build_detector
from difffake.models.guide import FaceLatents, Guide, GuideConfig, Noise
from difffake.models.latent_diffusion import LatentDiffusion
from difffake.models.tiny_diffusion import tiny_prompt, tiny_scheduler, tiny_unet, tiny_vae

PEAK = {"H100": 989e12, "H200": 989e12, "A100": 312e12, "L40S": 362e12, "4090": 165e12}
"""Dense bfloat16 operations a second that makers state, by a part of the device's name."""
Step = Callable[[], dict[str, float]]


def main() -> None:
    """Run, print the facts, and end with one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = "cuda" if torch.cuda.is_available() else "cpu"
    parser.add_argument("--model", choices=["tiny", "sd"], default="sd" if default == "cuda" else "tiny")
    parser.add_argument("--encoder", default="tf_efficientnet_b4" if default == "cuda" else "resnet10t")
    parser.add_argument("--image-size", type=int, default=224 if default == "cuda" else 96)
    parser.add_argument("--batch", type=int, default=32, help="images a step (default %(default)s)")
    parser.add_argument("--repeats", type=int, default=7, help="steps of each side (default %(default)s)")
    parser.add_argument("--device", default=default, help="cpu or cuda (default %(default)s)")
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="bfloat16", help="of difffake's step")
    parser.add_argument("--compile", action="store_true", help="torch.compile difffake's step")
    parser.add_argument("--only", choices=["difffake", "straightforward", "plain"], help="one side's memory, no timing")
    args = parser.parse_args()
    device = torch.device(args.device)
    sides = build(args, device)
    if args.only:
        sides[args.only]()  # makes gradients and the optimiser's state, which stay
        print(resident_peak(sides[args.only]))
        return

    first = {name: step() for name, step in sides.items()}  # warms up, too
    losses = {name: (first["difffake"][name], value) for name, value in first["straightforward"].items()}
    largest = max(abs(a - b) / abs(b) for a, b in losses.values())
    tolerance = 1e-3 if args.precision == "float32" else 3e-2  # bfloat16 has 8 bits
    print(f"losses of the first step, ours and the reference's: {losses}; largest relative difference {largest:.1e}")
    if largest > tolerance:
        raise SystemExit(f"the losses differ by more than {tolerance}: the two sides do not compute the same")

    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(args.repeats):
        for name, step in sides.items():
            synchronise(device)
            start = time.perf_counter()
            step()
            synchronise(device)
            seconds[name].append(time.perf_counter() - start)
    gib = {name: peak_memory(name, step, device) for name, step in sides.items()}
    where = torch.cuda.get_device_name() if device.type == "cuda" else processor()
    for name, values in seconds.items():
        print(f"{name:16}{spread(values)}  peak memory {gib[name]:.2f} GiB")
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    with FlopCounterMode(display=False) as counter:
        sides["difffake"]()
    rate = counter.get_total_flops() / medians["difffake"]
    print(f"difffake's step: {counter.get_total_flops() / 1e12:.3f} TFLOP at {rate / 1e12:.2f} TFLOP/s on {where}")
    peak = next((value for part, value in PEAK.items() if part in where), None)
    if peak and device.type == "cuda":
        print(f"that is {100 * rate / peak:.1f} % of the bfloat16 peak of {peak / 1e12:.0f} TFLOP/s")
    ratios = [slow / fast for slow, fast in zip(seconds["straightforward"], seconds["difffake"], strict=True)]
    print(json.dumps({
        "ratio": round(medians["straightforward"] / medians["difffake"], 2),
        "reference": "straightforward step: float32, branches in turn, VAE and text encoder at every step",
        "ratio_range": [round(min(ratios), 2), round(max(ratios), 2)],
        "median_s": medians, "peak_gib": gib, "losses_relative_difference": largest,
        "share_of_bf16_peak": rate / peak if peak and device.type == "cuda" else None,
        "model": args.model, "encoder": args.encoder, "image_size": args.image_size, "batch": args.batch,
        "device": where, "torch": torch.__version__, "threads": torch.get_num_threads(),
    }))  # fmt: skip


def build(args: argparse.Namespace, device: torch.device) -> dict[str, Step]:
    """A step of each side; each call trains one batch and gives the losses."""
    torch.manual_seed(0)
    vae, unet, prompt, text_encoder = (
        sd_shaped() if args.model == "sd" else (tiny_vae(), tiny_unet(), tiny_prompt(), None)
    )
    reference = LatentDiffusion(vae, unet, tiny_scheduler(), prompt)
    detector = build_detector(DetectorConfig(args.encoder, args.image_size))
    guide = Guide(reference, detector.encoder.channels, GuideConfig())
    for layer in (*guide.copy.controlnet_down_blocks, guide.copy.controlnet_mid_block):
        nn.init.normal_(
            layer.weight, std=0.02
        )  # as after a while: while they are zero, losses say nothing of the guide
    half = args.precision == "bfloat16"
    frozen_unet = copy.deepcopy(unet).to(torch.bfloat16 if half else torch.float32)
    frozen = LatentDiffusion(vae, frozen_unet, tiny_scheduler(), prompt).to(device)
    for network in (reference.unet, reference.vae):
        network.to(memory_format=torch.contiguous_format)
    reference.unet.set_attn_processor(AttnProcessor2_0())
    reference.unet.up_blocks.requires_grad_(True)
    reference.unet.conv_norm_out.requires_grad_(True)
    reference.unet.conv_out.requires_grad_(True)
    reference.to(device)

    faces = torch.rand(3, args.batch, 3, args.image_size, args.image_size, device=device)  # image, source, target
    label = torch.arange(args.batch, device=device) % 2
    side = args.image_size // reference.scale
    noise = Noise(
        torch.randn(args.batch, 2, 4, side, side, device=device),
        torch.randint(reference.steps, (args.batch, 2), device=device),
    )
    known = torch.ones(args.batch, dtype=torch.bool, device=device)
    # A few at a time, so that memory in use peaks in the steps and not here.
    image, source, target = (torch.cat([reference.encode(few) for few in part.split(4)]) for part in faces.unbind())
    latents = FaceLatents(image, source, target, known)

    def training(memory_format: torch.memory_format) -> tuple[Detector, Guide, torch.optim.Optimizer]:
        own_detector, own_guide = copy.deepcopy(detector).to(device), copy.deepcopy(guide).to(device)
        for network in (own_detector, own_guide):
            network.to(memory_format=memory_format)
        return (
            own_detector,
            own_guide,
            torch.optim.AdamW([*own_detector.parameters(), *own_guide.parameters()], lr=1e-5),
        )

    ours, ours_guide, ours_optimizer = training(torch.channels_last)
    theirs, their_guide, their_optimizer = training(torch.contiguous_format)
    their_guide.copy.set_attn_processor(AttnProcessor2_0())
    plain, _, plain_optimizer = training(torch.channels_last)
    if args.compile:
        ours.compile()
        ours_guide.copy.compile()
        frozen.unet.compile()
    images = faces[0].contiguous(memory_format=torch.channels_last)

    def precision() -> torch.autocast | nullcontext[None]:
        return torch.autocast(device.type, torch.bfloat16) if half else nullcontext()

    def difffake() -> dict[str, float]:
        with precision():
            output = ours(images)
            losses = ours_guide(output.features, latents, noise, frozen)
        return finish(output.logit, label, losses, ours_guide, ours_optimizer)

    def straightforward() -> dict[str, float]:
        output = theirs(faces[0])
        if text_encoder is not None:
            with torch.no_grad():
                reference.prompt = text_encoder.to(device)(empty_tokens(device)).last_hidden_state
        image, source, target = (reference.encode(part) for part in faces)
        losses = {}
        for number, (name, clean) in enumerate((("source", source), ("target", target))):
            condition = getattr(their_guide, f"{name}_filter")(output.features, (side, side))
            weight = getattr(their_guide, f"{name}_weight")(output.features)
            injected, step = noise.noise[:, number], noise.timestep[:, number]
            noisy = reference.add_noise(clean, injected, step)
            predicted = their_guide.predict_noise(reference, noisy, step, condition, weight)
            losses[name] = functional.mse_loss(predicted, injected)
            alike = functional.cosine_similarity(image.flatten(1), clean.flatten(1))
            losses[f"{name}_weight"] = functional.mse_loss(weight, alike)
        return finish(output.logit, label, losses, their_guide, their_optimizer)

    def detector_alone() -> dict[str, float]:
        with precision():
            output = plain(images)
        return finish(output.logit, label, {}, guide, plain_optimizer)

    return {"difffake": difffake, "straightforward": straightforward, "plain": detector_alone}


def finish(
    logit: Tensor, label: Tensor, losses: dict[str, Tensor], guide: Guide, optimizer: torch.optim.Optimizer
) -> dict[str, float]:
    """Backward pass and optimiser step; gives the losses by name."""
    losses = {"classification": functional.binary_cross_entropy_with_logits(logit.float(), label.float()), **losses}
    weights = {"classification": 1.0, **guide.loss_weights}
    optimizer.zero_grad()
    torch.stack([weights[name] * value for name, value in losses.items()]).sum().backward()
    optimizer.step()
    return {name: value.item() for name, value in losses.items()}


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


def synchronise(device: torch.device) -> None:
    """Wait for the GPU."""
    if device.type == "cuda":
        torch.cuda.synchronize()


def peak_memory(name: str, step: Step, device: torch.device) -> float:
    """GiB that a step needs at most: on a GPU beside the weights of all sides, on a CPU beside all that is resident."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        step()
        return torch.cuda.max_memory_allocated() / 1024**3
    out = subprocess.run([sys.executable, *sys.argv, "--only", name], check=True, capture_output=True, text=True)
    return float(out.stdout.strip().splitlines()[-1])


def resident_peak(step: Step) -> float:
    """GiB by which this process's resident memory rises in a step; Linux only."""
    ctypes.CDLL(None).malloc_trim(0)  # freed memory that would be used again first
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    before = resident("VmRSS")
    step()
    return resident("VmHWM") - before


def resident(field: str) -> float:
    """GiB of a field of /proc/self/status."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024**2


if __name__ == "__main__":
    main()
