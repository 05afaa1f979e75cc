"""The command `predict`: scores for images, videos and folders."""

import json as json_format
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

from rich import box
from rich.console import Console
from rich.table import Table

from difffake.commands.parse import AtLeast
from difffake.errors import UserError
from difffake.faces.listing import count, left_out, list_media
from difffake.predict.people import OtherScore
from difffake.predict.prediction import Person, Prediction
from difffake.predict.predictor import Predictor
from difffake.predict.rule import decimals, rules
from difffake.progress import console, track

EXAMPLES = (
    "difffake predict --ckpt runs/lfw/best.ckpt clip.mp4 photos/",
    "difffake predict --ckpt runs/lfw/best.ckpt --cropped faces/",
    "difffake predict --ckpt runs/lfw/best.ckpt --json clip.mp4 > scores.jsonl",
    "difffake predict --ckpt runs/lfw/best.ckpt clip.mp4 --reference her_portrait.jpg his_talk.png",
    "find archive -name '*.mp4' | difffake predict --ckpt runs/lfw/best.ckpt -",
)


def predict(
    files: list[Path],
    /,
    ckpt: Path,
    frames: Annotated[int, AtLeast(1)] = 32,
    cropped: bool = False,
    landmarker: Path | None = None,
    calibration: str = "auto",
    anomaly: str = "auto",
    reference: Sequence[Path] = (),
    false_alarms: float | None = None,
    device: str = "auto",
    imports: list[str] | None = None,
    json: bool = False,
) -> int:
    """Score the people in images and videos. A file that fails is reported and passed over.

    Args:
        files: images, videos, or folders, of which all images and videos are scored; - reads their names from standard
            input, one on each line.
        ckpt: checkpoint of difffake fit, or the run folder, whose best.ckpt is used.
        frames: number of frames to score per video, evenly spaced over the whole clip.
        cropped: take each image or frame as a crop of one face, without face detection.
        landmarker: MediaPipe's face_landmarker.task; by default $DIFFFAKE_LANDMARKER, the cache or a download.
        calibration: file of difffake calibrate, or none; auto takes calibration.json beside the checkpoint, if it
            exists.
        anomaly: file of difffake fit-anomaly, or none; auto takes anomaly.safetensors beside the checkpoint, if it
            exists. It compares the frames of a video with one another, or a file with --reference.
        reference: real images of the person whom the files show, to compare them with.
        false_alarms: promised rate of false alarms, which needs a calibration: of real files like those that
            calibrated, at most this share is called fake, and of fakes, at most this share real. Files between are
            "cannot tell". By default 0.05, if there is a calibration.
        device: auto, cpu, cuda or cuda:N.
        imports: packages of your own whose code may run, if the encoder is in one of them.
        json: print one line per file, a JSON object, instead of a table.

    Returns:
        The exit status: 1 if any file failed.
    """
    paths, remarks = _expand(_named(files))
    scored: list[tuple[Path, Prediction]] = []
    failures = 0
    options: dict[str, Any] = {"calibration": calibration, "anomaly": anomaly, "false_alarms": false_alarms}
    with Predictor(ckpt, landmarker, frames, None, device, cropped, imports=imports or (), **options) as predictor:
        known = predictor.references(reference) if reference else None
        for remark in remarks:
            console.print(remark)
        try:
            for path in track(paths, "files"):
                try:
                    prediction = predictor.predict(path, known)
                except Exception as error:  # any error of a library: the other files are still scored
                    failures += 1
                    reason = _reason(error, path)
                    console.print(f"failed: {path}: {reason}")
                    if json:
                        print(json_format.dumps({"file": path.as_posix(), "error": reason}), flush=True)
                    continue
                if json:
                    print(json_format.dumps({"file": path.as_posix(), **prediction.to_dict()}), flush=True)
                scored.append((path, prediction))
        finally:  # also if the user stopped the command: print what was scored before
            if scored and not json:
                _print_table(scored, predictor)
    if failures:
        console.print(f"{failures} of {len(paths)} files failed")
    return 1 if failures else 0


def _named(files: Sequence[Path]) -> list[Path]:
    """The given files, with the lines of standard input in the place of a dash."""
    found: list[Path] = []
    for file in files:
        if str(file) == "-":
            found += [Path(line) for line in sys.stdin.read().splitlines() if line]
        else:
            found.append(file)
    if not found:
        raise UserError("standard input names no files: give one on each line")
    return found


def _expand(files: Sequence[Path]) -> tuple[list[Path], list[str]]:
    """The given files, and all images and videos in the given folders; then remarks about other files in them."""
    paths, remarks = [], []
    for file in files:
        if not file.is_dir():
            paths.append(file)
            continue
        found = list_media(file)
        if not found.media:
            raise UserError(f"{file} holds no images or videos")
        paths += found.media
        if found.others:
            remarks.append(left_out(found.others, file))
    return paths, remarks


def _reason(error: Exception, path: Path) -> str:
    """One line that says what failed, without a path at its start."""
    text = " ".join(str(error).split()) or type(error).__name__
    if not isinstance(error, UserError):
        text = f"{type(error).__name__}: {text}"
    return text.removeprefix(f"{path}: ").removeprefix(f"{path} ")


_Row = tuple[Path | None, str, str, str, str]
"""Name of the file, what was scored, probability, score and verdict."""


def _print_table(scored: list[tuple[Path, Prediction]], predictor: Predictor) -> None:
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
            out.print(f"{path}: {note}")
    if predictor.calibration:
        out.print(
            "P(fake) is calibrated; the score is the logit before calibration, or has no unit if it is an anomaly's."
        )
    for line in dict.fromkeys(rules([prediction for _, prediction in scored], number)):
        out.print(line)


def _rows(path: Path, prediction: Prediction, predictor: Predictor, number: int) -> Iterator[_Row]:
    """Rows of the table: the file, then if there are several people each of them, with their other scores."""
    kind, people = prediction.kind, prediction.people
    video, alone = kind == "video", len(people) == 1
    looked_at = len({face.frame for face in prediction.faces}) + len(prediction.frames_without_face)
    if alone:
        what = f"{len(prediction.faces)} of {looked_at} frames" if video else _faces(prediction)
    else:
        what = f"{len(people)} people" if video else _faces(prediction)
    chance = f"{100 * predictor.calibrated(kind, prediction.logit):.1f}"
    yield path, what, chance, f"{prediction.logit:z.{number}f}", prediction.verdict or "-"
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


def _wrapped(path: Path, width: int) -> str:
    """A path as lines of at most `width` characters, broken after a folder if possible, else after a word."""
    lines = [""]
    for part in re.findall(r"[^/]*/|[^/]+$", path.as_posix()):
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
            f"({first.time:.2f} to {last.time:.2f} s), {len({face.frame for face in faces})} scored"
        )
    if missed := prediction.frames_without_face:
        yield f"no face in the frames {', '.join(f'{frame} ({time:.2f} s)' for frame, time in missed)}"
    promised = prediction.promise.notes if prediction.promise else ()  # these are printed once for all files
    yield from (note for note in prediction.notes if note not in promised)
