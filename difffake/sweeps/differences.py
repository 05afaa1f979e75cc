"""Whether the settings of a sweep differ from its baseline setting by more than chance."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from difffake.errors import UserError
from difffake.evaluation.compared_runs import SCORES, read_scores
from difffake.evaluation.differences import Contender, contender, correct, differences, verdict
from difffake.evaluation.pictures.differences import difference_figure, differences_caption
from difffake.evaluation.results import ALL, LEVELS, RESULTS, Row
from difffake.evaluation.significance import LEVEL
from difffake.plots import save_figure
from difffake.progress import console, track
from difffake.sweeps.collect import RunResult, Setting
from difffake.swept import SEEDS, Values, text_of

MARKS = {"better": "▲", "worse": "▼", "": "="}
"""Marks of cells: better or worse than the baseline by more than chance, or not."""
DIFFERENCES = "differences.png"
"""Picture of the differences in the folder of a sweep."""
MOST_ROWS = 80
"""Differences in the picture."""
Kind = tuple[str, str]
"""Level and score of a table."""
Column = tuple[str, str, str]
"""Data set, manipulation, compression."""


@dataclass(frozen=True)
class Tested:
    """AUCs of all settings, compared with those of the baseline setting."""

    note: str
    """What the marks mean, or why there are none."""
    rows: dict[Kind, dict[tuple[int, Column], Row]] = field(default_factory=dict)
    """By table: rows of compare.json by number of the setting and column; p-values are corrected per table."""

    def shown(self, left_out: str | None = None) -> list[Row]:
        """Rows for a picture, without one level: all, or if they are many, those of all manipulations together."""
        rows = [row for (level, _), found in self.rows.items() if level != left_out for row in found.values()]
        whole = [row for row in rows if row["method"] == ALL]
        return (whole if len(rows) > MOST_ROWS and whole else rows)[:MOST_ROWS]

    def mark(self, kind: Kind, setting: int, column: Column) -> str:
        """Mark of a cell, or an empty text if it was not compared."""
        row = self.rows.get(kind, {}).get((setting, column))
        return "" if row is None or row["p"] != row["p"] else MARKS[verdict(row)]  # NaN: too few videos for a p-value


def compared_settings(settings: Sequence[Setting], baseline: Values, resamples: int = 1000, seed: int = 0) -> Tested:
    """Compare the AUC of each setting with that of the baseline setting, as `difffake compare` does.

    The seeds of a setting are averaged (`difffake.evaluation.differences`). Holm's correction is made for all cells of
    a table: one level and score, all settings, data sets and manipulations. A setting is not compared if one of its
    runs has no scores.parquet.

    Args:
        settings: settings of the sweep, in the order of the tables' lines.
        baseline: parameters of a run of the baseline setting.
        resamples: resamples per comparison.
        seed: random seed of the resamples.
    """
    number = next((n for n, setting in enumerate(settings) if _same(setting.runs[0].values, baseline)), None)
    if number is None:
        return Tested("The baseline setting has no finished run, so differences to it are not tested.")
    if len(settings) == 1:
        return Tested("")
    tables = [[_scores(run) for run in setting.runs] for setting in settings]
    lacking = sum(table is None for of_setting in tables for table in of_setting)
    known = {
        n: [t for t in found if t is not None] for n, found in enumerate(tables) if all(t is not None for t in found)
    }
    named = " ".join(f"{name}={value}" for name, value in settings[number].name.items())
    without = (
        f"{lacking} run{'s have' if lacking > 1 else ' has'} no {SCORES}: run their evaluation again" if lacking else ""
    )
    if number not in known or len(known) == 1:
        return Tested(f"Differences to the baseline {named} are not tested: {without}.")
    rows: dict[Kind, dict[tuple[int, Column], Row]] = {}
    scores = dict.fromkeys(name for found in known.values() for table in found for name in table["score"].unique())
    work = [(str(score), n) for score in scores for n in known if n != number]
    bases = {score: _contender(settings, number, score, known) for score in map(str, scores)}
    for score, n in track(work, "comparing settings"):
        other = _contender(settings, n, score, known)
        for level in LEVELS:
            try:
                found = list(differences(bases[score], other, level, True, resamples, seed))
            except UserError as error:
                console.print(f"not compared: {error}")
                continue
            of_table = rows.setdefault((level, score), {})
            of_table |= {(n, (row["dataset"], row["method"], row["compression"])): row for row in found}
    for of_table in rows.values():
        correct(list(of_table.values()))
    note = (
        f"{MARKS['better']} better, {MARKS['worse']} worse than the baseline {named} by more than chance (p < {LEVEL} "
        f"after Holm's correction for all cells of the table); {MARKS['']} no difference found."
    )
    return Tested(f"{note} {without[:1].upper()}{without[1:]}." if without else note, rows)


def draw_differences(path: Path, rows: Sequence[Row]) -> None:
    """Draw the difference of each setting to the baseline, with its interval; one panel per table.

    Args:
        path: PNG file to write; an SVG file is written beside it.
        rows: rows of `Tested.shown`, at least one.
    """
    save_figure(difference_figure(rows), path, differences_caption(rows, "all in the panel"))


def _contender(
    settings: Sequence[Setting], number: int, score: str, tables: dict[int, list[pd.DataFrame]]
) -> Contender:
    setting = settings[number]
    seeds = [tuple(run.values.get(name) for name in SEEDS) for run in setting.runs]
    return contender(" ".join(setting.name.values()), score, tables[number], seeds)


def _same(first: Values, second: Values) -> bool:
    """Whether two runs differ in their seeds at most."""
    names = (first.keys() | second.keys()) - set(SEEDS)
    return all(text_of(name, first.get(name)) == text_of(name, second.get(name)) for name in names)


def _scores(run: RunResult) -> pd.DataFrame | None:
    """The score tables of a run's evaluations, together; None if one is missing or broken."""
    folders = [path.parent for path in sorted(run.folder.rglob(RESULTS))]
    try:
        return pd.concat([read_scores(folder / SCORES) for folder in folders], ignore_index=True) if folders else None
    except UserError:
        return None
