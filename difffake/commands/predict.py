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
from difffake.faces.listing import count, left_out, list_media
from difffake.predict.prediction import Prediction
from difffake.predict.predictor import Predictor
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
    false_alarms: float = 0.05,
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
        false_alarms: with a calibration, the promised rate of false alarms: of real files like those that calibrated,
            at most this share is called fake, and of fakes, at most this share real. Files between are "cannot tell".
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
    for note in dict.fromkeys(note for _, found in scored for note in predictor.promise_notes(found.kind)):
        console.print(note)
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
    table.add_column("Verdict", no_wrap=True)
    rows: list[tuple[Path | None, str, str, str]] = []
    for path, prediction in scored:
        looked_at = len(prediction.faces) + len(prediction.frames_without_face)
        what = f"{len(prediction.faces)} of {looked_at} frames" if prediction.kind == "video" else _faces(prediction)
        probability = predictor.calibrated(prediction.kind, prediction.probability)
        rows.append((path, what, _percent(probability), prediction.verdict or "-"))
        if prediction.kind == "image" and len(prediction.faces) > 1:
            for face in prediction.faces:
                x0, y0, x1, y1 = face.box or (0, 0, 0, 0)
                probability = predictor.calibrated("image", face.probability)
                rows.append((None, f"at {x0},{y0} to {x1},{y1}", _percent(probability), ""))
    # What the other columns and the space between all of them leave.
    beside = 22 + max(len(what) for _, what, *_ in rows) + max(7, *(len(verdict) for *_, verdict in rows))
    width = max(20, min(40, out.width - beside))
    for name, *others in rows:
        table.add_row(_wrapped(name, width) if name else "", *others)
    out.print(table)
    for path, prediction in scored:
        for note in _notes(prediction):
            out.print(f"{path}: {note}")
    for line in _verdicts([prediction for _, prediction in scored], predictor):
        out.print(line)


def _verdicts(found: Sequence[Prediction], predictor: Predictor) -> Iterator[str]:
    """Lines that say how verdicts were made."""
    if not predictor.calibration:
        if predictor.threshold is None:
            yield "No verdict: the checkpoint has no threshold from validation data."
        else:
            limit = _percent(predictor.threshold)
            yield f"Verdict: fake at {limit} % or more (threshold of the checkpoint's validation data)."
        return
    yield f"Verdict, with at most {100 * predictor.false_alarms:g} % false alarms on faces like those that calibrated:"
    for kind, promise in {one.kind: one.promise for one in found if one.promise}.items():
        fake, real = (
            "never" if limit is None else f"at {_percent(predictor.calibrated(kind, limit))} % or {side}"
            for limit, side in ((promise.fake_above, "more"), (promise.real_below, "less"))
        )
        yield f"{kind}s: fake {fake}, real {real}, else cannot tell."


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
    yield from prediction.notes


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"
