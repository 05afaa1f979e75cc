"""Scores of a video's frames over time."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from score_table import scored
from seen_texts import check_texts, seen_texts

from difffake.evaluation.pictures.timeline import chosen_videos, timeline_figure


def videos(values: dict[tuple[str, str], float], frames: int = 4) -> pd.DataFrame:
    """Videos by method and name; the logit of each frame is the value plus the number of the frame in hundredths."""
    parts = [
        scored(
            dataset="a set", method=method, label=int(method != "real"), video=name,
            frame=[10 * n for n in range(frames)],
            path=[f"{method}/{name}/{n}" for n in range(frames)], value=value + np.arange(frames) / 100, score=score,
            track=0,
        )
        for (method, name), value in values.items()
        for score in ("classifier", "anomaly")
    ]  # fmt: skip
    return pd.concat(parts, ignore_index=True)


@pytest.fixture
def table() -> pd.DataFrame:
    fakes = {("swap", str(number)): float(number) for number in range(5)}
    reals = {("real", str(number)): -float(number) for number in range(3)}
    return videos(fakes | reals)


def test_typical_and_worst_videos_are_chosen(table: pd.DataFrame) -> None:
    found = chosen_videos(table, ["classifier", "anomaly"])
    assert [video.name for video in found] == [
        "typical fake\na set, swap\n2", "typical real\na set\n1", "worst missed fake\na set, swap\n0",
        "worst false alarm\na set\n0",
    ]  # fmt: skip
    assert all(len(video.frames) == 8 for video in found)  # four frames with two scores
    short = pd.concat([table, videos({("swap", "short"): -9.0}, frames=1)])
    assert [video.name for video in chosen_videos(short, ["classifier"])] == [video.name for video in found]
    assert chosen_videos(table.assign(video=""), ["classifier"]) == []


def test_frames_are_drawn_at_their_numbers_or_times_with_the_threshold(table: pd.DataFrame) -> None:
    found = chosen_videos(table, ["classifier", "anomaly"])
    thresholds = {"classifier": {"frame": 0.5}, "anomaly": {"frame": 3.0}}
    figure = timeline_figure(found, thresholds)
    upper, lower = figure.axes[0], figure.axes[len(found)]
    assert upper.lines[1].get_xdata().tolist() == [0, 10, 20, 30]
    np.testing.assert_allclose(upper.lines[1].get_ydata(), expit([2, 2.01, 2.02, 2.03]))
    np.testing.assert_allclose(lower.lines[1].get_ydata(), [2, 2.01, 2.02, 2.03])
    assert upper.lines[2].get_ydata()[0] == pytest.approx(expit(0.5))
    assert lower.lines[2].get_ydata()[0] == 3
    assert figure.get_supxlabel() == "number of the frame in the video"
    check_texts(figure)
    seconds = timeline_figure(found, rate=25.0)
    assert seconds.axes[0].lines[1].get_xdata().tolist() == [0, 0.4, 0.8, 1.2]
    assert "time in seconds" in {text for text, _ in seen_texts(seconds)}
