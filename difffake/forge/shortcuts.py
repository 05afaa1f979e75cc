"""The check for shortcuts: do trivial cues separate real from forged faces? If so, a detector learns these cues."""

import json
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from difffake.data.keys import home, original_image, subject
from difffake.data.manifest import Manifest
from difffake.errors import UserError
from difffake.faces.images import read_image
from difffake.files import staged_file
from difffake.forge.audit import MAX_IMAGES, OK, UNSURE, Audited, Floats, audited, print_audit
from difffake.progress import console, track
from difffake.randomness import generator
from difffake.workers import in_order

LIMIT = 0.60
"""Largest AUC that trivial cues may reach."""
CUES = (
    "file size", "red", "green", "blue", "sharpness",
    "border red", "border green", "border blue", "border sharpness", "quantization",
)  # fmt: skip
TITLE = "AUC of trivial cues together (logistic regression, people held out), and of the strongest alone"


def cues(path: Path) -> Floats:
    """The trivial cues of one image file, in the order of `CUES`.

    The cues are the logarithm of the file size; mean red, green and blue; sharpness (the logarithm of the mean absolute
    Laplacian); colors and sharpness of the border (the outermost sixteenth on each side); and the logarithm of the sum
    of a JPEG file's quantization tables (0 for other files).
    """
    with PillowImage.open(path) as file:
        tables = getattr(file, "quantization", None) or {}
    return cues_of(read_image(path), path.stat().st_size, sum(map(sum, tables.values())))


def cues_of(image: NDArray[np.uint8], size: int, quantization: int = 0) -> Floats:
    """As `cues`, of an image (H, W, 3) whose file has `size` bytes and this sum of quantization tables."""
    image = image.astype(np.float32)
    height, width = image.shape[:2]
    rim = np.ones((height, width), dtype=bool)
    band = max(1, min(height, width) // 16)
    rim[band:-band, band:-band] = False
    detail = np.abs(cv2.Laplacian(image.mean(axis=2), cv2.CV_32F))
    return np.array([
        np.log(size), *image.mean(axis=(0, 1)), np.log(detail.mean() + 0.1),
        *image[rim].mean(axis=0), np.log(detail[rim].mean() + 0.1), np.log1p(quantization),
    ])  # fmt: skip


def find_shortcuts(manifest: Manifest, workers: int, seed: int) -> list[Audited]:
    """Check each method and compression of a manifest with fakes, against the real faces of the same data set.

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
    values = np.stack(list(track(in_order(cues, files, workers), "cues", total=len(files))))
    rows = table.iloc[chosen]
    label, groups, homes = rows["label"].to_numpy(), group[chosen], home(rows)
    found = []
    for (compression, method), _ in fakes.groupby(["compression", "method"]):
        own = ((rows["label"] == 1) & (rows["method"] == method) & (rows["compression"] == compression)).to_numpy()
        real_here = (rows["label"] == 0) & homes.isin(homes[own])  # another data set differs in everything
        same = real_here & (rows["compression"] == compression)
        # If no real face has the compression of the fakes, use those of unknown compression, as the results do.
        real = (same if same.any() else real_here & (rows["compression"] == "")).to_numpy()
        if not real.any():
            raise UserError(
                f"{method}: no real face of its data set has its compression {compression}: there is nothing to compare"
            )
        among = real | own
        of = values[among], label[among], groups[among]
        found.append(audited(str(method), str(compression), CUES, *of, seed))
    return found


def _sample(manifest: Manifest, seed: int) -> NDArray[np.int64]:
    """Rows to check: at most `MAX_IMAGES` frames of originals, with all their forgeries."""
    image = original_image(manifest.table).to_numpy(dtype=np.str_)
    kept = generator(seed).permutation(np.unique(image))[:MAX_IMAGES]
    return np.flatnonzero(np.isin(image, kept))


def check_shortcuts(manifest: Manifest, out: Path | None, workers: int, seed: int) -> int:
    """Print the result, and write it to out/shortcuts.json. Returns 1 if an AUC is too high, else 0."""
    found = find_shortcuts(manifest, workers, seed)
    print_audit(TITLE, found, [verdict(row) for row in found])
    if any(verdict(row) == UNSURE for row in found):
        console.print(f"{UNSURE}: there are too few people to be sure that the AUC is below {LIMIT:.2f}")
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


def verdict(row: Audited) -> str:
    """Whether trivial cues separate the fakes of a method from real faces."""
    return "too high" if row.auc >= LIMIT else OK if row.high < LIMIT else UNSURE
