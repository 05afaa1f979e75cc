"""Speed of the Gaussian mixture against scikit-learn's, from one start, for the same number of iterations.

    python benchmarks/gaussian_mixture.py --n 20000 --d 256 --k 3 --iterations 5 --repeats 5

Both run on all cores, in turns, so that a busy machine slows both. The matrix-product rate of the same run is the
yardstick for "how much is left to gain": two products of N x D by D x D a component and iteration are counted.
With a GPU there (`--device cuda`), the mixture runs on it too, in float64; scikit-learn stays on the CPU.
"""

import argparse
import json
import platform
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture as Reference
from threadpoolctl import threadpool_info
from torch import Tensor

from difffake.anomaly.mixture import GaussianMixture
from difffake.anomaly.moments import Parameters


def main() -> None:
    """Run, print the facts, and end with one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=20_000, help="rows (default %(default)s)")
    parser.add_argument("--d", type=int, default=256, help="dimensions (default %(default)s)")
    parser.add_argument("--k", type=int, default=3, help="components (default %(default)s)")
    parser.add_argument("--iterations", type=int, default=5, help="EM iterations per run (default %(default)s)")
    parser.add_argument("--repeats", type=int, default=7, help="runs of each side (default %(default)s)")
    default = "cuda" if torch.cuda.is_available() else "cpu"
    parser.add_argument("--device", default=default, help="cpu, or cuda to time the GPU as well (default %(default)s)")
    args = parser.parse_args()

    x = clusters(args.n, args.d, args.k)
    start = GaussianMixture(args.k).start(x)
    ours = GaussianMixture(args.k, max_iter=args.iterations, tol=0)
    reference = Reference(
        args.k,
        max_iter=args.iterations,
        tol=0,
        weights_init=start.weights.numpy(),
        means_init=start.means.numpy(),
        precisions_init=np.linalg.inv(start.covariances.numpy()),
        # The start is given; this spares the reference a k-means whose result it would not use.
        init_params="random_from_data",
    )
    rows = x.numpy()
    warnings.simplefilter("ignore", ConvergenceWarning)
    sides: dict[str, Callable[[], object]] = {
        "difffake": lambda: ours.fit(x, start),
        "scikit-learn": lambda: reference.fit(rows),
        "matrix product": lambda: products(x, args.k * args.iterations),
    }
    print(f"{processor()}, {torch.get_num_threads()} threads, torch {torch.__version__}, BLAS: {libraries()}")
    print(f"N={args.n:,} D={args.d} K={args.k} full, {args.iterations} iterations, float64, {args.repeats} repeats")
    seconds = interleaved(sides, args.repeats)
    difference = abs(ours.history[-1] - reference.lower_bounds_[-1]) / abs(reference.lower_bounds_[-1])
    flops = 4.0 * args.n * args.d**2 * args.k * args.iterations
    rates = {name: flops / statistics.median(values) / 1e9 for name, values in seconds.items()}
    for name, values in seconds.items():
        print(f"{name:15}{spread(values)}  {rates[name]:7.1f} GFLOP/s")
    ratio = statistics.median(seconds["scikit-learn"]) / statistics.median(seconds["difffake"])
    share = rates["difffake"] / rates["matrix product"]
    print(f"log-likelihood of a row {ours.history[-1]:.6f}, relative difference {difference:.1e}")
    print(f"{ratio:.2f} times faster than scikit-learn, {share:.2f} of the matrix-product rate")
    result = {
        "ratio": round(ratio, 3),
        "reference": "scikit-learn GaussianMixture",
        "median_s": {name: statistics.median(values) for name, values in seconds.items()},
        "gemm_share": round(share, 3),
        "log_likelihood_relative_difference": difference,
        **{name: getattr(args, name) for name in ("n", "d", "k", "iterations", "repeats")},
        "threads": torch.get_num_threads(),
    }
    if args.device == "cuda":
        result["cuda"] = on_gpu(ours, x, start, args.repeats, flops)
    print(json.dumps(result))


def clusters(n: int, d: int, k: int) -> Tensor:
    """Rows (n, d), float64, of k overlapping Gaussians with random covariances."""
    random = torch.Generator().manual_seed(0)
    x = torch.empty(n, d, dtype=torch.float64)
    for part in torch.arange(n).chunk(k):
        mixing = torch.randn(d, d, generator=random, dtype=torch.float64) / d**0.5
        center = torch.randn(d, generator=random, dtype=torch.float64)
        x[part] = center + torch.randn(len(part), d, generator=random, dtype=torch.float64) @ mixing
    return x


def products(x: Tensor, count: int) -> None:
    """The counted work alone: `count` times the product of the E step and that of the M step."""
    square = x[: x.shape[1]].clone() if len(x) >= x.shape[1] else x.new_ones(x.shape[1], x.shape[1])
    wide = torch.empty_like(x)
    for _ in range(count):
        torch.mm(x, square, out=wide)
        torch.mm(x.T, wide)


def interleaved(sides: dict[str, Callable[[], object]], repeats: int) -> dict[str, list[float]]:
    """Seconds of each side, `repeats` times in turns, after one run of each to warm up."""
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for repeat in range(repeats + 1):
        for name, run in sides.items():
            begin = time.perf_counter()
            run()
            if repeat:
                seconds[name].append(time.perf_counter() - begin)
    return seconds


def on_gpu(model: GaussianMixture, x: Tensor, start: Parameters, repeats: int, flops: float) -> dict[str, object]:
    """Seconds of the mixture and of the counted products on the GPU."""
    rows, count = x.cuda(), model.max_iter * model.components
    there = Parameters(start.covariance_type, *(tensor.cuda() for tensor in start[1:]))
    history = list(model.history)

    def timed(run: Callable[[], object]) -> Callable[[], None]:
        def synchronized() -> None:
            run()
            torch.cuda.synchronize()

        return synchronized

    sides: dict[str, Callable[[], object]] = {
        "difffake": timed(lambda: model.fit(rows, there)),
        "matrix product": timed(lambda: products(rows, count)),
    }
    seconds = interleaved(sides, repeats)
    difference = abs(model.history[-1] - history[-1]) / abs(history[-1])
    name = torch.cuda.get_device_name()
    for side, values in seconds.items():
        print(f"{name}: {side:15}{spread(values)}  {flops / statistics.median(values) / 1e9:7.1f} GFLOP/s")
    print(f"{name}: relative difference of the log-likelihood from the CPU {difference:.1e}")
    medians = {side: statistics.median(values) for side, values in seconds.items()}
    return {"name": name, "median_s": medians, "log_likelihood_relative_difference": difference}


def spread(values: list[float]) -> str:
    """Median, smallest and largest of `values`, in seconds."""
    return f"{statistics.median(values):8.3f} s ({min(values):.3f} to {max(values):.3f})"


def processor() -> str:
    """Name of the CPU."""
    info = Path("/proc/cpuinfo")
    names = (
        [line.split(":")[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
        if info.exists()
        else []
    )
    return names[0] if names else platform.processor() or platform.machine()


def libraries() -> str:
    """Linear algebra libraries in this process and their threads."""
    found = [f"{pool['internal_api']} {pool['num_threads']}" for pool in threadpool_info()]
    return ", ".join(sorted(set(found)))


if __name__ == "__main__":
    main()
