"""The scores of a person over the time of a clip, as a drawing inside the page."""

from collections.abc import Callable
from dataclasses import dataclass

from difffake.predict.prediction import Person, Prediction
from difffake.predict.rule import named_limits

WIDTH, HEIGHT = 600, 170
LEFT, RIGHT, TOP, BOTTOM = 78, 16, 16, 32
"""Space around the field of the drawing, in its own units."""


@dataclass(frozen=True)
class Line:
    """A level line or a tick: its place and what is written there."""

    at: float
    text: str


@dataclass(frozen=True)
class Timeline:
    """Places in the drawing, whose y grows downwards."""

    dots: list[tuple[float, float]]
    """One for each scored frame."""
    levels: list[Line]
    """y of 0, 50 and 100 %."""
    limits: list[Line]
    """y of the limits of the verdicts."""
    seconds: list[Line]
    """x of some times."""
    summary: str
    """For those who cannot see it."""

    @property
    def path(self) -> str:
        """The dots joined, in SVG's notation."""
        return " ".join(f"{x:.1f},{y:.1f}" for x, y in self.dots)


def timeline_of(person: Person, prediction: Prediction, chance: Callable[[float], float]) -> Timeline | None:
    """The timeline of a person; None if there is nothing to see, such as in an image.

    Args:
        person: the person, with a score for each frame.
        prediction: result of the file that shows the person.
        chance: gives P(fake) of a logit, calibrated if there is a calibration.
    """
    faces = [(face.time, chance(face.logit)) for face in person.faces if face.time is not None]
    if len(faces) < 2:
        return None
    everyone = [face.time for face in prediction.faces if face.time is not None]
    missed = [time for _, time in prediction.frames_without_face if time is not None]
    end = max(*everyone, *missed, 1e-9)

    def x(time: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * time / end

    def y(probability: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (1 - probability)

    levels = [Line(y(level / 100), f"{level} %") for level in (0, 50, 100)]
    step = _step(end)
    seconds = [Line(x(number * step), _clock(number * step)) for number in range(int(end / step) + 1)]
    highest = max(faces, key=lambda face: face[1])
    summary = f"{len(faces)} frames; the highest score is {100 * highest[1]:.0f} % at {_clock(highest[0])}"
    limits = [Line(y(chance(at)), text) for text, at in named_limits(prediction).items()]
    dots = [(x(time), y(value)) for time, value in faces]
    return Timeline(dots, levels, limits, seconds, summary)


def _step(end: float) -> float:
    """Seconds from one tick to the next, so that there are at most seven."""
    steps = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)
    return next((step for step in steps if end / step <= 6), end / 6)


def _clock(seconds: float) -> str:
    """A time such as 4 s, 0.5 s or 1:05."""
    if seconds >= 60:
        return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
    return f"{seconds:.1f}".removesuffix(".0") + " s"
