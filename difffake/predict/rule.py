"""How verdicts were made, in words whose numbers agree with the verdicts."""

import math
from collections.abc import Iterator, Sequence

from difffake.predict.prediction import Prediction

MOST_DECIMALS = 12


def decimals(found: Sequence[Prediction]) -> int:
    """The fewest decimals, at least 2, with which printed logits and limits agree with the verdicts."""
    kinds = [[one for one in found if one.kind == kind] for kind in ("image", "video")]
    for number in range(2, MOST_DECIMALS):
        if all(_agreeing(*limit, of_kind, number) for of_kind in kinds if of_kind for limit in _limits(of_kind[0])):
            return number
    return MOST_DECIMALS


def rules(found: Sequence[Prediction], number: int) -> Iterator[str]:
    """Lines that say how the verdicts were made, and then what is not promised.

    Args:
        found: predictions of one predictor.
        number: decimals of the limits, see `decimals`.
    """
    for kind in dict.fromkeys(one.kind for one in found):
        of_kind = [one for one in found if one.kind == kind]
        limits = [_agreeing(*limit, of_kind, number) or f"{limit[0]:z.{number}f}" for limit in _limits(of_kind[0])]
        if not limits:
            yield "No verdict: the checkpoint has no threshold from validation data."
        elif len(limits) == 1:
            source = "" if of_kind[0].promise else " (threshold from validation data)"
            yield f"Verdict of {kind}s: fake at a logit of {limits[0]} or more, else real{source}."
        else:
            sides = zip(("fake", "real"), limits, ("more", "less"), strict=True)
            said = [f"{name} {limit if limit == 'never' else f'at {limit} or {side}'}" for name, limit, side in sides]
            yield f"Verdict of {kind}s by the logit: {', '.join(said)}, else cannot tell."
        rates = [one.promise.false_alarms for one in of_kind if one.promise and one.promise.false_alarms is not None]
        if rates:
            yield f"{kind.capitalize()}s like those that calibrated: at most {100 * rates[0]:g} % false alarms."
    yield from dict.fromkeys(note for one in found if one.promise for note in one.promise.notes)


def named_limits(one: Prediction) -> dict[str, float]:
    """Logit of each limit of the verdicts, by what begins or ends there; only those that some score can reach."""
    real, fake = one.promise.limits if one.promise else (None, one.threshold_logit)
    found = {"fake from here on": fake, "real up to here": None if real == fake else real}
    return {name: at for name, at in found.items() if at is not None and math.isfinite(at)}


def _limits(one: Prediction) -> list[tuple[float, int]]:
    """The limits of the verdicts on a kind of files: fake from the first on, and real up to the second.

    Each comes with 1 if logits above it are called something, or -1 if those below it are. There is only one if
    everything below it is called real, and none without a threshold.
    """
    if not one.promise:
        return [] if one.threshold_logit is None else [(one.threshold_logit, 1)]
    real, fake = one.promise.limits
    return [(fake, 1)] if fake == real else [(fake, 1), (real, -1)]


def _agreeing(limit: float, side: int, found: Sequence[Prediction], number: int) -> str:
    """The limit with a number of decimals, so that rounded logits are on its right side; empty if that is not possible.

    A limit may be the number next to a logit of the calibrating data, which rounding would not tell apart.
    """
    if math.isinf(limit):
        return "never"
    exact, step = side * limit, 10.0**-number
    called = [(float(f"{side * one.logit:.{number}f}"), side * one.logit >= exact) for one in found]
    near = round(exact, number)
    for candidate in (near, near + step, near - step):
        rounded = float(f"{candidate:.{number}f}")
        if all((shown >= rounded) == is_called for shown, is_called in called):
            return f"{side * rounded:z.{number}f}"
    return ""
