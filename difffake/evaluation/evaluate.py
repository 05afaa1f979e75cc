"""Scores of every crop of test manifests, and the folder with the results."""

import shutil
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from difffake.anomaly.fit import warn_of_equal_pairs
from difffake.anomaly.scoring import Anomaly, PairMode, equal_pairs
from difffake.data.choice import Choice, choose_rows
from difffake.data.datasets import CropDataset, Read
from difffake.data.keys import check_calibrating, check_leaks, content_keys, leak_keys, pair_group, subject
from difffake.data.manifest import Manifest, read_manifests
from difffake.data.skipped import coverage
from difffake.distributed import count, everyone, own_rows
from difffake.errors import UserError
from difffake.evaluation.calibration import Calibration
from difffake.evaluation.measures import ANOMALY, CLASSIFIER
from difffake.evaluation.pictures.write import write_pictures
from difffake.evaluation.results import COLUMNS, Results, Thresholds, check_rows, write_results
from difffake.evaluation.tables import markdown
from difffake.evaluation.testbed import NOTE, TESTBEDS
from difffake.files import staged_folder
from difffake.models.detector import Detector
from difffake.models.embed import embed
from difffake.progress import console


@dataclass(frozen=True)
class Loading:
    """Settings of loading: side of the images in pixels, images per batch, number of loader processes."""

    image_size: int
    batch_size: int
    workers: int
    change: Callable[[Manifest], Read] | None = None
    """How the crops of a manifest are read, if not as they are stored."""
    note: str = ""
    """Words before the name of the data set in the progress."""


def read_tests(
    paths: Sequence[Path],
    split: str,
    training_keys: Set[str],
    choice: Choice,
    calibrating: tuple[Set[str], Path] | None = None,
) -> tuple[list[Manifest], dict[str, str]]:
    """Read and check test data before anything is scored.

    Args:
        paths: manifests.
        split: split to score; all for every row.
        training_keys: keys of the training data, see `difffake.data.keys`.
        choice: methods and compressions to score.
        calibrating: keys of the calibrating data, and the file of the calibration; None without one.

    Returns:
        The rows of the split in each manifest, and for each data set with files without crops a text about them.

    Raises:
        UserError: a manifest is given twice, has no such rows, lacks crops, shares names or crops with the training
            or calibrating data, contradicts itself, or repeats rows of another.
    """
    tests, lost = [], {}
    manifests = read_manifests(paths)
    for path, whole, chosen in zip(paths, manifests, choose_rows(manifests, choice), strict=True):
        test = chosen.select(split=split)
        if not len(test):
            what = " that are chosen" if len(chosen) < len(whole) else ""
            raise UserError(f"{path} has no rows{what} in the split {split}: use --split all or another manifest")
        test.check_files()
        keys = leak_keys(test.table, whole.table) | content_keys(test.table, test.root)
        where = f"{path}, split {split},"
        check_leaks(training_keys, keys, where)
        if calibrating:
            check_calibrating(calibrating[0], keys, where, calibrating[1])
        if len(test) < len(chosen):
            console.print(f"{path}: {len(test)} of {len(chosen)} rows are in the split {split}; --split all takes all")
        if (found := coverage(whole, split, choice)) and found.lost:
            lost[_names(test)] = str(found)
        tests.append(test)
    check_rows(pd.concat([test.table for test in tests]))
    return tests, lost


def score_tests(
    detector: Detector, anomaly: Anomaly | None, tests: Sequence[Manifest], mode: PairMode, loading: Loading
) -> pd.DataFrame:
    """Score every row with the classifier, and pairs with the anomaly model.

    Rows that are compared with each other are on the same rank. Every rank gets the whole table.

    Args:
        detector: the detector.
        anomaly: its anomaly model, or None.
        tests: rows to score.
        mode: which pairs the anomaly model scores, see `difffake.anomaly.scoring.pair_features`.
        loading: settings of loading.

    Returns:
        A score table, see `difffake.evaluation.results`.

    Raises:
        UserError: the mode is reference, and there is no pair.
    """
    tables, pairs = [], 0
    for test in tests:
        name = _names(test)
        own = own_rows(pair_group(test.table) if mode == "suspect" else subject(test.table))
        table = test.table.iloc[own]
        data = CropDataset(test, loading.image_size, loading.change(test) if loading.change else None)
        options: dict[str, Any] = {
            "batch_size": loading.batch_size,
            "workers": loading.workers,
            "description": f"{loading.note} {name}".strip(),
        }
        _, logits, embeddings = embed(detector, data, own, **options)
        found = [_numbered(scored(table, CLASSIFIER, logits), own)]
        if anomaly:
            (probes, features), values = anomaly.scores(table, embeddings, mode)
            found.append(_numbered(scored(table.iloc[probes], ANOMALY, values), own[probes]))
            warn_of_equal_pairs(count(equal_pairs(features, anomaly.pairing.combination)), count(len(probes)))
        for parts in zip(*everyone(found), strict=True):
            whole = pd.concat(parts).sort_index(kind="stable")  # each row once, in the manifest's order
            tables.append(whole)
            if not len(whole):
                console.print(f"{name} has no {mode} pairs: it gets no anomaly score")
        pairs += len(tables[-1]) if anomaly else 0
    if anomaly and mode == "reference" and not pairs:
        raise UserError(
            "no row has another real image of its person to be compared with: --pairs reference needs the column "
            "identity or target, and real images or rows with the role reference"
        )
    return pd.concat(tables, ignore_index=True)


def scored(table: pd.DataFrame, score: str, values: np.ndarray) -> pd.DataFrame:
    """Make a score table, for `result_rows`.

    Args:
        table: N rows of a manifest.
        score: name of the score.
        values: scores (N,) of the rows.
    """
    return table.assign(score=score, value=np.asarray(values, dtype=np.float64))[[*COLUMNS, "frame", "track"]]


def write_evaluation(
    out: Path,
    scores: pd.DataFrame,
    results: Results,
    notes: Sequence[str],
    config: Path | None,
    overwrite: bool = False,
    thresholds: Thresholds | None = None,
    calibration: Calibration | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> None:
    """Write results.json, results.md, scores.parquet and pictures to a folder, and a copy of the run's config.

    Args:
        out: folder to write.
        scores: score table.
        results: content of results.json.
        notes: lines below the tables of results.md.
        config: config.yaml of the run; it need not exist, and without a run it is None.
        overwrite: replace an existing folder.
        thresholds: thresholds of the validation data, which pictures show.
        calibration: calibration of the scores; a picture shows it too.
        resamples: number of bootstrap resamples of the bands of curves; 0 gives no bands.
        seed: random seed of the bands.
    """
    with staged_folder(out, overwrite) as folder:
        write_results(folder, results.rows, results.provenance, results.domains)
        scores.to_parquet(folder / "scores.parquet", index=False)
        head = f"**{NOTE}**\n\n" if results.provenance["testbed"] else ""
        text = [head + markdown(results.rows, results.domains), *(f"{note}\n" for note in notes)]
        (folder / "results.md").write_text("\n".join(text))
        calibrated = calibrated_probabilities(scores, calibration) if calibration else None
        write_pictures(scores, results.rows, folder, thresholds, calibrated, resamples, seed)
        if config and config.is_file():
            shutil.copy(config, folder)  # so that the folder also documents the training


def calibrated_probabilities(scores: pd.DataFrame, calibration: Calibration) -> pd.Series:
    """Calibrated probability of a fake (N,) for each row of a score table; NaN for scores without calibration."""
    found = pd.Series(np.nan, scores.index)
    for name in scores["score"].unique():
        if one := calibration.at(name, "frame"):
            rows = scores["score"] == name
            found[rows] = one.to_probability(scores.loc[rows, "value"])
    return found


def is_testbed(scores: pd.DataFrame) -> bool:
    """Whether some of the scored data are drawn faces or forgeries of this project."""
    return any(name.startswith(TESTBEDS) for name in scores["dataset"].unique())


def _names(test: Manifest) -> str:
    return ", ".join(test.table["dataset"].unique())


def _numbered(table: pd.DataFrame, rows: np.ndarray) -> pd.DataFrame:
    return table.set_axis(rows, axis="index")
