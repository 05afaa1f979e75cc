"""Differences of AUC between scores of the same samples: the rows of compare.json.

Definitions. A sample is a frame (same data set, compression, manipulation and path) or a video. Only samples that both
sides scored are compared, with the same partners as in results.json: the fakes of a manipulation, or of all, and the
reals of their data set and compression.

- difference: AUC of the run minus AUC of the baseline. With several seeds, the difference of the two means over seeds.
- error over samples: see `difffake.evaluation.paired`. Units (videos, originals or people, as for the intervals of
  results.json) are resampled, the same units for both sides and for all seeds.
- error over seeds, where both sides have several: that of a paired t-test if both have the same seeds, else Welch's.
- low, high, p: Student's t with the root of the sum of both squared errors, and Satterthwaite's degrees of freedom. The
  interaction of seed and video is in both errors, so the test is on the safe side. Where a side has one run, only the
  error over samples is used: the result then holds for these trained detectors, not for another training.
- p_holm: p corrected for all comparisons that were made together.
- p_delong: DeLong's test, where every sample is a unit of its own and each side has one run.
"""

import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from difffake.data.keys import VIDEO, resampling_unit
from difffake.errors import UserError
from difffake.evaluation.delong import delong_test
from difffake.evaluation.paired import paired_aucs
from difffake.evaluation.results import LEVELS, Row, at_level, comparisons
from difffake.evaluation.significance import LEVEL, holm, limits, over_seeds, together, two_sided

FRAME = ["dataset", "compression", "method", "path"]
"""Columns that identify a frame; `VIDEO` identifies a video."""
Level = Literal["frame", "video"]
Seed = tuple[Any, ...] | int | None


@dataclass(frozen=True)
class Contender:
    """One score of a run, or of several runs that differ only in their seeds."""

    name: str
    """Name of the runs."""
    score: str
    """Name of the score."""
    samples: dict[str, list[pd.DataFrame]]
    """By level: the samples of each run, see `samples_of`."""
    seeds: list[Seed]
    """Seed of each run, or None if it is unknown."""


def contender(name: str, score: str, tables: Sequence[pd.DataFrame], seeds: Sequence[Seed]) -> Contender:
    """Prepare a contender.

    Args:
        name: name of the runs.
        score: name of the score.
        tables: score table of each run (`difffake.evaluation.results`), which may have other scores too.
        seeds: seed of each run, or None.
    """
    own = [table[table["score"] == score] for table in tables]
    return Contender(name, score, {level: [samples_of(table, level) for table in own] for level in LEVELS}, list(seeds))


def samples_of(table: pd.DataFrame, level: str) -> pd.DataFrame:
    """Samples of one score: rows sorted by the columns that identify them, which are the index.

    A frame may have several values, if it is in several pairs of the anomaly model; it gets their mean.
    """
    key = VIDEO if level == "video" else FRAME
    # Sorted, so that the last digit of a mean does not depend on the order of the rows.
    found = at_level(table.sort_values(["path", "value"]), level).set_index(key)
    if not found.index.is_unique:
        groups = found.groupby(level=key)
        found = groups.first().assign(value=groups["value"].mean())
    return found.sort_index()


def compare(
    pairs: Sequence[tuple[Contender, Contender]],
    levels: Sequence[Level] = LEVELS,  # type: ignore[assignment]  # the same two names
    every: bool = False,
    resamples: int = 2000,
    seed: int = 0,
) -> tuple[list[Row], list[Row]]:
    """Compare contenders with their baselines, and correct the p-values for all comparisons together.

    Args:
        pairs: baseline and contender of each comparison.
        levels: levels to compare at.
        every: also compare each manipulation of a data set with several.
        resamples: number of resamples.
        seed: random seed of the resamples.

    Returns:
        Rows of compare.json (see the top of this module), one per pair, level, data set, compression and manipulation;
        NaN where something is not defined. Then rows about samples that one side of a pair lacks: its name and score,
        the other's, data set, compression, level, and their number `samples`.

    Raises:
        UserError: two runs disagree about a label, or the two of a pair have no sample in common.
    """
    rows: list[Row] = []
    left_out: list[Row] = []
    for first, second in pairs:
        found = [row for level in levels for row in differences(first, second, level, every, resamples, seed)]
        left_out += [row for level in levels for row in _left_out(first, second, level)]
        if not found:
            raise UserError(_nothing_shared(first, second, levels))
        rows += found
    correct(rows)
    return rows, left_out


def correct(rows: Sequence[Row]) -> None:
    """Set `p_holm` of rows, for all of them together."""
    for row, corrected in zip(rows, holm([row["p"] for row in rows]), strict=True):
        row["p_holm"] = corrected


def verdict(row: Row) -> str:
    """Whether a difference is more than chance after Holm's correction: "better", "worse", or "" if it is not."""
    p, difference = row["p_holm"], row["difference"]
    if p is None or not p < LEVEL:
        return ""
    return "better" if difference > 0 else "worse"


def differences(
    first: Contender, second: Contender, level: str, every: bool = False, resamples: int = 2000, seed: int = 0
) -> Iterator[Row]:
    """Compare a contender with its baseline at one level, as `compare` does; `p_holm` is NaN.

    Nothing is yielded if they have no real and fake samples in common.

    Raises:
        UserError: two runs disagree about a label.
    """
    runs = [*first.samples[level], *second.samples[level]]
    if any(run.empty for run in runs):
        return
    shared = pd.concat([run[["label", "value"]] for run in runs], axis="columns", join="inner").sort_index()
    labels = shared["label"].to_numpy()
    if len(wrong := shared[(labels != labels[:, :1]).any(axis=1)]):
        raise UserError(
            f"{first.name} and {second.name} have different labels for {'/'.join(map(str, wrong.index[0]))}: evaluate "
            "both on the same manifest"
        )
    values = shared["value"].to_numpy(np.float64).T
    table = runs[0].loc[shared.index].reset_index().assign(row=np.arange(len(shared)))
    whole: set[tuple[str, str]] = set()
    for dataset, compression, method, rows in comparisons(table):
        if rows["label"].nunique() < 2 or (not every and (dataset, compression) in whole):
            continue
        whole.add((dataset, compression))  # the first comparison of a data set and compression has all its fakes
        place = rows["row"].to_numpy()
        yield {
            "dataset": dataset, "compression": compression, "method": method, "level": level,
            "baseline": first.name, "baseline_score": first.score, "run": second.name, "score": second.score,
            **_numbers(rows, values[:, place], first.seeds, second.seeds, resamples, seed),
        }  # fmt: skip


def _numbers(
    rows: pd.DataFrame,
    values: np.ndarray,
    first_seeds: Sequence[Seed],
    second_seeds: Sequence[Seed],
    resamples: int,
    seed: int,
) -> Row:
    """Numbers of one comparison; `values` (S, N) has the runs of the baseline, then those of the other."""
    first, second = values[: len(first_seeds)], values[len(first_seeds) :]
    labels = rows["label"].to_numpy()
    unit, kind = resampling_unit(rows)
    names, other_names = (list(map(str, seeds)) for seeds in (first_seeds, second_seeds))
    paired = len(names) > 1 and None not in first_seeds and sorted(names) == sorted(other_names)
    if paired:
        first, second = first[np.argsort(names)], second[np.argsort(other_names)]
    found = paired_aucs(labels, first, second, unit, resamples, seed)
    seeds_error = over_seeds(found.first, found.second, paired)
    error = together([found.error, seeds_error]) if seeds_error else found.error
    low, high = limits(found.difference, error)
    samples_low, samples_high = limits(found.difference, found.error)
    single = len(first) == len(second) == 1 and len(np.unique(unit)) == len(unit)
    return {
        "n_real": int((labels == 0).sum()),
        "n_fake": int((labels == 1).sum()),
        "resampled_by": kind,
        "units_real": len(np.unique(unit[labels == 0])),
        "units_fake": len(np.unique(unit[labels == 1])),
        "auc_baseline": statistics.fmean(found.first),
        "auc": statistics.fmean(found.second),
        "difference": found.difference,
        "low": low,
        "high": high,
        "p": two_sided(found.difference, error),
        "p_holm": math.nan,
        "p_delong": delong_test(labels, first[0], second[0]).p if single else math.nan,
        "samples_low": samples_low,
        "samples_high": samples_high,
        "p_samples": two_sided(found.difference, found.error),
        "seeds_baseline": len(first),
        "seeds": len(second),
        "sd_baseline": statistics.stdev(found.first) if len(first) > 1 else math.nan,
        "sd": statistics.stdev(found.second) if len(second) > 1 else math.nan,
        "seeds_test": "" if seeds_error is None else "paired t-test" if paired else "Welch's t-test",
        "p_seeds": two_sided(found.difference, seeds_error) if seeds_error else math.nan,
    }


def _left_out(first: Contender, second: Contender, level: str) -> Iterator[Row]:
    """By data set and compression: number of samples that one side scored, but not every run of the other."""
    for side, other in ((first, second), (second, first)):
        own = pd.concat([run["label"] for run in side.samples[level]])
        own = own[~own.index.duplicated()]
        known = pd.concat([own, *(run["value"] for run in other.samples[level])], axis="columns").loc[own.index]
        lost = own[known.isna().any(axis="columns")]
        for (dataset, compression), rows in lost.groupby(level=["dataset", "compression"]):
            yield {
                "run": side.name, "score": side.score, "other": other.name, "other_score": other.score,
                "dataset": dataset, "compression": compression, "level": level, "samples": len(rows),
            }  # fmt: skip


def _nothing_shared(first: Contender, second: Contender, levels: Sequence[str]) -> str:
    """Why two contenders cannot be compared."""

    def of(own: Contender) -> str:
        runs = [run for level in levels for run in own.samples[level]]
        names = sorted({str(name) for run in runs for name in run.index.get_level_values("dataset")})
        return f"{own.name} ({own.score} of {', '.join(names) or 'nothing'}, {' and '.join(levels)} level)"

    return (
        f"{of(first)} and {of(second)} have no real and fake samples in common: evaluate both on the same split of the "
        "same manifest"
    )
