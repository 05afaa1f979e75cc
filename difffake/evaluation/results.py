"""Result rows: from a table of scores to the content of results.json.

A score table has one row per scored frame or pair, with the columns `COLUMNS`. The column `score` has the name of the
score: "classifier", whose `value` is the logit of the detector's head, or another name such as "anomaly", whose `value`
is the negative log-likelihood of a pair. Higher = more fake.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from difffake.data.keys import VIDEO
from difffake.errors import UserError
from difffake.evaluation.calibration import Calibration
from difffake.evaluation.measures import CLASSIFIER, LOGITS, measured
from difffake.files import staged_file
from difffake.logits import mean_logit
from difffake.readers.item import REAL

COLUMNS = (
    "dataset", "method", "compression", "label", "video", "target", "identity", "path", "score", "value",
)  # fmt: skip
ALL = "all"
WHOLE = -1
"""Number in the column `frame` of a row whose score is one for the whole video: it has no frame level."""
LEVELS = ("frame", "video")
RESULTS = "results.json"
ROW_TEXTS = ("dataset", "method", "compression", "level", "score")
_POOLED = ("pooled_auc", "pooled_false_alarm_rate")
_SHIFTED = ("auc", "shift", "false_alarm_rate")
ROW_NUMBERS = ("n_real", "n_fake", "auc", "auc_low", "auc_high", "eer", "ap", "acc")
"""Numbers that every row of results.json has; they may be null."""

Row = dict[str, Any]
Thresholds = dict[str, dict[str, float | None]]


def video_scores(scores: pd.DataFrame) -> pd.DataFrame:
    """One row for each video and score: the mean over frames or pairs of a person, the highest of its people.

    Stills are left out. The people of a video have different numbers in the column `track`, where there is one.

    A classifier's values are averaged as probabilities, sigmoid(logit), as in DeepfakeBench. The result is the logit of
    this mean (`mean_logit`). Other values are averaged directly. The columns `VIDEO` identify a video. The column
    `frames` has the number of averaged values.
    """
    frames = scores[scores["video"] != ""].assign(track=scores.get("track", 0))
    groups = frames.groupby([*VIDEO, "track", "score"], sort=False)
    classifier = (groups["score"].first() == CLASSIFIER).to_numpy()
    value = np.where(classifier, groups["value"].agg(mean_logit), groups["value"].mean())
    first = groups[["label", "target", "identity", "path"]].first()
    people = first.assign(value=value, frames=groups.size()).reset_index()
    if not people["track"].any():
        return people.drop(columns="track")
    highest = people.groupby([*VIDEO, "score"], sort=False)["value"].idxmax()
    return people.loc[highest].drop(columns="track").reset_index(drop=True)


def at_level(scores: pd.DataFrame, level: str) -> pd.DataFrame:
    """The rows of frames for the level "frame", the `video_scores` for "video"."""
    if level == "video":
        return video_scores(scores)
    return scores[scores["frame"] != WHOLE] if "frame" in scores else scores


def comparisons(table: pd.DataFrame) -> Iterator[tuple[str, str, str, pd.DataFrame]]:
    """Yield the comparisons (dataset, compression, method, rows) of a table with one score and level.

    The fakes of a manipulation are compared with all reals of the data set with the same compression, or, if there are
    none, of unknown compression. If there are several manipulations, the method "all" with all of them comes first.
    Reals without fakes come as method "real".
    """
    for dataset, rows in table.groupby("dataset", sort=False):
        fakes, reals = rows[rows["label"] == 1], rows[rows["label"] == 0]
        met = set()
        for compression in sorted(fakes["compression"].unique()):
            own = fakes[fakes["compression"] == compression]
            partner = compression if (reals["compression"] == compression).any() else ""
            met.add(partner)
            originals = reals[reals["compression"] == partner]
            methods = sorted(own["method"].unique())
            if len(methods) > 1:
                yield str(dataset), compression, ALL, pd.concat([originals, own])
            for method in methods:
                yield str(dataset), compression, method, pd.concat([originals, own[own["method"] == method]])
        for compression in sorted(set(reals["compression"]) - met):
            yield str(dataset), compression, REAL, reals[reals["compression"] == compression]


def result_rows(
    scores: pd.DataFrame,
    thresholds: Thresholds,
    resamples: int = 1000,
    seed: int = 0,
    calibration: Calibration | None = None,
) -> list[Row]:
    """Rows of results.json: one per data set, compression, manipulation, level and score.

    Rates are in [0, 1]. Metrics that are not defined are NaN: those that need both classes; without a threshold `acc`,
    `balanced_accuracy`, `false_alarm_rate` (share of reals called fake) and `detection_rate` (share of fakes called
    fake). `acc_at_half` is the accuracy at a probability of 0.5; `ece` and `brier` are of the sigmoid of a score that
    is a logit, `ece_calibrated` and `brier_calibrated` of the calibrated probability.

    Args:
        scores: score table with the columns `COLUMNS`.
        thresholds: thresholds from validation data, by score and level; without one there is no accuracy.
        resamples: number of bootstrap resamples per interval.
        seed: random seed of the bootstrap.
        calibration: calibration of the scores, if there is one.

    Raises:
        UserError: a column is missing, a value is not finite, label and method contradict each other, or a frame occurs
            twice with the classifier's score.
    """
    check_scores(scores)
    rows = []
    for name in map(str, scores["score"].unique()):
        for level in LEVELS:
            table = at_level(scores[scores["score"] == name], level)
            threshold = thresholds.get(name, {}).get(level)
            calibrated = calibration.at(name, level) if calibration else None
            for dataset, compression, method, compared in comparisons(table):
                key = {"dataset": dataset, "method": method, "compression": compression, "level": level, "score": name}
                rows.append(key | measured(compared, threshold, name in LOGITS, calibrated, resamples, seed))
    return rows


def check_rows(scores: pd.DataFrame) -> None:
    """Raise `UserError` if rows contradict themselves or occur twice.

    Args:
        scores: table with the columns `COLUMNS`; score and value are not needed.
    """
    wrong = scores[(scores["method"] == REAL) != (scores["label"] == 0)]
    if len(wrong):
        first = wrong.iloc[0]
        raise UserError(
            f"{first['path']} in {first['dataset']} has label {first['label']} and method {first['method']!r}: "
            f"label 0 needs method {REAL!r}, and label 1 another method: correct the manifest"
        )
    twice = scores[scores.duplicated(["dataset", "compression", "method", "path"])]
    if len(twice):
        first = twice.iloc[0]
        raise UserError(
            f"{len(twice)} frame(s) occur more than once, the first {first['path']} in {first['dataset']}: "
            "remove the repeated rows or manifests"
        )


def check_scores(scores: pd.DataFrame) -> None:
    """Raise `UserError` if a score table lacks columns or values, or its rows contradict themselves or occur twice."""
    if missing := [column for column in COLUMNS if column not in scores]:
        raise UserError(f"the score table lacks the column(s) {', '.join(missing)}: it needs {', '.join(COLUMNS)}")
    if empty := [column for column in COLUMNS[:-1] if scores[column].isna().any()]:
        raise UserError(f"the score table has empty cells in {', '.join(empty)}: use an empty text for unknown values")
    broken = scores[~np.isfinite(scores["value"].to_numpy(np.float64))]
    if len(broken):
        first = broken.iloc[0]
        raise UserError(
            f"{len(broken)} of {len(scores)} scores are NaN or infinite, the first the {first['score']} score of "
            f"{first['path']} in {first['dataset']}: leave out these samples, or check the checkpoint"
        )
    for name, part in scores.groupby("score"):
        # A frame may be in several pairs.
        check_rows(part if name == CLASSIFIER else part.drop_duplicates(["dataset", "compression", "method", "path"]))


class Results(NamedTuple):
    """Content of results.json."""

    rows: list[Row]
    """One per comparison, see `result_rows`."""
    domains: list[Row]
    """One per score and level, see `difffake.evaluation.domains`."""
    provenance: dict[str, Any]
    """Origin of the numbers, see `difffake.evaluation.provenance`."""


def write_results(
    out_folder: Path, rows: Sequence[Row], provenance: dict[str, Any], domains: Sequence[Row] = ()
) -> Path:
    """Write results.json, {"rows": rows, "domains": domains, "provenance": provenance}, with null for NaN.

    Returns its path.
    """
    path = out_folder / RESULTS
    content = jsonable({"rows": rows, "domains": domains, "provenance": provenance})
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    with staged_file(path) as partial:
        partial.write_text(text + "\n", encoding="utf-8")
    return path


def jsonable(value: Any) -> Any:
    """A value whose numbers are Python's, with None for NaN and infinity, for JSON."""
    if isinstance(value, dict):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def read_results(run: Path) -> Results:
    """Read results.json in a folder.

    Raises:
        UserError: the file is missing, is not JSON, or does not contain such rows.
    """
    path = run / RESULTS
    if not path.is_file():
        raise UserError(f"{path} does not exist: give a folder that `difffake evaluate` or `difffake demo` wrote")
    mend = "run `difffake evaluate` again"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:  # both broken JSON and broken UTF-8
        raise UserError(f"{path} is not valid JSON ({error}): {mend}") from error
    if not isinstance(content, dict):
        raise UserError(f"{path} is not an object: {mend}")
    rows = checked_rows(content, "rows", path, ROW_TEXTS, ROW_NUMBERS, mend)
    domains: list[Row] = []
    if "domains" in content:
        domains = checked_rows(content, "domains", path, ("level", "score"), _POOLED, mend, lists=("sets",))
        for domain in domains:
            checked_rows(domain, "sets", path, ("dataset", "compression"), _SHIFTED, mend, lists=("promised",))
    provenance = content.get("provenance", {})
    if not isinstance(provenance, dict):
        raise UserError(f"{path}: the provenance is not an object: {mend}")
    return Results(rows, domains, provenance)


def checked_rows(
    content: Mapping[str, Any],
    name: str,
    path: Path,
    texts: Sequence[str],
    numbers: Sequence[str],
    mend: str,
    lists: Sequence[str] = (),
) -> list[Row]:
    """A list of rows of a JSON file, if it is one.

    Args:
        content: what holds the list.
        name: key of the list.
        path: the file, for messages.
        texts: keys with a text.
        numbers: keys with a number or null. All other values are simple too.
        mend: what to do about a broken file.
        lists: keys with a list.

    Raises:
        UserError: it is no such list.
    """
    rows = content.get(name)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise UserError(f"{path} has no list of {name}: {mend}")
    for number, row in enumerate(rows):
        wrong = [key for key in texts if not isinstance(row.get(key), str)]
        wrong += [key for key in numbers if not isinstance(row.get(key, ""), int | float | None)]
        wrong += [key for key in lists if not isinstance(row.get(key), list)]
        wrong += [key for key in row.keys() - set(lists) if isinstance(row[key], list | dict)]
        if wrong:
            raise UserError(f"{path}: row {number} of {name} has no valid {', '.join(wrong)}: {mend}")
    return rows
