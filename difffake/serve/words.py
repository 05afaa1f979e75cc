"""What the page says about a verdict and about scores in general, in plain words."""

from typing import NamedTuple

from difffake.faces.listing import count
from difffake.predict.people import OtherScore, Verdict
from difffake.predict.prediction import Person, Prediction


class Words(NamedTuple):
    """A verdict in plain words."""

    key: str
    """Short name of the verdict, which chooses the color."""
    short: str
    title: str
    means: str
    not_means: str


_WORDS = {
    "fake": Words(
        "fake",
        "looks fake",
        "The detector takes this for a fake.",
        "The face resembles the forgeries that the detector was trained on more than the real faces.",
        "It is not proven to be a fake: real faces raise false alarms too. Look for the origin of the file, for other "
        "recordings of the same moment, and ask somebody who was there.",
    ),
    "real": Words(
        "real",
        "no sign of a fake",
        "The detector sees no sign of a fake.",
        "The face resembles real faces more than the forgeries that the detector was trained on.",
        "It is not proven to be genuine: a forgery of another kind, or a good one, can look like this to the detector.",
    ),
    "cannot tell": Words(
        "unsure",
        "cannot tell",
        "The detector cannot tell.",
        "For a score like this, neither answer would be right often enough.",
        "It is no hint in either direction, whatever the numbers below are.",
    ),
    None: Words(
        "unsure",
        "no verdict",
        "There is no verdict.",
        "The detector has a score, but nobody has chosen a threshold for it.",
        "The score alone says nothing: whether it is high or low for a real face is not known.",
    ),
}

CANNOT_PROVE = (
    (
        "Most alarms can be false.",
        "If 1 of 100 files is a fake and the detector raises a false alarm for 5 % of the real ones, then five of six "
        "alarms are false, even if it finds every fake. The rarer fakes are where a file comes from, the less an alarm "
        "says.",
    ),
    (
        "Wholly generated pictures and clips can pass as real.",
        "The detector was trained on faces that were changed or exchanged in real footage. What a model makes from a "
        "text or from one image is another kind of fake.",
    ),
    (
        "Errors are not the same for everybody.",
        "Rates of errors differ between groups of people, such as by skin color, age and sex, and with the camera, the "
        "light and the make-up. A promised rate is an average over the faces that calibrated the detector.",
    ),
    (
        "The file may have been changed without a forgery.",
        "Strong compression, screenshots, filters and small faces move scores in both directions.",
    ),
    (
        "It looks at faces only.",
        "Voice, text, objects and the occasion are not checked. A genuine clip can be shown with a false story.",
    ),
)
"""Titles and explanations of what no score of this kind can prove."""


def words_of(verdict: Verdict | None) -> Words:
    """The words for a verdict."""
    return _WORDS[verdict]


def percent(probability: float) -> str:
    """A probability in words, without claiming certainty.

    >>> percent(0.123), percent(0.9999), percent(0.0)
    ('12 %', 'more than 99 %', 'less than 1 %')
    """
    if probability > 0.99:
        return "more than 99 %"
    return "less than 1 %" if probability < 0.01 else f"{100 * probability:.0f} %"


def facts(person: Person) -> list[tuple[str, str, str]]:
    """Name, value and explanation of each score of a person."""
    found = []
    if person.calibrated_probability is None:
        found.append(("Probability of a fake", "not known", "the detector has no calibration"))
    else:
        what = "if fakes are as frequent as among the calibrating faces"
        found.append(("Probability of a fake", percent(person.calibrated_probability), what))
    found.append(("Score of the detector", f"{person.logit:z.2f}", "a logit: higher = more fake"))
    if other := person.anomaly:
        pairs = f"mean of {count(other.pairs, 'comparison')}"
        found.append(("Anomaly", *_other(other, f"{other.value:.5g}", f"{pairs}; higher = less like a real face")))
    if other := person.fusion:
        found.append(("Both together", *_other(other, f"{other.value:z.2f}", "a logit of detector and anomaly")))
    return found


def _other(score: OtherScore, value: str, what: str) -> tuple[str, str]:
    """Another score: first what can be read without knowing its scale."""
    said = [] if score.verdict is None else [words_of(score.verdict).short]
    if score.calibrated_probability is not None:
        said.append(percent(score.calibrated_probability))
    return (", ".join(said), f"score {value}, {what}") if said else (value, what)


def promise(prediction: Prediction) -> str:
    """The promised rate of false alarms in a sentence; empty without one."""
    rate = prediction.promise.false_alarms if prediction.promise else None
    if rate is None:
        return ""
    return (
        f"Of real files like those that calibrated the detector, at most {100 * rate:g} % are called fake, and of such "
        f"fakes at most {100 * rate:g} % real."
    )
