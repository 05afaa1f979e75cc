"""The check for shortcuts: do trivial cues separate real from forged faces? If so, a detector learns these cues."""

import json
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage
from rich import box
from rich.console import Console
from rich.table import Table
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from difffake.data.keys import original_image, subject
from difffake.data.manifest import Manifest
from difffake.errors import UserError
from difffake.faces.images import read_image
from difffake.files import staged_file
from difffake.intervals import bootstrap_intervals
from difffake.metrics import auc
from difffake.progress import console, track
from difffake.randomness import generator

LIMIT = 0.60
"""Largest AUC that trivial cues may reach."""
CUES = (
    "file size", "red", "green", "blue", "sharpness",
    "border red", "border green", "border blue", "border sharpness", "quantization",
)  # fmt: skip
FOLDS = 5
MAX_IMAGES = 4000
"""Largest number of random real images that are checked, with all their forgeries."""

Floats = NDArray[np.float64]


class Shortcut(NamedTuple):
    """Result of the check for one method and compression."""

    method: str
    compression: str
    n_real: int
    n_fake: int
    auc: float
    """AUC of a logistic regression on all cues, for people that it was not fitted to."""
    low: float
    high: float
    """95 % interval, resampled by person."""
    strongest: str
    """The single cue with the highest AUC."""
    strongest_auc: float


def cues(path: Path) -> Floats:
    """The trivial cues of one image file, in the order of `CUES`.

    The cues are the logarithm of the file size; mean red, green and blue; sharpness (the logarithm of the mean absolute
    Laplacian); colors and sharpness of the border (the outermost sixteenth on each side); and the logarithm of the sum
    of a JPEG file's quantization tables (0 for other files).
    """
    image = read_image(path).astype(np.float32)
    height, width = image.shape[:2]
    rim = np.ones((height, width), dtype=bool)
    band = max(1, min(height, width) // 16)
    rim[band:-band, band:-band] = False
    detail = np.abs(cv2.Laplacian(image.mean(axis=2), cv2.CV_32F))
    with PillowImage.open(path) as file:
        tables = getattr(file, "quantization", None) or {}
    return np.array([
        np.log(path.stat().st_size), *image.mean(axis=(0, 1)), np.log(detail.mean() + 0.1),
        *image[rim].mean(axis=0), np.log(detail[rim].mean() + 0.1), np.log1p(sum(map(sum, tables.values()))),
    ])  # fmt: skip


def shortcut_auc(values: Floats, label: NDArray[np.integer], group: NDArray[np.str_]) -> tuple[float, Floats]:
    """AUC of a logistic regression on cues (N, K), and its scores (N,).

    Each sample is scored by a regression that is fitted to the other four fifths of the groups (N,), so no person is in
    both parts.
    """
    folds = min(FOLDS, len(np.unique(group)))
    score = np.empty(len(label))
    for fitted, held_out in GroupKFold(folds).split(values, label, group):
        if len(np.unique(label[fitted])) < 2:
            raise UserError("the real faces or the fakes show too few people to hold some out")
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
        model.fit(values[fitted], label[fitted])
        score[held_out] = model.decision_function(values[held_out])
    return auc(label, score), score


def find_shortcuts(manifest: Manifest, workers: int, seed: int) -> list[Shortcut]:
    """Check each method and compression of a manifest with fakes.

    Args:
        manifest: manifest with real faces and fakes.
        workers: number of processes; 0 is one per core.
        seed: random seed of the choice of images and of the bootstrap.

    Raises:
        UserError: there are no fakes, or too few people to hold some out.
    """
    table = manifest.table
    fakes = table[table["label"] == 1]
    if not len(fakes) or (table["label"] == 1).all():
        raise UserError(f"{manifest.root} needs real faces and fakes for a check: make it with `difffake forge`")
    # A real face and its forgeries show the same person, so they are in the same group.
    group = subject(table).to_numpy(dtype=np.str_)
    chosen = _sample(manifest, seed)
    files = [manifest.file(int(row)) for row in chosen]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers or os.cpu_count(), context, initializer=cv2.setNumThreads, initargs=(1,)) as pool:
        values = np.stack(list(track(pool.map(cues, files, chunksize=32), "cues", total=len(files))))
    rows = table.iloc[chosen]
    label, groups = rows["label"].to_numpy(), group[chosen]
    found = []
    for (compression, method), _ in fakes.groupby(["compression", "method"]):
        own = ((rows["label"] == 1) & (rows["method"] == method) & (rows["compression"] == compression)).to_numpy()
        same = (rows["label"] == 0) & (rows["compression"] == compression)
        # If no real face has the compression of the fakes, use those of unknown compression, as the results do.
        real = (same if same.any() else (rows["label"] == 0) & (rows["compression"] == "")).to_numpy()
        if not real.any():
            raise UserError(f"{method}: no real face has its compression {compression}: there is nothing to compare")
        among = real | own
        found.append(_shortcut(str(method), str(compression), values[among], label[among], groups[among], seed))
    return found


def _shortcut(
    method: str, compression: str, values: Floats, label: NDArray[np.integer], group: NDArray[np.str_], seed: int
) -> Shortcut:
    if len(np.unique(group)) < 2 or len(np.unique(label)) < 2:
        raise UserError(f"{method}: a check needs real faces and fakes of at least two people")
    whole, score = shortcut_auc(values, label, group)
    low, high = bootstrap_intervals(label, score, group, seed=seed)["auc"]
    alone = [auc(label, column) for column in values.T]
    strongest = int(np.argmax([max(a, 1 - a) for a in alone]))
    return Shortcut(
        method, compression, int((label == 0).sum()), int(label.sum()), whole, low, high, CUES[strongest],
        max(alone[strongest], 1 - alone[strongest]),
    )  # fmt: skip


def _sample(manifest: Manifest, seed: int) -> NDArray[np.int64]:
    """Rows to check: at most `MAX_IMAGES` frames of originals, with all their forgeries."""
    image = original_image(manifest.table).to_numpy(dtype=np.str_)
    kept = generator(seed).permutation(np.unique(image))[:MAX_IMAGES]
    return np.flatnonzero(np.isin(image, kept))


def check_shortcuts(manifest: Manifest, out: Path | None, workers: int, seed: int) -> int:
    """Print the result, and write it to out/shortcuts.json. Returns 1 if an AUC is too high, else 0."""
    found = find_shortcuts(manifest, workers, seed)
    title = "AUC of trivial cues together (logistic regression, people held out), and of the strongest alone"
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in ("Method", "Real", "Fake", "AUC [95 %]", "", "Strongest", ""):
        table.add_column(column, justify="left" if column in ("Method", "Strongest") else "right", no_wrap=True)
    for row in found:
        name = f"{row.method} {row.compression}".strip()
        # With too few people there is no interval. (rich takes a bracket with letters for markup.)
        interval = f"{row.auc:.3f}" + ("" if np.isnan(row.low) else f" [{row.low:.3f}, {row.high:.3f}]")
        verdict = "too high" if row.auc >= LIMIT else "ok" if row.high < LIMIT else "unsure"
        alone = f"{row.strongest_auc:.3f}"
        table.add_row(name, str(row.n_real), str(row.n_fake), interval, verdict, row.strongest, alone)
    screen = Console()
    screen.print(title, style="table.title")
    screen.print(table)
    if any(row.auc < LIMIT and not row.high < LIMIT for row in found):
        console.print(f"unsure: there are too few people to be sure that the AUC is below {LIMIT:.2f}")
    if out is not None:
        with staged_file(out / "shortcuts.json") as partial:
            partial.write_text(json.dumps([row._asdict() for row in found], indent=1) + "\n")
    failed = [row.method for row in found if row.auc >= LIMIT]
    if failed:
        names = ", ".join(dict.fromkeys(failed))
        console.print(
            f"trivial cues separate {names} from real faces (AUC of {LIMIT:.2f} or more): do not train on these data"
        )
    return 1 if failed else 0
