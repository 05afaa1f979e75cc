"""Throughput of a deployed detector of a guided run against the bare timm network.

    python benchmarks/inference.py --ckpt runs/guided/best.ckpt --batch 32

The reference is timm's network of that name with one output and the same normalization of its input, nothing of this
package. The detector is read from the checkpoint as `difffake predict` reads it. They take turns.
"""

import argparse
import json
import statistics
import time
from pathlib import Path

import timm
import torch
from gaussian_mixture import processor, spread
from torch import nn

from difffake.models.checkpoint import load_detector


class Bare(nn.Module):
    """timm's network behind the subtraction and division that any network wants."""

    def __init__(self, name: str, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__()
        self.network = timm.create_model(name, num_classes=1)
        self.mean: torch.Tensor
        self.std: torch.Tensor
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits (B, 1) of images (B, 3, H, W) in [0, 1]."""
        return self.network((images - self.mean) / self.std)


@torch.inference_mode()
def main() -> None:
    """Run, print the facts, and end with one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ckpt", type=Path, required=True, help="checkpoint of difffake fit")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=30, help="batches of each side (default %(default)s)")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    args = parser.parse_args()
    device = torch.device(args.device)
    detector, info = load_detector(args.ckpt, device)
    config = info.config
    bare = Bare(config.name, detector.encoder.channel_mean, detector.encoder.channel_std).eval().to(device)
    bare.to(memory_format=torch.channels_last)
    images = torch.rand(args.batch, 3, config.image_size, config.image_size, device=device)
    images = images.to(memory_format=torch.channels_last)
    sides: dict[str, nn.Module] = {"difffake": detector, "timm": bare}
    parameters = {name: sum(p.numel() for p in network.parameters()) for name, network in sides.items()}
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(args.repeats + 3):
        # Either is the first in every other turn.
        for name, network in list(sides.items())[:: 1 if number % 2 else -1]:
            start = time.perf_counter()
            network(images)
            if device.type == "cuda":
                torch.cuda.synchronize()
            if number >= 3:
                seconds[name].append(time.perf_counter() - start)
    for name, values in seconds.items():
        print(f"{name:10}{spread(values)}  {args.batch / statistics.median(values):.0f} images/s, {parameters[name]}")
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    print(json.dumps({
        "ratio": round(medians["timm"] / medians["difffake"], 3), "reference": f"timm {config.name}, one output",
        "median_s": medians, "parameters": parameters, "image_size": config.image_size, "batch": args.batch,
        "device": torch.cuda.get_device_name() if device.type == "cuda" else processor(),
    }))  # fmt: skip


if __name__ == "__main__":
    main()
