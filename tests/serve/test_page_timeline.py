"""The drawing of a person's scores over the time of a clip."""

from difffake.evaluation.calibration import Limits
from difffake.predict.prediction import FaceScore, Person, Prediction, Promise
from difffake.serve.timeline import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Timeline, timeline_of

FIELD = HEIGHT - TOP - BOTTOM
PERSON = Person(
    [FaceScore(n, n / 2, (0, 0, 9, 9), logit) for n, logit in enumerate((0.0, 1.0, -1.0))], 0.0, "real", None
)


def halved(logit: float) -> float:
    """A calibration by which a logit of 0 is a chance of 50 %, and 1 is 75 %."""
    return 0.5 + logit / 4


def drawn(promise: Promise | None, threshold: float | None = 1.0) -> Timeline:
    prediction = Prediction("video", 0.0, threshold, [PERSON], total_frames=9, frames_used=3, promise=promise)
    found = timeline_of(PERSON, prediction, halved)
    assert found
    return found


def test_dots_are_at_the_times_and_the_calibrated_chances_of_the_frames() -> None:
    found = drawn(None)
    width = WIDTH - LEFT - RIGHT
    assert found.dots == [
        (LEFT, TOP + FIELD / 2), (LEFT + width / 2, TOP + FIELD / 4), (LEFT + width, TOP + 3 * FIELD / 4),
    ]  # fmt: skip
    assert found.summary == "3 frames; the highest score is 75 % at 0.5 s"


def test_limits_of_the_verdict_are_drawn_on_the_same_scale() -> None:
    assert [(line.at, line.text) for line in drawn(None).limits] == [(TOP + FIELD / 4, "fake from here on")]
    both = drawn(Promise(0.05, Limits(-1.0, 1.0), 0.5, ()))
    assert {line.text: line.at for line in both.limits} == {
        "fake from here on": TOP + FIELD / 4, "real up to here": TOP + 3 * FIELD / 4,
    }  # fmt: skip
    never = drawn(Promise(None, Limits(-1.0, float("inf")), 0.5, ()))
    assert [line.text for line in never.limits] == ["real up to here"]
    assert drawn(None, None).limits == []
