"""Verdicts on logits, and the rule that is printed: it never contradicts a verdict."""

import re
from dataclasses import replace

import numpy as np
import pytest

from difffake.evaluation.calibration import Limits
from difffake.predict.prediction import FaceScore, Person, Prediction, Promise, Verdict
from difffake.predict.rule import decimals, rules
from difffake.predict.table import unpromised


def image(logit: float, limits: Limits | None = None, threshold: float | None = None) -> Prediction:
    promise = Promise(0.05, limits, 0.5) if limits else None
    return Prediction(
        "image", logit, threshold, [Person([FaceScore(0, None, None, logit)], logit, None, None)], promise=promise
    )


def test_a_verdict_without_its_promise_is_marked() -> None:
    for rate, marked in ((0.05, False), (None, True)):
        assert unpromised(replace(image(3.0), promise=Promise(rate, Limits(0.0, 1.0), 0.5))) is marked
    assert not unpromised(image(3.0, threshold=1.0))  # there is no calibration that could promise


def test_verdicts_are_on_logits_whose_probabilities_are_all_1() -> None:
    assert image(38.0).probability == image(40.0).probability == 1
    assert [image(logit, threshold=39.0).verdict for logit in (38.0, 39.0, 40.0)] == ["real", "fake", "fake"]
    limits = Limits(38.0, 40.0)
    assert [image(logit, limits).verdict for logit in (38.0, 39.0, 40.0)] == ["real", "cannot tell", "fake"]
    assert image(0.0).verdict is None
    found = image(39.0, limits).to_dict()
    assert (found["logit"], found["probability"], found["fake_above"]) == (39.0, 1.0, 1.0)
    assert (found["real_below_logit"], found["fake_above_logit"]) == (38.0, 40.0)


def said(found: list[Prediction]) -> list[Verdict | None]:
    """The verdicts by the printed rule on the printed logits."""
    number = decimals(found)
    line = next(rules(found, number))
    above, below = (re.search(pattern, line) for pattern in (r"(-?[\d.]+) or more", r"(-?[\d.]+) or less"))
    verdicts: list[Verdict | None] = []
    for one in found:
        shown = float(f"{one.logit:.{number}f}")
        if above and shown >= float(above[1]):
            verdicts.append("fake")
        elif "else real" in line or (below and shown <= float(below[1])):
            verdicts.append("real")
        else:
            verdicts.append("cannot tell")
    return verdicts


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("scale", [1e-6, 1e-2, 3.0, 300.0])
def test_the_rule_agrees_with_all_verdicts(seed: int, scale: float) -> None:
    """The limits are beside a logit, as those of a calibration are, also where files have the same logit."""
    rng = np.random.default_rng(seed)
    logits = (scale * rng.normal(size=30)).tolist()
    low, high = np.quantile(logits, [0.3, 0.8], method="lower").tolist()
    limits = (
        Limits(float(np.nextafter(low, -np.inf)), float(np.nextafter(high, np.inf))),
        Limits(low, high),
        Limits(low, low),
        Limits(-np.inf, high),
        Limits(-np.inf, np.inf),
    )
    for limit in limits:
        found = [image(logit, limit) for logit in logits]
        assert said(found) == [one.verdict for one in found]
    found = [image(logit, threshold=high) for logit in logits]
    assert said(found) == [one.verdict for one in found]


def test_two_decimals_if_they_do() -> None:
    found = [image(1.234, Limits(-1.0, 1.0)), image(-4.0, Limits(-1.0, 1.0))]
    assert decimals(found) == 2
    assert list(rules(found, 2)) == [
        "Verdict of images by the logit: fake at 1.00 or more, real at -1.00 or less, else cannot tell.",
        "Images like those that calibrated: at most 5 % false alarms.",
    ]
    close = [image(0.99996, Limits(-1.0, 1.0)), image(1.004, Limits(-1.0, 1.0))]
    assert decimals(close) == 3
    assert next(rules(close, 3)).startswith("Verdict of images by the logit: fake at 1.001 or more")
