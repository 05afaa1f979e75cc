"""The pictures that an evaluation draws from its scores alone."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure
from scipy.special import expit

from difffake.evaluation.pictures import timeline
from difffake.evaluation.pictures.curves import Panels, det_caption, det_figure, in_panels, roc_caption, roc_figure
from difffake.evaluation.pictures.histograms import histogram_caption, histogram_figure
from difffake.evaluation.pictures.reliability import CAPTION as RELIABILITY
from difffake.evaluation.pictures.reliability import Probabilities, reliability_figure
from difffake.evaluation.pictures.score_sets import UNITS, ScoreSet, score_sets
from difffake.evaluation.results import CLASSIFIER, LEVELS, Row, Thresholds
from difffake.plots import save_figure

OWN = ("classifier", "anomaly", "fusion")
"""Scores of the detector, each with its own pictures; all scores are compared in one picture per level."""
AS_TRAINED = "as trained"
_OF = {"frame": "the {} score of one frame or image", "video": "the {} score of a video"}


def write_pictures(
    scores: pd.DataFrame,
    rows: Sequence[Row],
    out_folder: Path,
    thresholds: Thresholds | None = None,
    calibrated: pd.Series | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> list[Path]:
    """Draw what a score table shows, as PNG files with captions and as SVG files.

    - roc_SCORE_LEVEL: ROC curves of each score of the detector.
    - det_SCORE_frame, histogram_SCORE_frame: DET curves and histograms of frames and images.
    - roc_all_LEVEL: all scores on each data set, if there are scores of other detectors.
    - reliability_classifier_frame: how often faces with a probability of p are fakes.
    - timeline: the scores of some videos over their frames.

    All manipulations of a data set and compression are drawn together. A data set without both classes is left out.

    Args:
        scores: score table as in `difffake.evaluation.results`.
        rows: rows of results.json.
        out_folder: folder to write to.
        thresholds: thresholds of the validation data by score and level.
        calibrated: (N,) calibrated probability of a fake of each row of `scores` that has one, NaN for others; None if
            there is no calibration.
        resamples: number of bootstrap resamples of the bands.
        seed: random seed of the bootstrap.

    Returns:
        Paths of the PNG files.
    """
    paths = []

    def save(name: str, figure: Figure, caption: str) -> None:
        paths.append(out_folder / f"{name.replace(' ', '-')}.png")
        save_figure(figure, paths[-1], caption)

    names = list(scores["score"].unique())
    found = {
        (name, level): score_sets(scores, rows, name, level, thresholds, resamples, seed)
        for name in names
        for level in LEVELS
    }
    own = [name for name in OWN if name in names] or names
    for name, level in product(own, LEVELS):
        if sets := found[name, level]:
            panels, title = in_panels(sets), f"{name} score, {level} level"
            of, units = _OF[level].format(name), UNITS[level]
            save(f"roc_{name}_{level}", roc_figure(panels, f"ROC curves: {title}"), roc_caption(of))
            if level == "frame":
                save(f"det_{name}_{level}", det_figure(panels, f"DET curves: {title}"), det_caption(of))
                figure = histogram_figure(sets, f"distribution: {title}", units, name == CLASSIFIER)
                save(f"histogram_{name}_{level}", figure, histogram_caption(of, units))
    for level in LEVELS if len(names) > 1 and set(names) - set(OWN) else ():
        if panels := _compared({name: found[name, level] for name in names}):
            of = _OF[level].format("classifier's and every other")
            save(f"roc_all_{level}", roc_figure(panels, f"ROC curves: all scores, {level} level"), roc_caption(of))
    if reliable := _reliable(scores, rows, calibrated):
        figure = reliability_figure(reliable, "reliability of the classifier, frame level")
        save(f"reliability_{CLASSIFIER}_frame", figure, RELIABILITY)
    if "frame" in scores and (videos := timeline.chosen_videos(scores, [name for name in own if name != "fusion"])):
        save("timeline", timeline.timeline_figure(videos, thresholds), timeline.CAPTION)
    return paths


def _compared(found: Mapping[str, Sequence[ScoreSet]]) -> Panels:
    """One panel per data set and compression, with a curve for each score, from the sets of each score by name."""
    panels: dict[str, list[ScoreSet]] = {}
    for name, sets in found.items():
        for one in sets:
            panels.setdefault(one.name, []).append(replace(one, name=name))
    return list(panels.items())


def _reliable(
    scores: pd.DataFrame, rows: Sequence[Row], calibrated: pd.Series | None
) -> dict[str, dict[str, Probabilities]]:
    """Labels and probabilities of the frames of each data set with both classes."""
    found: dict[str, dict[str, Probabilities]] = {}
    for one in score_sets(scores, rows, CLASSIFIER, "frame"):
        found[one.name] = {AS_TRAINED: (one.label, expit(one.value))}
    if calibrated is not None:
        for one in score_sets(scores.assign(value=calibrated).dropna(subset="value"), rows, CLASSIFIER, "frame"):
            found[one.name]["calibrated"] = (one.label, one.value)
    return found
