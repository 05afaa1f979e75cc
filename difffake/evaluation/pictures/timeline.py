"""Scores of a video's frames over time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from scipy.special import expit

from difffake.data.keys import VIDEO
from difffake.evaluation.results import CLASSIFIER, WHOLE, Thresholds, video_scores
from difffake.plots import WIDTH, in_percent, looks, tidy, wrapped

CAPTION = (
    "Scores of the frames of single videos over time. The columns are, of the videos with most frames: the fake and "
    "the real video with the median score of their class, then the fake with the lowest and the real video with the "
    "highest score, judged by the score in the first row. The dashed line is the threshold of the validation data; "
    "above it, a frame is called fake. An anomaly score compares a frame with another one of the same video."
)
_KINDS = ("typical fake", "typical real", "worst missed fake", "worst false alarm")


@dataclass(frozen=True)
class Course:
    """The frames of one video with their scores."""

    name: str
    """Text above the video's column."""
    frames: pd.DataFrame
    """Rows of a score table, of one or more scores, with the column frame."""


def timeline_figure(
    videos: Sequence[Course], thresholds: Thresholds | None = None, rate: float | None = None
) -> Figure:
    """Draw the scores of each video's frames: one column per video, one row per score.

    The classifier's logits are drawn as probabilities. Frames with several scores of one kind, of several people or
    pairs, get one point each; the line is their mean.

    Args:
        videos: the videos, with the same scores.
        thresholds: thresholds of the validation data by score and level; those of frames are drawn.
        rate: frames per second, so that the axis shows seconds; None: it shows numbers of frames.
    """
    names = list(dict.fromkeys(name for video in videos for name in video.frames["score"]))
    width = WIDTH if len(videos) > 1 else 4.2
    figure = Figure(figsize=(width, 1.6 * len(names) + 1.0), layout="constrained")
    panels = figure.subplots(len(names), len(videos), squeeze=False, sharey="row", sharex="col")
    for line, name, (color, _, marker) in zip(panels, names, looks(len(names)), strict=True):
        at = (thresholds or {}).get(name, {}).get("frame")
        for axes, video in zip(line, videos, strict=True):
            own = video.frames[video.frames["score"] == name]
            time = own["frame"].to_numpy(np.float64) / (rate or 1)
            value = own["value"].to_numpy(np.float64)
            if name == CLASSIFIER:
                value = expit(value)
            draw_course(axes, time, value, color, marker)
            if at is not None:
                axes.axhline(
                    float(expit(at)) if name == CLASSIFIER else at, color="black", linestyle="--", linewidth=0.8
                )
            tidy(axes)
        line[0].set_ylabel("probability of a fake" if name == CLASSIFIER else wrapped(f"{name} score", 20), fontsize=8)
        if name == CLASSIFIER:
            line[0].set_ylim(-0.03, 1.03)
            in_percent(line[0].yaxis)
    for axes, video in zip(panels[0], videos, strict=True):
        lines = (wrapped(line, 24 if len(videos) > 2 else 40) for line in video.name.split("\n"))
        axes.set_title("\n".join(lines), fontsize=8)
    figure.supxlabel("time in seconds" if rate else "number of the frame in the video", fontsize=9)
    return figure


def draw_course(axes: Axes, time: ArrayLike, value: ArrayLike, color: str, marker: str) -> None:
    """Draw values over time: a point each, and a line through the mean of those of one time."""
    course = pd.Series(np.asarray(value), np.asarray(time)).groupby(level=0).mean()
    axes.plot(course.index, course.to_numpy(), color=color, linewidth=1)
    axes.plot(time, value, color=color, linestyle="", marker=marker, markersize=3)


def chosen_videos(scores: pd.DataFrame, names: Sequence[str]) -> list[Course]:
    """The videos that `CAPTION` describes: up to four, those with the median and the most wrong scores.

    Args:
        scores: score table with the column frame.
        names: scores to draw; the first one decides.

    Returns:
        The videos, with all people and pairs; empty if no video has three frames.
    """
    scores = scores[scores["frame"] != WHOLE]  # not scores of whole videos
    decisive = scores[(scores["score"] == names[0]) & (scores["video"] != "")]
    if decisive.empty:
        return []
    whole = video_scores(decisive)
    whole["count"] = decisive.groupby(VIDEO)["frame"].nunique().reindex(pd.MultiIndex.from_frame(whole[VIDEO])).array
    # A course needs frames; short videos are drawn only if there are no longer ones.
    whole = whole[whole["count"] >= max(3, int(whole["count"].max()) // 2)].sort_values("value", kind="stable")
    fakes, reals = whole[whole["label"] == 1], whole[whole["label"] == 0]
    picks: list[tuple[str, Any]] = []
    for kind, part, place in zip(_KINDS, (fakes, reals) * 2, (None, None, 0, -1), strict=True):
        if len(part):
            picks.append((kind, part.iloc[len(part) // 2 if place is None else place]))
    courses, seen = [], set()
    for kind, row in picks:
        key = tuple(row[VIDEO])
        if key not in seen:
            seen.add(key)
            own = scores[(scores[VIDEO] == row[VIDEO]).all(axis=1) & scores["score"].isin(names)]
            method = "" if row["label"] == 0 else f", {row['method'].replace('_', ' ')}"
            courses.append(Course(f"{kind}\n{row['dataset']}{method}\n{row['video']}", own))
    return courses
