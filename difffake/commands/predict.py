"""The command `predict`: scores for images, videos and folders."""

import json as json_format
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from difffake.errors import UserError
from difffake.faces.listing import list_media, some_names
from difffake.predict.predictor import Prediction, Predictor
from difffake.progress import console, track


def predict(
    files: list[Path],
    ckpt: Path,
    frames: int = 32,
    landmarker: Path | None = None,
    device: str = "auto",
    json: bool = False,
) -> int:
    """Score images, videos and all of them in folders; a file that fails is reported and the rest go on.

    Args:
        files: images, videos or folders.
        ckpt: checkpoint of difffake fit.
        frames: how many frames of a video are scored, evenly spaced over the whole clip.
        landmarker: MediaPipe's face_landmarker.task; by default $DIFFFAKE_LANDMARKER, the cache or a download.
        device: auto, cpu, cuda or cuda:N.
        json: one JSON object a line on standard output instead of a table.

    Returns:
        The exit status: 1 if any file failed.
    """
    paths = list(_expand(files))
    predictor = Predictor(ckpt, landmarker, frames, device=device)
    failures = 0
    table = Table("File", "Frames", "P(fake) %", box=box.SIMPLE_HEAD)
    for path in track(paths, "files"):
        try:
            prediction = predictor.predict_file(path)
        except UserError as error:
            failures += 1
            if json:
                print(json_format.dumps({"file": path.as_posix(), "error": str(error)}), flush=True)
            console.print(f"failed: {error}", markup=False)
            continue
        if json:
            print(json_format.dumps({"file": path.as_posix(), **asdict(prediction)}), flush=True)
        table.add_row(path.as_posix(), str(prediction.frames), _percent(prediction))
    predictor.close()
    if not json and table.row_count:
        Console().print(table)
    return 1 if failures else 0


def _percent(prediction: Prediction) -> str:
    return f"{100 * prediction.probability:.1f}"


def _expand(files: list[Path]) -> Iterator[Path]:
    """Files as given, and images and videos of folders at any depth."""
    for file in files:
        if file.is_dir():
            found = list_media(file)
            if not found.media:
                raise UserError(f"{file} holds no images or videos")
            if found.others:
                console.print(f"{file}: {len(found.others)} other files left out ({some_names(found.others, file)})")
            yield from found.media
        else:
            yield file
