"""From the files of a data set to face crops with landmarks: choice of splits, and cropping."""

import multiprocessing
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import pandas as pd

from difffake.data.keys import check_splits, split_group
from difffake.data.manifest import split_by_group
from difffake.data.pseudo.blend import MIN_SIDE
from difffake.errors import UserError
from difffake.faces.crops import crop_face
from difffake.faces.detection import LandmarkDetector
from difffake.faces.images import read_image, write_png
from difffake.faces.video import read_clip
from difffake.progress import track
from difffake.readers.item import Item


@dataclass(frozen=True)
class Cropping:
    """Settings of the crops."""

    frames: int
    """Largest number of frames per video, evenly spaced over the whole clip."""
    margin: float
    """Side of the crop as a multiple of the side of the face's box."""
    max_size: int
    """Largest side of a crop in pixels; larger crops are scaled down."""


def choose_splits(
    items: list[Item], dataset: str, fractions: Sequence[float], split_by: str | None, seed: int
) -> list[str]:
    """Choose the split of each file: the data set's own splits if files have them, else splits by group.

    Args:
        items: N files of the data set.
        dataset: name of the data set.
        fractions: shares of train, val and test.
        split_by: identity, original, video or none; None uses the first of these that is known for every file.
        seed: random seed of the split.

    Returns:
        Name (N,) of each file's split.

    Raises:
        UserError: a file has no value of `split_by`, two files would have the same crop, or splits share an identity,
            video, source or target.
    """
    _refuse_same_names(items)
    splits = [item.split for item in items]
    if any(splits) and not all(splits):
        item = items[splits.index("")]
        raise UserError(f"{item.file} has no split, but others have: give every file one, or none")
    if not all(splits):
        table = pd.DataFrame([{**asdict(item), "path": item.name} for item in items])
        splits = split_by_group(split_group(table, _groups(items, split_by)), fractions, seed).tolist()
    # Check splits now, before hours of cropping. The manifest is checked again whenever it is used.
    rows = [{**asdict(i), "path": i.name, "dataset": dataset, "split": s} for i, s in zip(items, splits, strict=True)]
    check_splits(pd.DataFrame(rows))
    return splits


def crop_items(
    items: list[Item], folder: Path, cropping: Cropping, model: Path, workers: int
) -> Iterator[tuple[list[dict[str, Any]], list[dict[str, Any]]]]:
    """Write the crops of all files.

    Args:
        items: files of the data set.
        folder: folder in which crops/ is made.
        cropping: settings of the crops.
        model: MediaPipe's face_landmarker.task.
        workers: number of processes; 0 is one per core.

    Yields:
        For each file in order, its rows of the manifest and its rows of skipped.csv.
    """
    work = partial(_crop_item, folder=folder, cropping=cropping)
    # Start new processes: a forked process can hang if OpenCV or MediaPipe already runs threads.
    with ProcessPoolExecutor(
        workers or os.cpu_count(),
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start_worker,
        initargs=(model,),
    ) as pool:
        results = pool.map(work, items, chunksize=1 if items[0].is_video else 8)
        yield from track(results, "faces", total=len(items))


_detector: LandmarkDetector  # one per worker process


def _start_worker(model: Path) -> None:
    global _detector
    cv2.setNumThreads(1)  # several processes share the cores
    _detector = LandmarkDetector(model)


def _crop_item(item: Item, folder: Path, cropping: Cropping) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Write the crops of one file to `folder`; return its rows of the manifest and of skipped.csv."""
    rows: list[dict[str, Any]] = []
    skipped: list[dict[str, Any]] = []

    def note(frame: int, kept: bool, reason: str) -> None:
        skipped.append(
            {"file": item.file.as_posix(), "name": item.name, "frame": frame, "kept": kept, "reason": reason}
        )

    try:
        clip = read_clip(item.file, cropping.frames) if item.is_video else None
        images = [(f.number, f.image) for f in clip.frames] if clip else [(item.frame, read_image(item.file))]
    except UserError as error:
        note(0, False, str(error))
        return rows, skipped
    if clip and clip.shortfall:
        note(clip.total, True, clip.shortfall)
    for frame, image in images:
        faces = _detector(image)
        if not faces:
            note(frame, False, "no face found")
            continue
        if len(faces) > 1:
            note(frame, True, f"{len(faces)} faces found, the largest taken")
        crop, landmarks, box = crop_face(image, faces[0], cropping.margin, cropping.max_size)
        if len(crop) < MIN_SIDE:
            note(frame, False, f"the face's crop of {len(crop)} px is smaller than {MIN_SIDE} px")
            continue
        path = f"crops/{item.name}/{frame:06d}.png" if item.is_video else f"crops/{item.name}.png"
        write_png(folder / path, crop)
        rows.append(
            {
                "path": path,
                "label": item.label,
                "method": item.method,
                "video": item.video,
                "frame": frame,
                "identity": item.identity,
                "source": item.source,
                "target": item.target,
                "compression": item.compression,
                "margin": cropping.margin,
                **({"role": item.role} if item.role else {}),
                "box": [float(v) for v in box],
                "landmarks": landmarks.ravel().tolist(),
            }
        )
    return rows, skipped


def _groups(items: list[Item], split_by: str | None) -> list[str]:
    """Group (N,) of each file that must stay in one split."""
    groups = {
        # A fake and its original, and all videos of an identity, must stay together; so these are tried first.
        "identity": [item.identity for item in items],
        "original": [item.target for item in items],
        "video": [item.video for item in items],
        "none": [item.name for item in items],
    }
    chosen = split_by or next(name for name in groups if all(groups[name]))
    if not all(groups[chosen]):
        raise UserError(f"--split-by {chosen}: {groups[chosen].count('')} of {len(items)} files have none")
    return groups[chosen]


def _refuse_same_names(items: list[Item]) -> None:
    """Raise `UserError` if files differ only by suffix, because their crops would have the same name."""
    name, times = Counter(item.name for item in items).most_common(1)[0]
    if times > 1:
        files = ", ".join(item.file.name for item in items if item.name == name)
        raise UserError(f"{times} files have the name {name} ({files}): rename or remove all but one")
