"""How a detector's AUC falls when pictures are degraded: scores of degraded crops, and rows of robustness.json."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from difffake import metrics
from difffake.anomaly.scoring import Anomaly
from difffake.data.datasets import Read
from difffake.data.keys import original, resampling_unit
from difffake.data.manifest import Manifest
from difffake.evaluation.degradations import DEGRADATIONS, Degradation
from difffake.evaluation.degraded import Clips, Degraded
from difffake.evaluation.evaluate import Loading, score_tests
from difffake.evaluation.measures import ANOMALY
from difffake.evaluation.results import LEVELS, Row, at_level, comparisons
from difffake.intervals import bootstrap_intervals
from difffake.models.detector import Detector
from difffake.progress import console, duration
from difffake.randomness import named_generator

UNCHANGED = "unchanged"
Setting = tuple[str, int]
"""Name and strength of a degradation; the strength of unchanged crops is 0."""


def limited(test: Manifest, limit: int, seed: int) -> Manifest:
    """Draw whole videos and stills of each data set, compression and class, until there are at least `limit` crops.

    Real faces and fakes are drawn in the same order of their originals, so a real face and its fakes tend to be drawn
    together. The order depends only on the seed and the names.

    Args:
        test: rows to draw from.
        limit: number of crops per data set, compression and class; 0 takes all.
        seed: random seed.
    """
    if not limit:
        return test
    table = test.table
    name = table["dataset"] + "/" + original(table)
    turn = name.map({one: named_generator(seed, "limit", one).random() for one in name.unique()})
    video = (table["method"] + "/" + table["video"]).where(table["video"] != "", table["path"])
    keep = np.zeros(len(table), dtype=bool)
    for _, rows in table.groupby(["dataset", "compression", "label"]):
        sizes = rows.groupby([turn[rows.index], video[rows.index]]).size()
        before = sizes.cumsum() - sizes  # crops of the videos that are drawn earlier
        drawn = set(before.index[before < limit])
        keep[rows.index] = [key in drawn for key in zip(turn[rows.index], video[rows.index], strict=True)]
    return test.where(keep)


def settings(kinds: Sequence[str]) -> list[Setting]:
    """All settings: unchanged crops first, then each kind at its five strengths."""
    return [(UNCHANGED, 0), *((kind, strength) for kind in kinds for strength in range(1, 6))]


def degraded_scores(
    detector: Detector,
    anomaly: Anomaly | None,
    tests: Sequence[Manifest],
    loading: Loading,
    kinds: Sequence[str],
    seed: int,
) -> Iterator[tuple[Setting, pd.DataFrame]]:
    """Yield each setting of `settings` and the score table of all crops after it.

    The ranks share the work, and each gets the whole tables.

    Args:
        detector: the detector.
        anomaly: its anomaly model, or None. It is left out if there are no pairs.
        tests: rows to score.
        loading: settings of loading.
        kinds: names of degradations.
        seed: random seed of the degradations.
    """
    clips = {id(test): Clips(test) for test in tests}

    def change(kind: str, strength: int) -> Callable[[Manifest], Read]:
        value = DEGRADATIONS[kind].values[strength - 1]
        return lambda test: Degraded(test, clips[id(test)], kind, value, seed)

    passes = settings(kinds)
    for number, (kind, strength) in enumerate(passes, start=1):
        begin = time.monotonic()
        how = kind if kind == UNCHANGED else f"{kind} {DEGRADATIONS[kind].values[strength - 1]:g}"
        own = replace(loading, note=f"{number} of {len(passes)}, {how}")
        if kind != UNCHANGED:
            own = replace(own, change=change(kind, strength))
        table = score_tests(detector, anomaly, tests, "suspect", own)
        if kind == UNCHANGED:
            anomaly = anomaly if (table["score"] == ANOMALY).any() else None
            took = time.monotonic() - begin
            console.print(f"{len(passes) - 1} degradations follow, about {duration(took * (len(passes) - 1))} in all")
        yield (kind, strength), table


def robustness_rows(setting: Setting, scores: pd.DataFrame, resamples: int, seed: int) -> list[Row]:
    """Rows of robustness.json for one setting: one per data set, compression, level and score.

    All manipulations of a data set are taken together; rates are in [0, 1], NaN where they are not defined.

    Args:
        setting: name and strength of the degradation.
        scores: score table of the degraded crops.
        resamples: number of bootstrap resamples per interval.
        seed: random seed of the bootstrap.
    """
    kind, strength = setting
    head: Row = {"kind": kind, "title": UNCHANGED, "strength": strength}
    head |= {"parameter": "", "value": None, "unit": ""}
    if kind != UNCHANGED:
        found: Degradation = DEGRADATIONS[kind]
        head |= {"title": found.title, "parameter": found.parameter, "unit": found.unit}
        head["value"] = found.values[strength - 1]
    rows = []
    for name in scores["score"].unique():
        for level in LEVELS:
            seen = set()
            for dataset, compression, method, compared in comparisons(at_level(scores[scores["score"] == name], level)):
                if (dataset, compression) in seen or compared["label"].nunique() < 2:
                    continue
                seen.add((dataset, compression))  # the first comparison has all manipulations
                label, value = compared["label"].to_numpy(), compared["value"].to_numpy(np.float64)
                intervals = bootstrap_intervals(label, value, resampling_unit(compared)[0], resamples, seed)
                low, high = intervals.get("auc", (math.nan, math.nan))
                numbers: Row = {"n_real": int((label == 0).sum()), "n_fake": int((label == 1).sum())}
                numbers |= {"auc": metrics.auc(label, value), "auc_low": low, "auc_high": high}
                place = {"dataset": dataset, "compression": compression, "method": method}
                rows.append({**place, **head, "level": level, "score": str(name), **numbers})
    return rows
