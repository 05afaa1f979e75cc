"""Scores of the people of one video over time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from difffake.evaluation.pictures.timeline import draw_course
from difffake.plots import WIDTH, in_percent, tidy, wrapped

CAPTION = (
    "P(fake) of each scored frame over time, one panel per person. Dashed lines are the limits of the verdict on a "
    "whole video, which uses the mean of a person's frames: a single frame beyond a limit decides nothing. "
    "Between the points nothing was scored."
)
MOST = 6
"""People who get a panel; more would be too small to read."""


@dataclass(frozen=True)
class PersonCourse:
    """The scored frames of one person."""

    title: str
    """Text above the panel, such as the person's number, score and verdict."""
    time: Sequence[float]
    """Seconds from the start of the video."""
    probability: Sequence[float]
    """P(fake) of the frames, in [0, 1]."""
    color: str
    """Of the line, such as that of the verdict."""


def people_figure(
    people: Sequence[PersonCourse], limits: Mapping[str, float], name: str, seconds: float | None = None
) -> Figure:
    """Draw P(fake) of each person's frames over time, one panel below the other.

    Args:
        people: the people, the most important first; `MOST` of them are drawn.
        limits: P(fake) at which a verdict begins or ends, by what it means, the highest first; drawn as dashed lines.
        name: name of the video, for the title.
        seconds: length of the time axis; None: up to the last frame.
    """
    shown = people[:MOST]
    figure = Figure(figsize=(WIDTH, 1.5 * len(shown) + 1.1), layout="constrained")
    panels = figure.subplots(len(shown), 1, squeeze=False, sharex=True, sharey=True)[:, 0]
    for axes, person in zip(panels, shown, strict=True):
        draw_course(axes, person.time, person.probability, person.color, "o")
        for number, (what, at) in enumerate(limits.items()):
            axes.axhline(at, color="black", linestyle="--", linewidth=0.8)
            above = at < (0.85 if number == 0 else 0.15)  # away from the other line and inside the panel
            axes.annotate(
                what, (1, at), (-2, 2 if above else -2), xycoords=("axes fraction", "data"), textcoords="offset points",
                fontsize=7, bbox={"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 0.5},
                ha="right", va="bottom" if above else "top",
            )  # fmt: skip
        axes.set_title(person.title, fontsize=8, loc="left")
        tidy(axes)
    panels[0].set_ylim(-0.04, 1.04)
    panels[0].set_xlim(0, seconds or None)
    in_percent(panels[0].yaxis)
    left_out = f" (the first {MOST} of {len(people)} people)" if len(people) > MOST else ""
    figure.suptitle(wrapped(f"{name}{left_out}", 80), fontsize=10)
    figure.supylabel("P(fake) of a frame", fontsize=9)
    figure.supxlabel("time in seconds", fontsize=9)
    return figure
