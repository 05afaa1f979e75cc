"""The command `compare`: differences of AUC between runs or scores, with intervals and p-values."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from rich.console import Console

from difffake.commands.parse import AtLeast
from difffake.evaluation.compare import compare_runs, write_comparison
from difffake.evaluation.comparison_tables import print_comparisons
from difffake.evaluation.swept_names import of_settings
from difffake.files import refuse_existing
from difffake.progress import console

EXAMPLES = (
    "difffake compare results/plain results/guided",
    "difffake compare results --scores classifier Meso4 'file size'",
    "difffake compare sweeps/recipe/*/evaluation --settings base blends twins --out compared",
    "difffake compare sweeps/guide/*/evaluation --baseline sweeps/guide/1f0a/evaluation --every --out compared",
)


def compare(
    runs: list[Path],
    /,
    baseline: Path | None = None,
    settings: list[str] = [],  # noqa: B006  # never changed
    scores: list[str] = [],  # noqa: B006  # never changed
    levels: Sequence[Literal["video", "frame"]] = ("video", "frame"),
    every: bool = False,
    resamples: Annotated[int, AtLeast(2)] = 2000,
    seed: Annotated[int, AtLeast(0)] = 0,
    out: Path | None = None,
    overwrite: bool = False,
) -> None:
    """Test whether runs, or scores of a run, differ by more than chance in their AUC on the same samples.

    Only samples that both sides scored are compared. The interval and the p-value are from a paired bootstrap over
    whole videos, originals or people. p-values are corrected for all comparisons made (Holm). Runs that differ only in
    their seeds are compared as one, by their mean AUC, and the spread over seeds is part of interval and p-value.

    Args:
        runs: folders of difffake evaluate, with scores.parquet.
        baseline: run that all others are compared with; by default the first.
        settings: of a sweep's runs, those of the settings with these names; the first is the baseline.
        scores: names of scores. The first one, of the baseline, is compared with all others. By default, each score is
            compared with the same score of the baseline, and the scores of a single run with its classifier's.
        levels: levels to compare at.
        every: also compare each manipulation of a data set, not only all of them together.
        resamples: number of bootstrap resamples per comparison.
        seed: random seed of the bootstrap.
        out: folder to write: compare.json, compare.md and pictures: differences, and heat maps of several runs.
        overwrite: replace an existing output folder.
    """
    if settings:
        runs = of_settings(runs, settings)
    inputs = [*runs, *([baseline] if baseline else [])]
    if out:
        refuse_existing(out, overwrite, inputs)
    found = compare_runs(runs, baseline, scores, levels, every, resamples, seed)
    print_comparisons(found.rows, Console())
    for remark in found.remarks:
        console.print(remark)
    if out:
        write_comparison(out, found, inputs, seed, overwrite)
        console.print(f"compare.json, compare.md and pictures in {out}")
