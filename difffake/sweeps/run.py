"""The runs of a sweep file on this machine, without a server."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from difffake.errors import UserError
from difffake.files import MARKER, staged_file
from difffake.progress import console
from difffake.sweeps import one_run
from difffake.sweeps.collect import read_run_result, settings_of
from difffake.sweeps.differences import DIFFERENCES, compared_settings, draw_differences
from difffake.sweeps.processes import LOG, run_all
from difffake.sweeps.summary import best_line, markdown_page, print_tables, sweep_tables, write_runs
from difffake.sweeps.sweep_file import Sweep, baseline_run, command_of, run_id, runs_of
from difffake.swept import DONE, Values

SWEEP = "sweep.json"
"""File in a sweep's folder with the command and data of its runs."""


def run_sweep(plan: Sweep, folder: Path, jobs: int, count: int | None, metrics: Sequence[str], seed: int) -> int:
    """Do the runs of a sweep that are not done yet, then write and print its tables.

    Each run gets its own folder, in the environment variable RUN_FOLDER, and its share of the GPUs and cores.

    Args:
        plan: the sweep.
        folder: folder for the runs, runs.csv, summary.md and differences.png.
        jobs: number of runs at the same time.
        count: number of random runs, or of a grid's first combinations; None for the file's own number.
        metrics: metrics of results.json to show in the tables.
        seed: random seed of the combinations with the method random.

    Returns:
        1 if a run has failed, else 0.

    Raises:
        UserError: a file that a run needs is missing, the baseline is no setting, or the folder has another sweep.
        Terminated: after SIGINT or SIGTERM, when all runs have ended.
    """
    planned = runs_of(plan, count, seed)
    baseline = baseline_run(plan, planned)
    wanted = {run_id(values): values for values in planned}
    if len(wanted) < len(planned):
        console.print(f"{len(planned) - len(wanted)} of {len(planned)} runs repeat others' parameters and are left out")
    if folder.exists() and any(folder.iterdir()) and not (folder / MARKER).exists():
        raise UserError(f"{folder} was not written by difffake: choose another --out")
    refuse_missing(plan, [values for name, values in wanted.items() if not (folder / name / DONE).is_file()])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARKER).touch()
    _refuse_other_sweep(folder / SWEEP, plan)
    failed = run_all(plan, wanted, folder, jobs)
    done = [(values, folder / name) for name, values in wanted.items() if (folder / name / DONE).is_file()]
    if done:
        _write_tables(plan, folder, done, metrics, baseline)
        written = [name for name in ("summary.md", "runs.csv", DIFFERENCES) if (folder / name).is_file()]
        console.print(f"{len(done)} of {len(wanted)} runs: {folder}/{', '.join(written)}")
    for name in failed:
        log = folder / name / LOG
        lines = log.read_text(errors="replace").split("\n") if log.is_file() else []
        last = next((line.strip() for line in reversed(lines) if line.strip()), "it has printed nothing")
        console.print(f"run {name} failed: {last} ({log})")
    return 1 if failed else 0


def refuse_missing(plan: Sweep, runs: Sequence[Values]) -> None:
    """Raise `UserError` if files that runs of `one_run` read do not exist."""
    commands = [command_of(plan, values) for values in runs]
    try:
        read = [
            one_run.read_run(command[command.index(one_run.PROGRAM) + 1 :])
            for command in commands
            if one_run.PROGRAM in command
        ]
    except UserError as error:
        raise UserError(f"{plan.path}: {error}") from error
    found = one_run.missing(read)
    if found:
        raise UserError(
            f"{plan.path}: missing: {', '.join(found)}. Make them as the file's first lines say, or give other paths "
            f"in the environment variables {', '.join(one_run.VARIABLES)}"
        )


def _write_tables(
    plan: Sweep, folder: Path, done: Sequence[tuple[Values, Path]], metrics: Sequence[str], baseline: Values
) -> None:
    """Write runs.csv, summary.md and differences.png; print the tables of video level, or without one, frame level."""
    results = [read_run_result(values, path, plan.metric, plan.goal) for values, path in done]
    settings = settings_of(results, plan.goal)
    write_runs(folder / "runs.csv", results, plan.metric)
    tests = compared_settings(settings, baseline) if "auc" in metrics else None
    tables, best = sweep_tables(settings, plan.metric, metrics, tests), best_line(settings, plan.metric)
    with staged_file(folder / "summary.md") as partial:
        partial.write_text(markdown_page(tables, best))
    left_out = "frame" if any(table.level == "video" for table in tables) else None
    print_tables([table for table in tables if table.level != left_out], Console())
    console.print(best)
    rows = tests.shown(left_out) if tests else []
    if rows:
        draw_differences(folder / DIFFERENCES, rows)
    else:
        for suffix in (".png", ".svg"):  # of an earlier call
            (folder / DIFFERENCES).with_suffix(suffix).unlink(missing_ok=True)


def _refuse_other_sweep(note: Path, plan: Sweep) -> None:
    """Raise `UserError` if the folder has runs of another command, or with other data in the environment."""
    now = {"command": list(plan.command), **{name: os.environ.get(name) for name in one_run.VARIABLES}}
    if not note.is_file():
        with staged_file(note) as partial:
            partial.write_text(json.dumps(now, indent=1) + "\n")
        return
    try:
        before = json.loads(note.read_text())
        changed = [f"{name} {before[name]}, not {value}" for name, value in now.items() if before[name] != value]
    except (ValueError, LookupError, TypeError) as error:
        raise UserError(f"{note} is broken: choose another --out") from error
    if changed:
        raise UserError(f"{note.parent} has runs of {'; '.join(changed)}: choose another --out")
