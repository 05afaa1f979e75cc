"""Pictures of a result for people: a photograph with activation maps, an annotated clip, the scores over time."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from difffake.errors import UserError
from difffake.faces.images import read_image, write_jpeg
from difffake.files import MARKER, refuse_existing, remove_written, staged_file
from difffake.predict.annotated_clip import write_annotated_clip
from difffake.predict.marks import COLORS, Mark, marked, scale_of, scaled, scaled_box, with_caption
from difffake.predict.prediction import Prediction
from difffake.predict.predictor import Predictor
from difffake.predict.rule import named_limits

LARGEST = 2048
"""Longer side of a photograph's picture in pixels."""
MAP = (
    "Colors: where a face raises the score (Grad-CAM), from dark (not at all) to yellow (most in this face). They show "
    "places, not strengths."
)


def new_folder(folder: Path, overwrite: bool, inputs: Sequence[Path]) -> None:
    """Make an empty folder for pictures.

    Args:
        folder: folder to make.
        overwrite: replace it if difffake wrote it.
        inputs: files that are read; none may be in the folder.

    Raises `UserError` if the folder exists and must not be replaced, or nothing can be written there.
    """
    refuse_existing(folder, overwrite, inputs, "--overlay")
    if folder.exists():
        remove_written(folder, "--overlay")
    folder.mkdir(parents=True)
    (folder / MARKER).touch()


def distinct_names(paths: Sequence[Path]) -> list[str]:
    """A name for the pictures of each file: the file's, with a number if an earlier file has the same.

    Upper and lower case count as the same, as they do on some disks.

    >>> distinct_names([Path("a/clip.mp4"), Path("b/Clip.mp4"), Path("clip.mov")])
    ['clip.mp4', 'Clip.mp4-2', 'clip.mov']
    """
    taken: set[str] = set()
    names = []
    for path in paths:
        name, number = path.name, 1
        while name.casefold() in taken:
            number += 1
            name = f"{path.name}-{number}"
        taken.add(name.casefold())
        names.append(name)
    return names


def write_overlay(predictor: Predictor, path: Path, prediction: Prediction, folder: Path, name: str) -> list[Path]:
    """Draw the result of a file: NAME.overlay.jpg, or NAME.overlay.mp4 and NAME.timeline.png of a video.

    Args:
        predictor: made the result.
        path: image or video.
        prediction: its result.
        folder: folder to write to.
        name: beginning of the names of the pictures.

    Returns:
        The pictures. If one cannot be made, there is none of them.

    Raises `UserError` if the file cannot be read any more.
    """
    if prediction.kind == "image":
        picture = folder / f"{name}.overlay.jpg"
        with staged_file(picture) as partial:
            write_jpeg(partial, drawn_photo(predictor, read_image(path), prediction))
        return [picture]
    clip, timeline = folder / f"{name}.overlay.mp4", folder / f"{name}.timeline.png"
    with staged_file(timeline) as partial_timeline, staged_file(clip) as partial_clip:
        write_annotated_clip(path, prediction, lambda logit: _percent(predictor, prediction, logit), partial_clip)
        _write_timeline(predictor, path, prediction, partial_timeline)
    return [clip, timeline]


def drawn_photo(predictor: Predictor, image: np.ndarray, prediction: Prediction) -> np.ndarray:
    """A photograph (H, W, 3) uint8 with each face's activation map, box, number, score and verdict; small ones grow."""
    boxes = [person.faces[0].box or (0, 0, image.shape[1], image.shape[0]) for person in prediction.people]
    crops = [image[y0:y1, x0:x1] for x0, y0, x1, y1 in boxes]
    scale = scale_of(image, LARGEST)
    picture = scaled(image, scale)
    below = []
    try:
        maps = predictor.scorer.activation_maps(crops)
    except UserError as error:
        maps = []
        below.append(f"No activation maps: {error}.")
    for box, own in zip(boxes, maps, strict=False):
        x0, y0, x1, y1 = scaled_box(box, scale) or box
        part = picture[y0:y1, x0:x1]
        part[:] = over(part, own)
    marks = [
        Mark(
            scaled_box(person.faces[0].box, scale),
            [f"person {number}: P(fake) {_percent(predictor, prediction, person.logit)}" + _verdict(person.verdict)],
            person.verdict,
        )
        for number, person in enumerate(prediction.people, 1)
    ]
    return with_caption(marked(picture, marks), [*below, *([MAP] if maps else [])])


def over(face: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Draw an activation map (h, w) in [0, 1] over a face (H, W, 3) uint8."""
    from difffake.models.activation import over_face

    height, width = face.shape[:2]
    large = np.clip(cv2.resize(own, (width, height), interpolation=cv2.INTER_LINEAR), 0, 1)
    return np.round(255 * over_face(face / 255, large)).astype(np.uint8)


def _write_timeline(predictor: Predictor, path: Path, prediction: Prediction, target: Path) -> None:
    from difffake.evaluation.pictures.people import CAPTION, PersonCourse, people_figure
    from difffake.plots import save_figure

    def chance(logit: float) -> float:
        return predictor.calibrated(prediction.kind, logit)

    people = [
        PersonCourse(
            f"person {number}: P(fake) {_percent(predictor, prediction, person.logit)}" + _verdict(person.verdict),
            [face.time or 0.0 for face in person.faces],
            [chance(face.logit) for face in person.faces],
            COLORS[person.verdict],
        )
        for number, person in enumerate(prediction.people, 1)
    ]
    drawn = {what: chance(at) for what, at in named_limits(prediction).items()}
    save_figure(people_figure(people, drawn, path.name), target, CAPTION, vector=False)


def _percent(predictor: Predictor, prediction: Prediction, logit: float) -> str:
    return f"{100 * predictor.calibrated(prediction.kind, logit):.1f} %"


def _verdict(verdict: str | None) -> str:
    return f", {verdict}" if verdict else ""
