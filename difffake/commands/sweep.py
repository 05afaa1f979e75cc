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
    """Run a W&B sweep file on this machine, without a server, and make tables of the results.

    The runs are all combinations of a grid, or random combinations. To continue an interrupted sweep and repeat failed
    runs, run the same command again. If the command is started several times, also on machines that share the folder,
    each run is still done once. Before the first run, the command checks that all files that the runs read exist. The
    environment variables TRAIN, TEST (one or several, separated by spaces), TEACHER and CKPT replace the data, the
    frozen model and the checkpoint that the file names.

    Args:
        file: sweep file in W&B's format, with the method grid or random.
        out: folder of the runs, runs.csv, summary.md and differences.png; by default sweeps/ and the file's name.
        jobs: number of runs at the same time; each gets an equal share of the GPUs and cores.
        runs: number of random combinations, or of a grid's first combinations; by default run_cap of the file.
        metrics: metrics of the evaluation to show in the tables.
        seed: random seed of the combinations with the method random.
    """
    return run_sweep(read_sweep(file), out or Path("sweeps") / file.stem, jobs, runs, metrics, seed)
