"""A comparison of runs as `difffake compare` makes it: rows, remarks, and the folder with compare.json."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scipy.stats import t as student

from difffake.errors import UserError
from difffake.evaluation import differences
from difffake.evaluation.compared_runs import ScoredRun, chosen_pairs, groups_of, read_run, scores_file
from difffake.evaluation.comparison_tables import comparison_tables, explanation, markdown, units_of
from difffake.evaluation.differences import Level, compare
from difffake.evaluation.pictures.differences import difference_figure, differences_caption
from difffake.evaluation.pictures.heat_maps import write_heat_maps
from difffake.evaluation.provenance import provenance
from difffake.evaluation.results import LEVELS, RESULTS, Row, jsonable, read_results
from difffake.evaluation.run_names import run_names
from difffake.evaluation.testbed import NOTE, TESTBEDS
from difffake.files import staged_folder
from difffake.intervals import MIN_UNITS
from difffake.plots import save_figure

COMPARISON = "compare.json"


@dataclass(frozen=True)
class Comparison:
    """What was compared: rows of compare.json (`difffake.evaluation.differences`), samples left out, remarks."""

    rows: list[Row]
    left_out: list[Row]
    remarks: list[str]


def compare_runs(
    folders: Sequence[Path],
    baseline: Path | None = None,
    scores: Sequence[str] = (),
    levels: Sequence[Level] = LEVELS,  # type: ignore[assignment]  # the same two names
    every: bool = False,
    resamples: int = 2000,
    seed: int = 0,
) -> Comparison:
    """Compare runs with a baseline on the samples that both scored.

    Args:
        folders: folders of `difffake evaluate`. Runs that differ only in their seeds are compared as one, by the mean
            of their AUCs.
        baseline: the run that the others are compared with; by default the first.
        scores: names of scores. The first of them in the baseline is compared with all others of all runs. Without
            names, each score is compared with the same score of the baseline; a single run's scores with its first.
        levels: levels to compare at, frame or video.
        every: also compare each manipulation, not only all fakes of a data set together.
        resamples: number of resamples of the bootstrap.
        seed: random seed of the bootstrap.

    Raises:
        UserError: a folder has no scores, or there is nothing to compare.
    """
    ordered = {path.resolve(): path for path in [*([baseline] if baseline else []), *folders]}
    runs = [read_run(path) for path in ordered.values()]
    groups = groups_of(runs)
    split = _other_splits(runs)
    try:
        rows, left_out = compare(chosen_pairs(groups, scores), levels, every, resamples, seed)
    except UserError as error:
        raise UserError(f"{error} ({split})" if split else str(error)) from error
    return Comparison(rows, left_out, [*([split] if split else []), *_left_out(left_out), *_remarks(rows)])


def write_comparison(
    out: Path, comparison: Comparison, runs: Sequence[Path], seed: int, overwrite: bool = False
) -> None:
    """Write compare.json, compare.md, differences.png and heat maps to a folder.

    Args:
        out: folder to write.
        comparison: what was compared.
        runs: folders of the runs, for the hashes of their scores.
        seed: random seed of the bootstrap.
        overwrite: replace an existing folder.
    """
    rows = comparison.rows
    testbed = any(row["dataset"].startswith(TESTBEDS) for row in rows)
    content = {
        "comparisons": jsonable(rows),
        "left_out": comparison.left_out,
        "remarks": comparison.remarks,
        "definitions": (differences.__doc__ or "").partition("Definitions. ")[2].strip(),
        "provenance": provenance(list(map(scores_file, runs)), seed, testbed),
    }
    lines = [f"{line}\n" for line in (*explanation(rows), *comparison.remarks)]
    with staged_folder(out, overwrite) as folder:
        text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
        (folder / COMPARISON).write_text(text + "\n", encoding="utf-8")
        (folder / "compare.md").write_text("\n".join([markdown(comparison_tables(rows)), *lines]), encoding="utf-8")
        save_figure(difference_figure(rows), folder / "differences.png", differences_caption(rows))
        write_heat_maps(_results(runs), folder)


def _results(runs: Sequence[Path]) -> dict[str, tuple[list[Row], list[dict[str, Any]]]]:
    """Rows of results and counts of the training data of each run with results.json, by a short name."""
    found = {path.resolve(): read_run(path) for path in runs}
    whole = [run for run in found.values() if (run.folder / RESULTS).is_file()]
    names = run_names([run.folder for run in whole], [run.config for run in whole])
    return {
        name: (read_results(run.folder)[0], run.facts.get("trained_on") or [])
        for name, run in zip(names, whole, strict=True)
    }


def _other_splits(runs: Sequence[ScoredRun]) -> str:
    """A remark if runs were evaluated on different splits."""
    splits = [str(run.facts.get("split", "")) for run in runs]
    other = next((n for n, split in enumerate(splits) if split != splits[0] and split and splits[0]), None)
    if other is None:
        return ""
    return f"{runs[0].folder} was evaluated on the split {splits[0]}, {runs[other].folder} on the split {splits[other]}"


def _left_out(left_out: Sequence[Row]) -> list[str]:
    """Sentences about the samples that one side did not score, each once."""
    found = []
    for row in left_out:
        place = f"{row['dataset']} {row['compression']}".strip()
        number = f"{row['samples']} {row['level']}{'s are' if row['samples'] > 1 else ' is'}"
        who = row["other"] if row["other"] != row["run"] else "this run"
        found.append(f"{place}: {number} left out, because {who} has no {row['other_score']} score there.")
    return list(dict.fromkeys(found))


def _remarks(rows: Sequence[Row]) -> list[str]:
    """Remarks on what the numbers cannot tell."""
    found = []
    if any(min(row["units_real"], row["units_fake"]) < MIN_UNITS for row in rows):
        found.append(
            f"There is no interval and no p-value if reals or fakes come from fewer than {MIN_UNITS} units "
            f"(here {units_of(rows)})."
        )
    tested = [min(row["seeds_baseline"], row["seeds"]) for row in rows if row["seeds_test"]]
    if tested:
        found.append(
            f"Few seeds have little power: with {min(tested)}, a paired t-test finds only differences above "
            f"{_needed(min(tested)):.1f} standard errors; with 10, above {_needed(10):.1f}. That none is found "
            "does not mean that there is none."
        )
    if alone := [row for row in rows if not row["seeds_test"] and max(row["seeds_baseline"], row["seeds"]) > 1]:
        names = sorted({row["run"] if row["seeds"] == 1 else row["baseline"] for row in alone})
        found.append(
            f"{', '.join(names)}: one run, so the spread over trainings is unknown; interval and p-value hold for the "
            "trained detectors as they are."
        )
    if any(row["dataset"].startswith(TESTBEDS) for row in rows):
        found.append(NOTE)
    return found


def _needed(seeds: int) -> float:
    """Smallest difference, in standard errors, that a paired t-test of so many seeds calls significant at 5 %."""
    return float(student.isf(0.025, seeds - 1))
