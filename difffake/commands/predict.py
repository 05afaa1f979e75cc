"""The command `predict`: scores for images, videos and folders."""

import json as json_format
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

from rich import box
from rich.console import Console
from rich.table import Table

from difffake.commands.parse import AtLeast
from difffake.errors import UserError
from difffake.faces.listing import Kind, count, left_out, list_media
from difffake.predict.prediction import Prediction
from difffake.predict.predictor import Predictor
from difffake.predict.rule import decimals, rules
from difffake.progress import console, track

EXAMPLES = (
    "difffake predict --ckpt runs/lfw/best.ckpt clip.mp4 photos/",
    "difffake predict --ckpt runs/lfw/best.ckpt --cropped faces/",
    "difffake predict --ckpt runs/lfw/best.ckpt --json clip.mp4 > scores.jsonl",
)


def predict(
    files: list[Path],
    /,
    ckpt: Path,
    frames: Annotated[int, AtLeast(1)] = 32,
    cropped: bool = False,
    landmarker: Path | None = None,
    calibration: str = "auto",
    false_alarms: float | None = None,
    device: str = "auto",
    imports: list[str] | None = None,
    json: bool = False,
) -> int:
    """Score images and videos, and all images and videos in folders. A file that fails is reported and passed over.

    Args:
        files: images, videos or folders.
        ckpt: checkpoint of difffake fit, or the run folder, whose best.ckpt is used.
        frames: number of frames to score per video, evenly spaced over the whole clip.
        cropped: take each image or frame as a crop of one face, without face detection.
        landmarker: MediaPipe's face_landmarker.task; by default $DIFFFAKE_LANDMARKER, the cache or a download.
        calibration: file of difffake calibrate, or none; auto takes calibration.json beside the checkpoint, if it
            exists.
        false_alarms: promised rate of false alarms, which needs a calibration: of real files like those that
            calibrated, at most this share is called fake, and of fakes, at most this share real. Files between are
            "cannot tell". By default 0.05, if there is a calibration.
        device: auto, cpu, cuda or cuda:N.
        imports: packages of your own whose code may run, if the encoder is in one of them.
        json: print one line per file, a JSON object, instead of a table.

    Returns:
        The exit status: 1 if any file failed.
    """
    paths, remarks = _expand(files)
    scored: list[tuple[Path, Prediction]] = []
    failures = 0
    options: dict[str, Any] = {"calibration": calibration, "false_alarms": false_alarms}
    with Predictor(ckpt, landmarker, frames, None, device, cropped, imports=imports or (), **options) as predictor:
        for remark in remarks:
            console.print(remark)
        try:
            for path in track(paths, "files"):
                try:
                    prediction = predictor.predict_file(path)
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


def _print_table(scored: list[tuple[Path, Prediction]], predictor: Predictor) -> None:
    out = Console(highlight=False, markup=False)
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("File", overflow="fold")
    table.add_column("Scored", no_wrap=True)
    table.add_column("P(fake) %", justify="right", no_wrap=True)
    table.add_column("Logit", justify="right", no_wrap=True)
    table.add_column("Verdict", no_wrap=True)
    number = decimals([prediction for _, prediction in scored])
    rows: list[tuple[Path | None, str, str, str, str]] = []
    for path, prediction in scored:
        looked_at = len(prediction.faces) + len(prediction.frames_without_face)
        what = f"{len(prediction.faces)} of {looked_at} frames" if prediction.kind == "video" else _faces(prediction)
        numbers = _numbers(prediction.kind, prediction.logit, predictor, number)
        rows.append((path, what, *numbers, prediction.verdict or "-"))
        if prediction.kind == "image" and len(prediction.faces) > 1:
            for face in prediction.faces:
                x0, y0, x1, y1 = face.box or (0, 0, 0, 0)
                numbers = _numbers("image", face.logit, predictor, number)
                rows.append((None, f"at {x0},{y0} to {x1},{y1}", *numbers, ""))
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
        out.print("P(fake) is calibrated; the logit is the detector's score before calibration.")
    for line in dict.fromkeys(rules([prediction for _, prediction in scored], number)):
        out.print(line)


def _numbers(kind: Kind, logit: float, predictor: Predictor, number: int) -> tuple[str, str]:
    return f"{100 * predictor.calibrated(kind, logit):.1f}", f"{logit:z.{number}f}"


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
        first, last = prediction.faces[0], prediction.faces[-1]
        yield (
            f"frames {first.frame} to {last.frame} of {prediction.total_frames} "
            f"({first.time:.2f} to {last.time:.2f} s), {len(prediction.faces)} scored"
        )
    if missed := prediction.frames_without_face:
        yield f"no face in the frames {', '.join(f'{frame} ({time:.2f} s)' for frame, time in missed)}"
    if several := prediction.frames_with_several:
        yield f"several faces in {count(len(several), 'frame')}; only the largest face was scored"
    promised = prediction.promise.notes if prediction.promise else ()  # these are printed once for all files
    yield from (note for note in prediction.notes if note not in promised)
