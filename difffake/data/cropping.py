"""From the files of a data set to face crops with landmarks: units of work, and what they gave."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, NamedTuple

import av
import cv2
import numpy as np
import pandas as pd

import difffake
from difffake.data.manifest import Manifest
from difffake.data.pseudo.blend import MIN_SIDE
from difffake.data.skipped import COLUMNS, SKIPPED, crop_path
from difffake.errors import UserError
from difffake.faces.crops import crop_face
from difffake.faces.detection import Face, LandmarkDetector
from difffake.faces.images import read_image, write_png
from difffake.faces.tracks import Track, link
from difffake.faces.video import even_indices, read_clip, read_frames
from difffake.files import sha256, staged_file
from difffake.progress import track
from difffake.readers.item import Item
from difffake.workers import in_processes

UNITS = 2048
"""Units of work that a large data set is divided into, at least; what a killed process was at is done again."""
LARGEST = 64
"""Files of a unit at most."""

LOOK_AROUND = 8
"""Frames of a video from one look at the whole frame to the next."""

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Cropping:
    """How crops are cut."""

    frames: int
    """Most frames of a video, evenly spaced over the whole clip, where their numbers are not given."""
    margin: float
    """Side of the crop as a multiple of the face's box."""
    max_size: int
    """Larger crops are scaled down to this side, in pixels."""
    people: Literal["main", "all"] = "main"
    """Of several faces: that of the person who is in most frames of a video, or the largest one of a still; or all."""


class Part(NamedTuple):
    """One file of a data set and what of it is wanted."""

    item: Item
    split: str
    numbers: list[int] | None
    """Of the frames of a video; None spaces them evenly."""


def units_of(parts: Sequence[Part]) -> list[tuple[int, Sequence[Part]]]:
    """Numbered units of work: some files each. They depend on nothing but the number of files."""
    size = min(LARGEST, max(1, len(parts) // UNITS))
    return [(number, parts[start : start + size]) for number, start in enumerate(range(0, len(parts), size))]


def fingerprint(units: Sequence[tuple[int, Sequence[Part]]], cropping: Cropping, dataset: str, model: Path) -> str:
    """What the crops depend on, as text: files with their size, frames, settings, the landmark model, the libraries."""
    files = hashlib.sha256()
    for _, parts in units:
        for item, split, numbers in parts:
            size = item.file.stat().st_size if item.file.is_file() else len(item.images)
            files.update(f"{item}\0{size}\0{split}\0{numbers}\n".encode())
    libraries = {module.__name__: module.__version__ for module in (difffake, av, cv2, np)}
    libraries["mediapipe"] = version("mediapipe")
    known = {"dataset": dataset, "files": files.hexdigest(), "model": sha256(model), **asdict(cropping), **libraries}
    return json.dumps(known, indent=1)


def crop_units(
    units: Sequence[tuple[int, Sequence[Part]]], folder: Path, cropping: Cropping, model: Path, workers: int
) -> None:
    """Write the crops of all units that are not done yet to `folder`, and what was found to folder/units.

    Args:
        units: from `units_of`, or some of them.
        folder: where crops/ and units/ are made.
        cropping: how crops are cut.
        model: MediaPipe's face_landmarker.task.
        workers: processes; 0 is one per core.
    """
    (folder / "units").mkdir(exist_ok=True)
    waiting = [unit for unit in units if not _unit_file(folder, unit[0]).is_file()]
    if waiting:
        done = in_processes(_crop_unit, waiting, workers, _start_worker, (model, folder, cropping))
        for _ in track(done, "faces", total=len(waiting)):
            pass


def all_done(units: Sequence[tuple[int, Sequence[Part]]], folder: Path) -> bool:
    """Whether no unit is missing."""
    return all(_unit_file(folder, number).is_file() for number, _ in units)


def collect(units: Sequence[tuple[int, Sequence[Part]]], folder: Path, dataset: str) -> tuple[Manifest, pd.DataFrame]:
    """Manifest and skipped.csv of all units, in their order; both are written to `folder`.

    Raises `UserError` with the reason that is most frequent if there is no crop at all.
    """
    rows: Rows = []
    skipped: Rows = []
    for number, parts in units:
        found = json.loads(_unit_file(folder, number).read_text())
        for part, (crops, missed) in zip(parts, found, strict=True):
            shared = _shared(part.item) | {"split": part.split, "dataset": part.item.dataset or dataset}
            rows += [
                shared | crop | {name: np.asarray(crop[name], np.float32) for name in ("box", "landmarks")}
                for crop in crops
            ]
            item = part.item
            named = {"file": item.file.as_posix(), "name": item.name, "split": part.split}
            named |= {"method": item.method, "compression": item.compression}
            skipped += [named | note for note in missed]
    noted = pd.DataFrame(skipped, columns=COLUMNS)
    if not rows:
        reasons = noted["reason"].value_counts()
        raise UserError(
            f"no face was found in any of {sum(len(parts) for _, parts in units)} files: {reasons.index[0]}"
        )
    manifest = Manifest(pd.DataFrame(rows), folder)
    manifest.write(folder / "manifest.parquet")
    noted.to_csv(folder / SKIPPED, index=False)
    return manifest, noted


_detector: LandmarkDetector  # of this worker process
_folder: Path
_cropping: Cropping


def _start_worker(model: Path, folder: Path, cropping: Cropping) -> None:
    global _detector, _folder, _cropping
    cv2.setNumThreads(1)  # the processes already share the cores
    _detector, _folder, _cropping = LandmarkDetector(model), folder, cropping


def _unit_file(folder: Path, number: int) -> Path:
    return folder / "units" / f"{number:06d}.json"


def _crop_unit(unit: tuple[int, Sequence[Part]]) -> None:
    number, parts = unit
    found = [crop_file(part, _folder, _cropping, _detector) for part in parts]
    with staged_file(_unit_file(_folder, number)) as partial:
        partial.write_text(json.dumps(found))


def crop_file(part: Part, folder: Path, cropping: Cropping, detector: LandmarkDetector) -> tuple[Rows, Rows]:
    """Write the crops of one file; gives what is their own in the manifest and in skipped.csv.

    Whatever is wrong with a file is its reason in skipped.csv, and ends nothing.
    """
    skipped: Rows = []

    def note(frame: int, kept: bool, reason: str) -> None:
        skipped.append({"frame": frame, "kept": kept, "reason": " ".join(reason.split())})

    rows: Rows = []
    numbers: list[int] = []
    faces: list[list[Face]] = []
    crops: list[list[tuple[Any, ...]]] = []
    try:
        for number, image in _images(part, cropping.frames, note):
            # Now and then without the last faces: a person who comes in is not noticed while small ones are followed.
            last = faces[-1] if len(faces) % LOOK_AROUND else []
            seen = detector.follow(image, last) if part.item.is_video else detector(image)
            numbers.append(number)
            faces.append(seen)
            crops.append([crop_face(image, face, cropping.margin, cropping.max_size) for face in seen])
            if not seen:
                note(number, False, "no face found")
        people = link(faces) if part.item.is_video else [Track({0: face}) for face in (faces[0] if faces else [])]
        _note_others(people, cropping.people, part.item.is_video, numbers, note)
        for person, found in enumerate(people if cropping.people == "all" else people[:1]):
            for place, face in sorted(found.faces.items()):
                crop, landmarks, box = next(
                    cut for cut, other in zip(crops[place], faces[place], strict=True) if other is face
                )
                if len(crop) < MIN_SIDE:
                    reason = f"the face's crop of {len(crop)} px is smaller than {MIN_SIDE} px"
                    note(numbers[place], False, reason)
                    continue
                path = crop_path(part.item.name, numbers[place] if part.item.is_video else None, person)
                write_png(folder / path, crop)
                rows.append({
                    "path": path, "frame": numbers[place], "track": person, "margin": cropping.margin,
                    "box": [float(value) for value in box], "landmarks": landmarks.ravel().astype(float).tolist(),
                })  # fmt: skip
    except UserError as error:
        note(0, False, str(error))
    except Exception as error:  # a library's own kind of error ends no batch
        note(0, False, f"{type(error).__name__}: {error}")
    return rows, skipped


def _images(part: Part, frames: int, note: Any) -> Iterator[tuple[int, np.ndarray]]:
    """Number and picture of each wanted frame of a video, or of a still."""
    item = part.item
    if not item.is_video:
        yield item.frame, read_image(item.file)
    elif item.images:
        files = dict(item.images)
        there = list(files)
        wanted = [there[place] for place in even_indices(len(there), frames)] if part.numbers is None else part.numbers
        if not wanted:
            note(0, False, f"none of its {len(there)} frames has a number that is wanted")
        for number in wanted:
            try:
                yield number, read_image(files[number])
            except UserError as error:
                note(number, False, str(error))
    else:
        clip = read_clip(item.file, frames, 1) if part.numbers is None else read_frames(item.file, part.numbers, 1)
        if clip.shortfall:
            note(clip.total, True, clip.shortfall)
        elif not clip.frames:
            note(0, False, f"none of its {clip.total} frames has a number that is wanted")
        for frame in clip.frames:
            yield frame.number, frame.image


def _note_others(people: Sequence[Track], kept: str, moving: bool, numbers: Sequence[int], note: Any) -> None:
    """What is left out of a file with several people, one line for each person."""
    for person in people[1:] if kept == "main" else ():
        first, *_ = sorted(person.faces)
        if moving:
            note(numbers[first], True, f"another person, in {len(person.faces)} of {len(numbers)} frames, is left out")
        else:
            note(numbers[first], True, f"{len(people)} faces found, the largest taken")
            return


def _shared(item: Item) -> dict[str, Any]:
    """What all crops of a file have in the manifest."""
    names = ("label", "method", "video", "identity", "source", "target", "compression")
    found = {name: getattr(item, name) for name in names}
    return found | ({"role": item.role} if item.role else {})
