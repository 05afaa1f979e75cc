"""Data sets of drawn people: crops of "real" faces with a manifest, as from `difffake prepare`."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from difffake.data.manifest import Manifest
from difffake.drawn.people import PHONE, STUDIO, Identity, Style
from difffake.drawn.render import camera
from difffake.drawn.videos import render_video
from difffake.faces.crops import MARGIN, crop_face
from difffake.faces.detection import Face
from difffake.faces.images import write_png
from difffake.progress import track
from difffake.randomness import generator
from difffake.readers.item import REAL, SPLITS

_FRAME_SIZE = 180
"""Side of a drawn frame in pixels, so large that no crop must be enlarged to `CROP_SIZE`."""
CROP_SIZE = 112


@dataclass(frozen=True)
class DrawnDataset:
    """Size and style of a data set. `identities` has the numbers of people in train, val and test."""

    name: str
    style: Style
    identities: tuple[int, int, int]
    videos: int
    """Videos per person."""
    frames: int
    """Frames per video."""


DRAWN_A = DrawnDataset("drawn-a", STUDIO, (14, 4, 6), 2, 12)
DRAWN_B = DrawnDataset("drawn-b", PHONE, (0, 0, 10), 3, 12)


def write_drawn_faces(out: Path, dataset: DrawnDataset, seed: int = 0, workers: int = 2) -> Path:
    """Draw a data set, with manifest.parquet and crops/.

    Crops are PNG files of 112 x 112 pixels; a crop is the box of the landmarks, enlarged 1.3 times. The camera of the
    style is applied to every frame. The result depends on `seed` and the data set only.

    Args:
        out: folder to write.
        dataset: the data set.
        seed: random seed.
        workers: number of processes.

    Returns:
        Path of the manifest.
    """
    clips = [(person, video) for person in range(sum(dataset.identities)) for video in range(dataset.videos)]
    with ThreadPoolExecutor(workers) as pool:
        drawing = [pool.submit(_write_video, out, dataset, seed, *clip) for clip in clips]
        rows = [row for job in track(drawing, f"drawing {dataset.name}") for row in job.result()]
    Manifest(pd.DataFrame(rows), out).write(out / "manifest.parquet")
    return out / "manifest.parquet"


def _write_video(folder: Path, dataset: DrawnDataset, seed: int, person: int, video: int) -> list[dict[str, Any]]:
    """Write the crops of one video; return their rows of the manifest."""
    identity = Identity.sample(generator(seed, 0, person), dataset.style)
    frames = render_video(identity, dataset.style, dataset.frames, generator(seed, 1, person, video), _FRAME_SIZE)
    split = SPLITS[int(np.searchsorted(np.cumsum(dataset.identities), person, side="right"))]
    name = f"{person:03d}-{video}"
    rows = []
    for frame, (image, landmarks) in enumerate(frames):
        shot = camera(image, dataset.style, generator(seed, 2, person, video, frame))
        bounds = np.concatenate([landmarks.min(axis=0), landmarks.max(axis=0)])
        crop, points, box = crop_face(shot, Face(landmarks, bounds), max_size=CROP_SIZE)
        path = f"crops/{name}/{frame:06d}.png"
        write_png(folder / path, crop)
        rows.append({
            "path": path, "dataset": dataset.name, "split": split, "label": 0, "method": REAL, "video": name,
            "frame": frame, "identity": f"{person:03d}", "source": "", "target": "", "compression": "",
            "margin": MARGIN, "box": list(box), "landmarks": points.reshape(-1).tolist(),
        })  # fmt: skip
    return rows
