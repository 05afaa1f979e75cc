"""Results as a table for people."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from difffake.faces.listing import count
from difffake.predict.credentials import absent_note
from difffake.predict.people import OtherScore
from difffake.predict.prediction import Person, Prediction
from difffake.predict.predictor import Predictor
from difffake.predict.rule import decimals, rules

MARK = "*"
_Row = tuple[Path | None, str, str, str, str]
"""Name of the file, what was scored, probability, score and verdict."""


def print_table(scored: Sequence[tuple[Path, Prediction]], predictor: Predictor) -> None:
    """Print a table to standard output, then notes on single files, and how verdicts were made.

    Args:
        scored: files and their results.
        predictor: made the results.
    """
    out = Console(highlight=False, markup=False)
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("File", overflow="fold")
    table.add_column("Scored", no_wrap=True)
    table.add_column("P(fake) %", justify="right", no_wrap=True)
    table.add_column("Score", justify="right", no_wrap=True)
    table.add_column("Verdict", no_wrap=True)
    number = decimals([prediction for _, prediction in scored])
    rows = [row for path, prediction in scored for row in _rows(path, prediction, predictor, number)]
    # What the other columns and the space between all of them leave.
    columns = list(zip(*(row[1:] for row in rows), strict=True))
    beside = 11 + sum(max(least, *map(len, cells)) for least, cells in zip((6, 9, 5, 7), columns, strict=True))
    width = max(20, min(40, out.width - beside))
    for name, *others in rows:
        table.add_row(_wrapped(name, width) if name else "", *others)
    out.print(table)
    for path, prediction in scored:
        for note in _notes(prediction):
            out.print(f"{printable(path)}: {note}")
    if any(prediction.verdict in ("real", "fake") and unpromised(prediction) for _, prediction in scored):
        out.print(f"{MARK} Nothing is promised for this verdict, for the reason below.")
    if absent := absent_note([prediction.credentials for _, prediction in scored]):
        out.print(absent)
    if predictor.calibration:
        unit = ", or has no unit if it is an anomaly's" if predictor.has_anomaly else ""
        out.print(f"P(fake) is calibrated; the score is the logit before calibration{unit}.")
    for line in dict.fromkeys(rules([prediction for _, prediction in scored], number)):
        out.print(line)
    if predictor.about:
        out.print(predictor.about)


def unpromised(prediction: Prediction) -> bool:
    """Whether there is a calibration that promises nothing for this file."""
    return prediction.promise is not None and prediction.promise.false_alarms is None


def _rows(path: Path, prediction: Prediction, predictor: Predictor, number: int) -> Iterator[_Row]:
    """Rows of the table: the file, then if there are several people each of them, with their other scores."""
    kind, people = prediction.kind, prediction.people
    video, alone = kind == "video", len(people) == 1
    if alone:
        what = f"{len(prediction.faces)} of {prediction.frames_used} frames" if video else _faces(prediction)
    else:
        what = f"{len(people)} people" if video else _faces(prediction)
    chance = f"{100 * predictor.calibrated(kind, prediction.logit):.1f}"
    star = MARK if prediction.verdict in ("real", "fake") and unpromised(prediction) else ""
    yield path, what, chance, f"{prediction.logit:z.{number}f}", (prediction.verdict or "-") + star
    for place, person in enumerate(people, 1):
        if not alone:
            what = f"person {place}: {count(len(person.faces), 'frame')}" if video else _at(person)
            chance = f"{100 * predictor.calibrated(kind, person.logit):.1f}"
            yield None, what, chance, f"{person.logit:z.{number}f}", person.verdict or "-"
        if other := person.anomaly:
            yield None, f"anomaly, {count(other.pairs, 'pair')}", *_other(other, f"{other.value:.5g}")
        if other := person.fusion:
            yield None, "both together", *_other(other, f"{other.value:z.{number}f}")


def _other(score: OtherScore, value: str) -> tuple[str, str, str]:
    chance = score.calibrated_probability
    return "-" if chance is None else f"{100 * chance:.1f}", value, score.verdict or "-"


def _at(person: Person) -> str:
    x0, y0, x1, y1 = person.faces[0].box or (0, 0, 0, 0)
    return f"at {x0},{y0} to {x1},{y1}"


def _faces(prediction: Prediction) -> str:
    return "whole image" if prediction.faces[0].box is None else count(len(prediction.faces), "face")


def printable(path: Path) -> str:
    """A path without control characters, which a name from elsewhere may send to the terminal."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in path.as_posix())


def _wrapped(path: Path, width: int) -> str:
    """A path as lines of at most `width` characters, broken after a folder if possible, else after a word."""
    lines = [""]
    for part in re.findall(r"[^/]*/|[^/]+$", printable(path)):
        for piece in [part] if len(part) <= width else re.findall(r"[^-_. ]*[-_. ]+|[^-_. ]+", part):
            if lines[-1] and len(lines[-1]) + len(piece) > width:
                lines.append("")
            lines[-1] += piece
    return "\n".join(lines)


def _notes(prediction: Prediction) -> Iterator[str]:
    """Remarks about a file that do not fit into the table, one line each."""
    if prediction.kind == "video":
        faces = sorted(prediction.faces, key=lambda face: face.frame)
        first, last = faces[0], faces[-1]
        yield (
            f"frames {first.frame} to {last.frame} of {prediction.total_frames} "
            f"({first.time:.2f} to {last.time:.2f} s), {len({face.frame for face in faces})} scored, "
            f"in {prediction.seconds:.1f} s"
        )
        if len(prediction.people) > 1:
            for place, person in enumerate(prediction.people, 1):
                first, last = person.faces[0], person.faces[-1]
                yield f"person {place} is {_at(person)} at {first.time:.2f} s, and seen until {last.time:.2f} s"
    if missed := prediction.frames_without_face:
        yield f"no face in the frames {', '.join(f'{frame} ({time:.2f} s)' for frame, time in missed)}"
    promised = prediction.promise.notes if prediction.promise else ()  # these are printed once for all files
    yield from (note for note in prediction.notes if note not in promised)
    if prediction.credentials and prediction.credentials.note:
        yield prediction.credentials.note
