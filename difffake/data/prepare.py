"""The command `prepare`: from any data set to face crops, landmarks and a manifest."""

import multiprocessing
import os
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import pandas as pd

from difffake.data.keys import check_splits, split_group
from difffake.data.manifest import Manifest, split_by_group
from difffake.data.pseudo.blend import MIN_SIDE
from difffake.errors import UserError
from difffake.faces.crops import crop_face
from difffake.faces.detection import LandmarkDetector
from difffake.faces.images import read_image, write_png
from difffake.faces.model_file import landmarker_model
from difffake.faces.video import read_clip
from difffake.files import refuse_existing, staged_folder
from difffake.progress import console, track
from difffake.readers.dfd import read_dfd
from difffake.readers.ffpp import read_ffpp
from difffake.readers.folder import read_folder
from difffake.readers.item import Item
from difffake.readers.table import read_table
from difffake.readers.videos import read_videos

READERS: dict[str, Callable[[Path], list[Item]]] = {
    "folder": read_folder,
    "videos": read_videos,
    "table": read_table,
    "ffpp": read_ffpp,
    "dfd": read_dfd,
}
SPLIT_BY = ("identity", "original", "video", "none")


def prepare(
    reader: str,
    root: Path,
    out: Path,
    dataset: str = "",
    table: str = "manifest.csv",
    split: Sequence[float] = (0.8, 0.1, 0.1),
    split_by: str = "",
    frames: int = 40,
    margin: float = 1.3,
    max_size: int = 384,
    landmarker: Path | None = None,
    workers: int = 0,
    seed: int = 0,
    overwrite: bool = False,
) -> None:
    """Turn a data set into face crops with 68 landmarks, a manifest, and a list of what was skipped.

    Args:
        reader: layout of the data set: folder (identity/image), videos (a folder of clips), table (a CSV with
            the columns file and label), ffpp (FaceForensics++ as it is downloaded) or dfd (DeepFakeDetection in the
            folders of FaceForensics++).
        root: folder of the data set.
        out: folder to write: manifest.parquet, crops/, skipped.csv.
        dataset: name in the manifest; by default the name of the root folder.
        table: name of the CSV in root, for the reader table.
        split: shares of train, val and test; a split column of the table, or the train.json, val.json and test.json
            of FaceForensics++, go before it.
        split_by: what is kept in one split: identity, original (the real file that a fake was made from), video
            or none (every file for itself); by default the first of these that is known for every file. A fake's
            source and target stay with it in any case.
        frames: at most so many frames a video, evenly spaced over the whole clip.
        margin: side of the crop as a multiple of the face's box.
        max_size: larger crops are scaled down to this side, in pixels.
        landmarker: MediaPipe's face_landmarker.task; by default $DIFFFAKE_LANDMARKER, the cache or a download.
        workers: processes; 0 is one a core.
        seed: seed of the split.
        overwrite: replace an existing output folder.
    """
    if reader not in READERS:
        raise UserError(f"--reader {reader} is unknown: choose one of {', '.join(READERS)}")
    if frames < 1 or margin < 1 or max_size < 16:
        raise UserError("--frames must be at least 1, --margin at least 1 and --max-size at least 16")
    root = Path(root)
    if not root.is_dir():
        raise UserError(f"--root {root} is not a folder")
    items = read_table(root, table) if reader == "table" else READERS[reader](root)
    _refuse_same_names(items)
    splits = _splits(items, split, split_by, seed)
    name = dataset or root.resolve().name
    # Before hours of cropping; the manifest is checked again whenever it is used.
    check_splits(
        pd.DataFrame(
            [{**asdict(i), "path": i.name, "dataset": name, "split": s} for i, s in zip(items, splits, strict=True)]
        )
    )
    model = landmarker_model(landmarker)
    refuse_existing(Path(out), overwrite, [root])
    with staged_folder(Path(out), overwrite) as folder:
        work = partial(_crop_item, folder=folder, frames=frames, margin=margin, max_size=max_size)
        rows, skipped = [], []
        # Fresh processes, because forking one in which OpenCV or MediaPipe already runs threads can hang.
        with ProcessPoolExecutor(
            workers or os.cpu_count(),
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_start_worker,
            initargs=(model,),
        ) as pool:
            results = pool.map(work, items, chunksize=1 if items[0].is_video else 8)
            for item_split, (found, missed) in zip(splits, track(results, "faces", total=len(items)), strict=True):
                rows += [{**row, "split": item_split, "dataset": name} for row in found]
                skipped += missed
        if not rows:
            raise UserError(f"no face was found in any of the {len(items)} files of {root}: {skipped[0]['reason']}")
        manifest = Manifest(pd.DataFrame(rows), folder)
        manifest.write(folder / "manifest.parquet")
        pd.DataFrame(skipped, columns=["file", "frame", "kept", "reason"]).to_csv(folder / "skipped.csv", index=False)
    _print_summary(manifest, skipped, Path(out))


_detector: LandmarkDetector  # of this worker process


def _start_worker(model: Path) -> None:
    global _detector
    cv2.setNumThreads(1)  # the processes already share the cores
    _detector = LandmarkDetector(model)


def _crop_item(
    item: Item, folder: Path, frames: int, margin: float, max_size: int
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Crops of one file, written to `folder`: manifest rows, and rows for skipped.csv."""
    rows: list[dict[str, Any]] = []
    skipped: list[dict[str, Any]] = []

    def note(frame: int, kept: bool, reason: str) -> None:
        skipped.append({"file": item.file.as_posix(), "frame": frame, "kept": kept, "reason": reason})

    try:
        clip = read_clip(item.file, frames) if item.is_video else None
        images = [(f.number, f.image) for f in clip.frames] if clip else [(0, read_image(item.file))]
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
        crop, landmarks, box = crop_face(image, faces[0], margin, max_size)
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
                "box": [float(v) for v in box],
                "landmarks": landmarks.ravel().tolist(),
            }
        )
    return rows, skipped


def _splits(items: list[Item], fractions: Sequence[float], split_by: str, seed: int) -> list[str]:
    given = [item.split for item in items]
    if all(given):
        return given
    if any(given):
        raise UserError("the table's column split is filled for some files only: fill it for all or leave it out")
    groups = {
        "identity": [item.identity for item in items],
        "video": [item.video for item in items],
        "original": [item.target for item in items],
        "none": [item.name for item in items],
    }
    # A fake and its original, and the videos of one identity, must not part; so these are tried first.
    order = ("identity", "original", "video", "none")
    chosen = split_by or next(name for name in order if all(groups[name]))
    if chosen not in groups:
        raise UserError(f"--split-by {split_by} is unknown: choose one of {', '.join(SPLIT_BY)}")
    if not all(groups[chosen]):
        raise UserError(f"--split-by {chosen}: {groups[chosen].count('')} of {len(items)} files have none")
    table = pd.DataFrame([{**asdict(item), "path": item.name} for item in items])
    return split_by_group(split_group(table, groups[chosen]), fractions, seed).tolist()


def _refuse_same_names(items: list[Item]) -> None:
    """Two files that differ only by suffix would write to one crop."""
    name, times = Counter(item.name for item in items).most_common(1)[0]
    if times > 1:
        files = ", ".join(item.file.name for item in items if item.name == name)
        raise UserError(f"{times} files have the name {name} ({files}): rename or remove all but one")


def _print_summary(manifest: Manifest, skipped: list[dict[str, Any]], out: Path) -> None:
    table = manifest.table
    counts = ", ".join(f"{split} {number}" for split, number in table["split"].value_counts(sort=False).items())
    console.print(f"{len(table)} crops ({counts}; {int(table['label'].sum())} fake) in {out}/manifest.parquet")
    lost = sum(not row["kept"] for row in skipped)
    if skipped:
        console.print(f"{lost} skipped, {len(skipped) - lost} kept with a remark: see {out}/skipped.csv")
