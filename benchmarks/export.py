"""Throughput of an exported ONNX file in onnxruntime against the checkpoint in torch, with the same number of threads.

    python benchmarks/export.py --ckpt runs/lfw/best.ckpt --batches 1 32 --threads 2 --int8 detector-int8.onnx

All sides take turns on the same uint8 images. Torch runs with channels last, as `difffake predict` on a GPU, and with
its usual layout; the reference of a batch size is the faster of them.
"""

import argparse
import json
import statistics
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from gaussian_mixture import processor, spread

from difffake.memory import keep_freed_memory
from difffake.models.fold import fold_batch_norms
from difffake.predict.agreement import Run
from difffake.predict.export import export_onnx, load_exportable, onnx_runner
from difffake.predict.exportable import detector_runner
from difffake.predict.scorer import Scores


def usual_layout(ckpt: Path) -> Run:
    """The detector with torch's usual layout of images and weights."""
    network = load_exportable(ckpt)[0].to(memory_format=torch.contiguous_format)

    @torch.inference_mode()
    def run(images: np.ndarray) -> Scores:
        logit, embedding = network(torch.from_numpy(images))
        return Scores(logit.numpy(), embedding.numpy())

    return run


def main() -> None:
    """Run, print the facts, and end with one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ckpt", type=Path, required=True, help="checkpoint of difffake fit")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 32])
    parser.add_argument("--repeats", type=int, default=30, help="calls of each side (default %(default)s)")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--int8", type=Path, help="a file of difffake export --int8, to time it too")
    args = parser.parse_args()
    keep_freed_memory()  # as every command does
    torch.set_num_threads(args.threads)
    network, facts = load_exportable(args.ckpt)
    with TemporaryDirectory() as folder:
        path = Path(folder, "detector.onnx")
        export_onnx(network, facts, path)
        sides: dict[str, Run] = {
            "torch, channels last": detector_runner(fold_batch_norms(network.detector)),
            "torch, usual layout": usual_layout(args.ckpt),
            "onnxruntime": onnx_runner(path, args.threads),
        }
        if args.int8:
            sides["onnxruntime, int8"] = onnx_runner(args.int8, args.threads)
        ratios = {batch: measured(sides, batch, facts.image_size, args.repeats) for batch in args.batches}
    print(json.dumps({
        "ratio": min(ratio["onnxruntime"][1] for ratio in ratios.values()), "reference": "torch, the faster layout",
        "ratios": ratios, "encoder": facts.encoder, "image_size": facts.image_size, "threads": args.threads,
        "device": processor(),
    }))  # fmt: skip


def measured(sides: dict[str, Run], batch: int, side: int, repeats: int) -> dict[str, list[float]]:
    """Time all sides in turns; quartiles of how many times as fast each is as the faster torch, over the turns."""
    images = np.random.default_rng(0).integers(0, 256, (batch, 3, side, side), dtype=np.uint8)
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(repeats + 3):
        for name, run in list(sides.items())[:: 1 if number % 2 else -1]:
            start = time.perf_counter()
            run(images)
            if number >= 3:
                seconds[name].append(time.perf_counter() - start)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    fastest = min(("torch, channels last", "torch, usual layout"), key=medians.__getitem__)
    found = {}
    for name, values in seconds.items():
        found[name] = np.quantile(np.divide(seconds[fastest], values), (0.25, 0.5, 0.75)).round(3).tolist()
        print(f"batch {batch:3} {name:22}{spread(values)}  {batch / medians[name]:.1f} images/s")
    return found


if __name__ == "__main__":
    main()
