"""How much sooner a network's step is done on a CPU when the process keeps the memory that it freed.

    python benchmarks/freed_memory.py

The reference is the same step in a process with the usual settings of the C library. Each turn is a process of its own,
because the setting cannot be taken back. The last line is one JSON object.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time

import timm
import torch
from gaussian_mixture import processor

from difffake.memory import keep_freed_memory

WARM_UP = 3


def main() -> None:
    """Time both sides in turns and print images per second and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", default="tf_efficientnet_lite0")
    parser.add_argument("--size", type=int, default=160, help="side of the images in pixels (default %(default)s)")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--steps", type=int, default=12, help="steps per process (default %(default)s)")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--side", choices=("usual", "kept"), help="run this side only and print its seconds")
    args = parser.parse_args()
    if args.side:
        print(json.dumps(steps(args)))
        return
    seconds: dict[str, list[float]] = {"usual": [], "kept": []}
    for turn in range(args.turns):
        for side in list(seconds)[:: 1 if turn % 2 else -1]:  # either is the first in every other turn
            command = [sys.executable, __file__, *sys.argv[1:], "--side", side]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            seconds[side].append(min(json.loads(done.stdout)))
    ratios = [usual / kept for usual, kept in zip(seconds["usual"], seconds["kept"], strict=True)]
    for side, taken in seconds.items():
        print(f"{side}: {args.batch / min(taken):.1f} images/s")
    middle, low, high = statistics.median(ratios), min(ratios), max(ratios)
    print(f"{middle:.2f} ({low:.2f} to {high:.2f}) times as fast on {processor()}")
    print(json.dumps({"seconds": seconds, "ratios": ratios, "threads": torch.get_num_threads()}))


def steps(args: argparse.Namespace) -> list[float]:
    """Seconds of each training step after the first ones."""
    if args.side == "kept":
        assert keep_freed_memory(), "this C library does not know the setting"
    network = timm.create_model(args.encoder, num_classes=1).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4, fused=True)
    images = torch.rand(args.batch, 3, args.size, args.size).contiguous(memory_format=torch.channels_last)
    taken = []
    for _ in range(args.steps + WARM_UP):
        begin = time.perf_counter()
        network(images).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()
        taken.append(time.perf_counter() - begin)
    return taken[WARM_UP:]


if __name__ == "__main__":
    main()
