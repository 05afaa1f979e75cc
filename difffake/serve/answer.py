"""The answer to one file as a part of the page."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from difffake.predict.overlay import MAP
from difffake.predict.prediction import Prediction
from difffake.serve import timeline
from difffake.serve.pictures import Maps, Portrait, pictures_of
from difffake.serve.words import CANNOT_PROVE, Words, facts, promise, words_of

MOST = 12
"""Number of people that are shown: those with the highest scores."""


@dataclass(frozen=True)
class _Shown:
    """A person as the template shows them."""

    words: Words
    portraits: list[Portrait]
    facts: list[tuple[str, str, str]]
    timeline: timeline.Timeline | None


def answer(path: Path, prediction: Prediction, compared: int, maps: Maps, chance: Callable[[float], float]) -> str:
    """HTML that says what was found in a file.

    Args:
        path: the file, whose pictures are shown.
        prediction: its result.
        compared: number of reference pictures that it was compared with.
        maps: gives activation maps of faces.
        chance: gives P(fake) of a logit, calibrated if there is a calibration.
    """
    numbered = dict(enumerate(prediction.people, 1))
    highest = sorted(numbered, key=lambda number: -numbered[number].logit)[:MOST]
    chosen = {number: numbered[number] for number in sorted(highest)}
    pictures, portraits = pictures_of(path, prediction, chosen, maps)
    people = {
        number: _Shown(words_of(person.verdict), faces, facts(person), timeline.timeline_of(person, prediction, chance))
        for (number, person), faces in zip(chosen.items(), portraits, strict=True)
    }
    return _template("answer.html").render(
        prediction=prediction,
        words=words_of(prediction.verdict),
        promise=promise(prediction),
        pictures=pictures,
        people=people,
        left=len(prediction.people) - len(people),
        frames=len({face.frame for face in prediction.faces}),
        credentials=prediction.credentials.note if prediction.credentials else "",
        compared=compared,
        drawing=timeline,
        chance=chance,
        map_means=MAP if any(face.map_uri for faces in portraits for face in faces) else "",
    )


def refusal(message: str) -> str:
    """HTML that says why a file was not checked."""
    return _template("refusal.html").render(message=message)


def introduction() -> tuple[str, str]:
    """HTML above and below the answer: what the page is for, and what no score can prove."""
    return _template("top.html").render(), _template("limits.html").render(points=CANNOT_PROVE)


@cache
def _template(name: str) -> Template:
    here = FileSystemLoader(Path(__file__).parent / "templates")
    return Environment(loader=here, autoescape=True, undefined=StrictUndefined, trim_blocks=True).get_template(name)
