"""A testbed of drawn faces: two data sets, forgeries seen in training on one and unseen ones on the other."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from difffake.data.faces import Face, crop_face
from difffake.data.images import write_png
from difffake.data.manifest import REAL, SPLITS, Manifest
from difffake.data.procedural import camera
from difffake.data.procedural_people import PHONE, STUDIO, Identity, Style
from difffake.data.procedural_videos import render_video
from difffake.errors import UserError
from difffake.files import staged_folder
from difffake.forge.simple import SIMPLE_FORGERIES, SOURCELESS
from difffake.progress import track
from difffake.randomness import generator

_FRAME_SIZE = 180
"""Side of a drawn frame in pixels: large enough that no crop of `_CROP_SIZE` has to be enlarged."""
_CROP_SIZE = 112
_LANDMARK_ERROR = 0.006
"""Standard deviation of a forger's landmarks, as a part of the face's width: forged faces tremble a little."""


Frames = list[tuple[np.ndarray, np.ndarray]]
"""Images with their landmarks."""


@dataclass(frozen=True)
class DrawnDataset:
    """What one data set of the testbed holds. `identities` counts the people of train, val and test."""

    name: str
    style: Style
    forgeries: tuple[str, ...]
    identities: tuple[int, int, int]
    videos: int
    """Videos a person."""
    frames: int
    """Frames a video."""


DRAWN_A = DrawnDataset("drawn-a", STUDIO, ("paste", "smooth"), (14, 4, 6), 2, 12)
DRAWN_B = DrawnDataset("drawn-b", PHONE, ("poisson", "mouth"), (0, 0, 10), 3, 12)


def write_procedural_testbed(
    out: Path,
    seed: int = 0,
    datasets: Sequence[DrawnDataset] = (DRAWN_A, DRAWN_B),
    workers: int = 2,
    overwrite: bool = False,
) -> dict[str, Path]:
    """Draw and forge the data sets, each to `out`/NAME with manifest.parquet and crops/, and return the manifests.

    Crops are PNG, 112 x 112, the landmarks' box enlarged 1.3 times. Each real video is forged once by every
    method, with one other person of the same split as the source of the whole clip, frame by frame. Real and
    forged frames alike pass the camera once, after the forging. The result depends on `seed` alone.

    Raises `UserError` if `out` is not empty and not to be overwritten, or a split has only one person.
    """
    for dataset in datasets:
        if 1 in dataset.identities:
            raise UserError(f"{dataset.name} has a split of one person: a swap needs two, so draw more identities")
    with staged_folder(out, overwrite) as partial, ThreadPoolExecutor(workers) as pool:
        for number, dataset in enumerate(datasets):
            folder, keys = partial / dataset.name, (seed, number)
            clips = [(person, video) for person in range(sum(dataset.identities)) for video in range(dataset.videos)]
            # Drawn first and kept, as every clip is needed as a target and again as a source.
            drawing = [pool.submit(_draw, dataset, keys, *clip) for clip in clips]
            done = track(drawing, f"Drawing {dataset.name}")
            drawn = {clip: job.result() for clip, job in zip(clips, done, strict=True)}
            forging = [pool.submit(_write_video, folder, dataset, keys, drawn, *clip) for clip in clips]
            rows = [row for job in track(forging, f"Forging {dataset.name}") for row in job.result()]
            Manifest(pd.DataFrame(rows), folder).write(folder / "manifest.parquet")
    return {dataset.name: out / dataset.name / "manifest.parquet" for dataset in datasets}


def _draw(dataset: DrawnDataset, keys: tuple[int, ...], person: int, video: int) -> Frames:
    identity = Identity.sample(generator(*keys, 0, person), dataset.style)
    rng = generator(*keys, 1, person, video)
    return render_video(identity, dataset.style, dataset.frames, rng, _FRAME_SIZE)


def _partner(dataset: DrawnDataset, person: int, rng: np.random.Generator) -> tuple[str, int]:
    """Split of a person, and another person of it."""
    ends = np.cumsum(dataset.identities)
    split = int(np.searchsorted(ends, person, side="right"))
    others = [p for p in range(ends[split] - dataset.identities[split], ends[split]) if p != person]
    return SPLITS[split], int(rng.choice(others))


def _write_video(
    folder: Path,
    dataset: DrawnDataset,
    keys: tuple[int, ...],
    drawn: dict[tuple[int, int], Frames],
    person: int,
    video: int,
) -> list[dict[str, Any]]:
    """Write the crops of one real video and of its forgeries; return their rows of the manifest."""
    rng = generator(*keys, 2, person, video)
    split, partner = _partner(dataset, person, rng)
    partner_video = int(rng.integers(dataset.videos))
    targets, sources = drawn[person, video], drawn[partner, partner_video]
    real, source = f"{REAL}/{person:03d}-{video}", f"{REAL}/{partner:03d}-{partner_video}"
    rows = []
    for number, method in enumerate((REAL, *dataset.forgeries)):
        name = real if method == REAL else f"{method}/{person:03d}-{video}"
        for frame, ((image, landmarks), (face, face_landmarks)) in enumerate(zip(targets, sources, strict=True)):
            rng = generator(*keys, 3, person, video, number, frame)
            if method != REAL:
                found, face_found = (_tremble(points, rng) for points in (landmarks, face_landmarks))
                # One setting a clip: every frame's forgery gets an equal generator.
                setting = generator(*keys, 4, person, video, number)
                image, _ = SIMPLE_FORGERIES[method](image, found, face, face_found, setting)
            shot = camera(image, dataset.style, rng)
            bounds = np.concatenate([landmarks.min(axis=0), landmarks.max(axis=0)])
            crop, points, box = crop_face(shot, Face(landmarks, bounds), max_size=_CROP_SIZE)
            path = f"crops/{name}/{frame:03d}.png"
            write_png(folder / path, crop)
            rows.append({
                "path": path, "dataset": dataset.name, "split": split, "label": int(method != REAL), "method": method,
                "video": name, "frame": frame, "identity": f"{person:03d}",
                "source": real if method == REAL or method in SOURCELESS else source, "target": real,
                "compression": "", "box": list(box), "landmarks": points.reshape(-1).tolist(),
            })  # fmt: skip
    return rows


def _tremble(landmarks: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Landmarks as a detector would find them: moved as a whole and each a little."""
    error = _LANDMARK_ERROR * float(np.ptp(landmarks[:, 0]))
    return landmarks + rng.normal(0, error, (1, 2)) + rng.normal(0, 0.5 * error, landmarks.shape)
