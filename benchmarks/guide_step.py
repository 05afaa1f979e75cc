"""One training step with the guide branch against a straightforward one: time, peak memory, equal losses.

    python benchmarks/guide_step.py                                    # tiny model, as in the demo, on the CPU
    python benchmarks/guide_step.py --model sd --encoder tf_efficientnet_b4 --image-size 224 --device cuda

The reference, `straightforward`, encodes image, source and target with the VAE at every step, embeds the empty prompt
(where there is a text encoder), and runs the two branches one after the other; all in float32 and in the standard
memory layout. `published` also computes the gradients of the frozen decoder's weights, which no optimizer uses, as the
published code does: its train.py locks them by leaving them out of the optimizer only. (That code encodes source and
target alone; similarities come from a program of its own.) difffake's step takes latents from the cache and runs both
branches as one batch, in channels_last and bfloat16. All start from the same weights and are given the same images,
noise and steps, and take turns. `sd` has Stable Diffusion 1.5's shape and random weights, which serve for speed.
`plain` is the detector alone, `anl` adds noise learning with cached noise to it, and `both` to difffake's step with the
guide; their share of a step is printed.
"""

import argparse
import ctypes
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch
from gaussian_mixture import processor, spread
from guide_sides import SIDES, SWITCHES, Step, build
from torch.utils.flop_counter import FlopCounterMode

PEAK = {"H100": 989e12, "H200": 989e12, "A100": 312e12, "L40S": 362e12, "4090": 165e12}
"""Dense bfloat16 operations per second according to the manufacturer, by a part of the device's name."""


def main() -> None:
    """Run, print the facts, and end with one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = "cuda" if torch.cuda.is_available() else "cpu"
    parser.add_argument("--model", choices=["tiny", "sd"], default="sd" if default == "cuda" else "tiny")
    parser.add_argument("--encoder", default="tf_efficientnet_b4" if default == "cuda" else "resnet10t")
    parser.add_argument("--image-size", type=int, default=224 if default == "cuda" else 96)
    parser.add_argument("--batch", type=int, default=32, help="images per step (default %(default)s)")
    parser.add_argument("--repeats", type=int, default=7, help="steps of each side (default %(default)s)")
    parser.add_argument("--device", default=default, help="cpu or cuda (default %(default)s)")
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="bfloat16", help="of difffake's step")
    parser.add_argument("--compile", action="store_true", help="torch.compile difffake's step")
    parser.add_argument("--only", choices=[*SIDES, *SWITCHES], help="memory and seconds per step of one side, as JSON")
    args = parser.parse_args()
    device = torch.device(args.device)
    if args.only:
        step = build(args, device, [args.only])[args.only]
        step()  # makes gradients and the optimizer's state, which stay
        needed = peak_memory(step, device)
        print(json.dumps({"gib": needed, "seconds": [timed(step, device) for _ in range(args.repeats)]}))
        return
    sides = build(args, device)

    first = {name: step() for name, step in sides.items()}  # warms up, too
    losses = {name: (first["difffake"][name], value) for name, value in first["straightforward"].items()}
    largest = max(abs(a - b) / max(b, 0.1) for a, b in losses.values())  # small ones say little of what is computed
    tolerance = 1e-4 if args.precision == "float32" else 1e-2  # bfloat16 has 8 bits
    print(f"losses of the first step, ours and the reference's: {losses}; largest relative difference {largest:.1e}")
    if largest > tolerance:
        raise SystemExit(f"the losses differ by more than {tolerance}: the two sides do not compute the same")

    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(args.repeats):
        for name, step in sides.items():
            seconds[name].append(timed(step, device))
    where = torch.cuda.get_device_name() if device.type == "cuda" else processor()
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    with FlopCounterMode(display=False) as counter:
        sides["difffake"]()
    sides.clear()  # makes room for the processes that measure memory
    gib = {name: alone(name, [*sys.argv[1:], "--repeats", "0"])["gib"] for name in SIDES}
    for name, values in seconds.items():
        print(f"{name:16}{spread(values)}  peak memory {gib[name]:.2f} GiB")
    rate = counter.get_total_flops() / medians["difffake"]
    print(f"difffake's step: {counter.get_total_flops() / 1e12:.3f} TFLOP at {rate / 1e12:.2f} TFLOP/s on {where}")
    peak = next((value for part, value in PEAK.items() if part in where), None)
    if peak and device.type == "cuda":
        print(f"that is {100 * rate / peak:.1f} % of the bfloat16 peak of {peak / 1e12:.0f} TFLOP/s")
    for name, base in (("anl", "plain"), ("difffake", "plain"), ("both", "difffake")):
        costs = [100 * (more / less - 1) for more, less in zip(seconds[name], seconds[base], strict=True)]
        print(f"{name} adds {statistics.median(costs):.1f} % ({min(costs):.1f} to {max(costs):.1f}) to {base}")
    ratios = [slow / fast for slow, fast in zip(seconds["straightforward"], seconds["difffake"], strict=True)]
    print(json.dumps({
        "ratio": round(medians["straightforward"] / medians["difffake"], 2),
        "reference": "straightforward step: float32, branches in turn, VAE and text encoder at each step",
        "ratio_range": [round(min(ratios), 2), round(max(ratios), 2)],
        "ratio_to_published": round(medians["published"] / medians["difffake"], 2),
        "median_s": medians, "peak_gib": gib, "losses_relative_difference": largest,
        "share_of_bf16_peak": rate / peak if peak and device.type == "cuda" else None,
        "model": args.model, "encoder": args.encoder, "image_size": args.image_size, "batch": args.batch,
        "device": where, "torch": torch.__version__, "threads": torch.get_num_threads(),
    }))  # fmt: skip


def timed(step: Step, device: torch.device) -> float:
    """Seconds of a step, until the GPU has done it."""
    synchronize(device)
    start = time.perf_counter()
    step()
    synchronize(device)
    return time.perf_counter() - start


def synchronize(device: torch.device) -> None:
    """Wait for the GPU."""
    if device.type == "cuda":
        torch.cuda.synchronize()


def alone(name: str, arguments: list[str]) -> dict[str, Any]:
    """GiB and seconds of one side's steps, in a process that holds nothing else."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    command = [sys.executable, __file__, *arguments, "--only", name]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1])


def peak_memory(step: Step, device: torch.device) -> float:
    """GiB that a step needs at most: on a GPU weights and optimizer's state included, on a CPU beside them (Linux)."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
        step()
        return torch.cuda.max_memory_allocated() / 1024**3
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
