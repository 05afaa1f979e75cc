"""The command `sweep`: the runs of a sweep file on this machine, and their tables."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from difffake.commands.parse import AtLeast
from difffake.sweeps.run import run_sweep
from difffake.sweeps.sweep_file import read_sweep

EXAMPLES = (
    "difffake sweep experiments/components.yaml --jobs 2",
    "TRAIN=data/forged TEST=data/dfdc difffake sweep experiments/backbones.yaml",
    "difffake sweep experiments/lambdas.yaml --runs 20 --metrics auc eer --out sweeps/lambdas",
)


def sweep(
    file: Path,
    /,
    out: Path | None = None,
    jobs: Annotated[int, AtLeast(1)] = 1,
    runs: Annotated[int | None, AtLeast(1)] = None,
    metrics: Sequence[Literal["auc", "eer", "ap", "acc"]] = ("auc",),
    seed: Annotated[int, AtLeast(0)] = 0,
) -> int:
    """Run a W&B sweep file here, without a server: every combination of a grid, or random ones, and make its tables.

    The same command goes on where an interrupted sweep was, and tries failed runs again. Started several times, also on
    machines that share the folder, each takes runs that no other has taken. Before the first run all files that the
    runs read are looked for. The data that a file names are replaced by the environment variables TRAIN, TEST (several,
    separated by spaces), TEACHER and CKPT.

    Args:
        file: sweep file in W&B's format, with the method grid or random.
        out: folder of the runs, runs.csv and summary.md; by default sweeps/NAME after the file's name.
        jobs: number of runs at the same time; each gets its part of the GPUs and cores.
        runs: number of runs of the method random, or of a grid's first combinations; by default run_cap in the file.
        metrics: metrics of the evaluation that the tables show.
        seed: seed of random parameters.
    """
    return run_sweep(read_sweep(file), out or Path("sweeps") / file.stem, jobs, runs, metrics, seed)
