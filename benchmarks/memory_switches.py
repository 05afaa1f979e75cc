"""What activation checkpointing and gradient accumulation save in memory and cost in time, in the step with the guide.

    python benchmarks/memory_switches.py                                                   # tiny model, on the CPU
    python benchmarks/memory_switches.py --model sd --batch 4 --image-size 128 --repeats 3

Options are those of `guide_step.py`. difffake's step is the reference; each side runs in a process of its own.
"""

import statistics
import sys

from gaussian_mixture import spread
from guide_sides import SWITCHES
from guide_step import alone


def main() -> None:
    """Run and print a line for each side."""
    found = {name: alone(name, sys.argv[1:]) for name in SWITCHES}
    seconds, gib = (found["difffake"][key] for key in ("seconds", "gib"))
    for name, side in found.items():
        time = statistics.median(side["seconds"]) / statistics.median(seconds)
        print(f"{name:16}{spread(side['seconds'])}  {time:.2f} of the time")
        print(f"{'':16}peak memory {side['gib']:.2f} GiB, {side['gib'] / gib:.2f} of it")


if __name__ == "__main__":
    main()
