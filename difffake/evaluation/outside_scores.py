"""Scores of other detectors, from CSV files, for the crops and videos of a manifest."""

import math
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from difffake.data.keys import VIDEO
from difffake.data.manifest import Manifest
from difffake.errors import UserError
from difffake.evaluation.evaluate import scored
from difffake.evaluation.names import Names
from difffake.evaluation.results import WHOLE
from difffake.files import absent
from difffake.readers.user_table import read_texts

NAME_COLUMNS = ("path", "video", "file", "name")
"""Columns that may name the crop or video of a score; the first one that the file has is used."""
NARROWING = ("dataset", "method", "compression")
"""Columns that may tell apart crops or videos of one name, as they do in the manifest."""


def check_outside_names(paths: Sequence[Path], taken: Sequence[str]) -> None:
    """Raise `UserError` if two files, or a file and a score of this project, give a score the same name.

    Args:
        paths: CSV files; a score is named by the stem of its file.
        taken: names of other scores.
    """
    names = list(taken)
    for path in paths:
        if path.stem in names:
            raise UserError(f"{path}: there is another score named {path.stem}: rename the file, whose name it takes")
        names.append(path.stem)


def read_outside(path: Path, tests: Sequence[Manifest], higher_is_real: bool = False) -> tuple[pd.DataFrame, list[str]]:
    """Read the scores of another detector.

    A line of the file has the name of a crop or video (columns `NAME_COLUMNS`) and a number (column score). A name can
    be the path of a crop, or the name of an image or video as in the manifest or in the data set, with or without the
    folders above it and the suffix. The score of a video is one for all its crops, and stands at the video level only.

    Args:
        path: CSV file.
        tests: rows to score.
        higher_is_real: whether a high score means a real face; the scores are then negated.

    Returns:
        A score table, see `difffake.evaluation.results`, whose score has the name of the file without suffix; and
        sentences about what the file does not cover.

    Raises:
        UserError: the file is missing or is not such a table, a score is not a finite number, a name belongs to several
            crops or videos, two lines belong to the same one, or no line belongs to any.
    """
    if not path.is_file():
        raise UserError(f"{path} {absent(path)}: give a CSV file with the columns path and score")
    rows = read_texts(path, {"score"})
    column = next((name for name in NAME_COLUMNS if name in rows), None)
    if column is None:
        raise UserError(f"{path} has no column {', '.join(NAME_COLUMNS[:-1])} or {NAME_COLUMNS[-1]}: add one")
    table = pd.concat([test.table for test in tests], ignore_index=True)
    found, unmatched = _lines_of(rows, column, table, Names(tests), path)
    if not found:
        known = next(filter(None, (table["video"].tolist()[0], table["path"].tolist()[0])))
        raise UserError(
            f"{path}: none of its {len(rows)} lines belongs to a chosen row; the manifest has names such as {known}"
            + (f", the file such as {unmatched[0]}" if unmatched else "")
        )
    texts = rows["score"].tolist()
    values = [_number(texts[line], f"{path}, line {line + 2}") for line in found.values()]
    rows_of = np.array([target if target >= 0 else -1 - target for target in found])
    result = scored(table.iloc[rows_of], path.stem, -np.array(values) if higher_is_real else np.array(values))
    whole = np.array([target < 0 for target in found])
    result.loc[whole, ["frame", "track"]] = WHOLE, 0
    _refuse_both(result, path)
    result = result.iloc[np.argsort(rows_of, kind="stable")].reset_index(drop=True)
    return result, _uncovered(table, rows_of, whole, unmatched, len(rows), path)


def _lines_of(
    rows: pd.DataFrame, column: str, table: pd.DataFrame, names: Names, path: Path
) -> tuple[dict[int, int], list[str]]:
    """The line of each target (see `Names`), counted from 0, and the names of lines without target."""
    found: dict[int, int] = {}
    unmatched = []
    narrowing = [name for name in NARROWING if name in rows]
    for line, row in enumerate(rows.to_dict("records")):
        targets = names.find(row[column])
        for name in narrowing:
            if row[name]:
                targets = {t for t in targets if table[name].iat[t if t >= 0 else -1 - t] == row[name]}
        if not targets:
            unmatched.append(row[column])
            continue
        if len(targets) > 1:
            kind = "video" if all(target < 0 for target in targets) else "crop"
            first, second, *_ = (_described(table, t, names) for t in sorted(targets, key=abs))
            raise UserError(
                f"{path}, line {line + 2}: {row[column]} is the name of {len(targets)} {kind}s, such as {first} and "
                f"{second}: write more of the path, or add a column dataset, method or compression"
            )
        target = targets.pop()
        if target in found:
            raise UserError(
                f"{path}, lines {found[target] + 2} and {line + 2}: both have a score of "
                f"{_described(table, target, names)}: keep one"
            )
        found[target] = line
    return found, unmatched


def _described(table: pd.DataFrame, target: int, names: Names) -> str:
    row = table.iloc[target if target >= 0 else -1 - target]
    if target >= 0:
        return names.file(target)
    return " ".join(filter(None, (row["dataset"], row["compression"], row["video"])))


def _number(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if re.fullmatch(r"[-+]?[0-9]*,[0-9]+(e[-+]?[0-9]+)?", text, re.IGNORECASE):
        raise UserError(f"{where}: the score {text!r} has a decimal comma: write decimal points")
    if not math.isfinite(value):
        raise UserError(f"{where}: the score {text!r} is not a finite number: correct it, or leave out the line")
    return value


def _refuse_both(result: pd.DataFrame, path: Path) -> None:
    """Raise `UserError` if a video has a score of its own and scores of its crops."""
    videos = result[result["video"] != ""]
    kinds = (videos["frame"] == WHOLE).groupby([videos[name] for name in VIDEO]).nunique()
    if (kinds > 1).any():
        name = kinds.index[int(np.argmax(kinds > 1))][-1]
        raise UserError(f"{path} scores the video {name} and also crops of it: keep one of the two")


def _uncovered(
    table: pd.DataFrame, rows_of: np.ndarray, whole: np.ndarray, unmatched: list[str], lines: int, path: Path
) -> list[str]:
    """Sentences about rows without a score, and about lines without a row."""
    scored_rows = np.zeros(len(table), dtype=bool)
    scored_rows[rows_of[~whole]] = True
    video = table.groupby(VIDEO, sort=False).ngroup().to_numpy()
    scored_rows |= np.isin(video, video[rows_of[whole]])
    said = []
    if missing := int((~scored_rows).sum()):
        first = table["path"].iat[int(np.argmin(scored_rows))]
        said.append(f"{path.stem}: {missing} of {len(table)} rows have no score in {path.name}, such as {first}")
    if unmatched:
        said.append(
            f"{path.stem}: {len(unmatched)} of {lines} lines of {path.name} belong to no chosen row, such as "
            f"{unmatched[0]}"
        )
    return said
