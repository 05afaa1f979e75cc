"""The command `preview`: what the training will see, looked at before it starts."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from difffake.data.manifest import Manifest
from difffake.data.pseudo import PseudoConfig, pseudo_deepfake
from difffake.data.pseudo.config import HULLS, Hull, Region
from difffake.data.records import read_records
from difffake.drawn.people import Identity
from difffake.drawn.render import render_face
from difffake.errors import UserError
from difffake.faces.images import read_image
from difffake.files import refuse_existing, staged_file
from difffake.randomness import generator

ROWS: tuple[tuple[Region, Hull | None], ...] = (
    *(("face", hull) for hull in HULLS),
    ("eyes", None),
    ("mouth", None),
    ("lower_head", None),
)
PSEUDO_COLUMNS = ("target (real)", "source", "mask", "result (fake)")
FORGED_COLUMNS = ("target (real)", "source", "forgery", "mask", "difference x 4")
_FACE_SIZE = 256  # pixels of a drawn face
_INCHES = 2.2  # side of a picture on the sheet
_DPI = 110

Row = tuple[str, tuple[np.ndarray, ...]]
"""A row's name and its pictures."""


def preview(
    manifest: Path | None = None,
    out: Path = Path("preview.png"),
    rows: int = 2,
    seed: int = 0,
    overwrite: bool = False,
) -> None:
    """Draw a sheet of forgeries, or of the pseudo-deepfakes that training would make.

    A manifest of difffake forge is shown method by method: target, source, forgery, mask, difference. From the real
    faces of any other, or from drawn faces, pseudo-deepfakes are made, one for each region and hull.

    Args:
        manifest: Faces to take, at random, from this manifest; without it, faces are drawn.
        out: Picture to write, such as preview.png.
        rows: Forgeries to show of each method and compression.
        seed: Another seed shows other faces and other pseudo-deepfakes.
        overwrite: Replace the picture if it exists.
    """
    if out.suffix.lower() not in (".png", ".jpg", ".jpeg"):
        raise UserError(f"{out} (--out) is no picture's name: end it in .png or .jpg")
    refuse_existing(out, overwrite)
    faces = None if manifest is None else Manifest.read(manifest)
    records = None if faces is None else read_records(faces.root)
    if faces is not None and records is not None:
        figure = sheet(FORGED_COLUMNS, forged_rows(faces.root, records, rows, seed))
    else:
        drawn = _drawn_faces(seed) if faces is None else _real_faces(faces, seed)
        figure = sheet(PSEUDO_COLUMNS, pseudo_rows(drawn, seed))
    with staged_file(out) as partial:
        figure.savefig(partial, dpi=_DPI)


def forged_rows(root: Path, records: pd.DataFrame, count: int, seed: int) -> list[Row]:
    """`count` random forgeries of each method and compression of the testbed in the folder `root`."""
    made: list[Row] = []
    for (method, compression), group in records.groupby(["method", "compression"], sort=False):
        for row in generator(seed).permutation(len(group))[:count]:
            record = group.iloc[row]
            target, source, forged, mask = (
                read_image(root / record[name]) for name in ("target_path", "source_path", "path", "mask_path")
            )
            difference = np.clip(4 * np.abs(forged.astype(int) - target), 0, 255).astype(np.uint8)
            pictures = (target, source, forged, mask[..., 0] / 255, difference)
            made.append((f"{method}, {compression}", pictures))
    return made


def pseudo_rows(faces: list[tuple[np.ndarray, np.ndarray]], seed: int) -> list[Row]:
    """A pseudo-deepfake of each region and hull, from as many faces: images (H, W, 3) with landmarks (68, 2)."""
    config = PseudoConfig()
    made: list[Row] = []
    for row, ((image, landmarks), (region, hull)) in enumerate(zip(faces, ROWS, strict=True)):
        pseudo = pseudo_deepfake(image, landmarks, generator(seed, row), config, region, hull, whole=True)
        name = pseudo.region.replace("_", " ") + (f": {pseudo.hull}" if pseudo.hull else "")
        # The mask is shown as it is blended, so that a weak one looks weak.
        made.append((name, (pseudo.target, pseudo.source, pseudo.alpha * pseudo.mask, pseudo.fake)))
    return made


def sheet(columns: tuple[str, ...], rows: list[Row]) -> Figure:
    """Figure with a column for each picture of a row, all labelled. Pictures: (H, W, 3) uint8, or (H, W) in [0, 1]."""
    figure = Figure(figsize=(_INCHES * len(columns) + 1.2, _INCHES * len(rows) + 0.4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(rows), len(columns), squeeze=False)
    for (name, pictures), row in zip(rows, axes, strict=True):
        for axis, picture in zip(row, pictures, strict=True):
            axis.imshow(picture, cmap="gray", vmin=0, vmax=1)
            axis.set_xticks([])
            axis.set_yticks([])
        row[0].set_ylabel(name, fontsize=12)
    for axis, title in zip(axes[0], columns, strict=True):
        axis.set_title(title, fontsize=13)
    return figure


def _drawn_faces(seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    return [render_face(Identity.sample(generator(seed, row)), size=_FACE_SIZE) for row in range(len(ROWS))]


def _real_faces(manifest: Manifest, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Random real faces with landmarks; some come more than once if there are fewer than rows."""
    faces = manifest.select(label=0)
    usable = np.flatnonzero(faces.table["landmarks"].notna())
    if len(usable) == 0:
        raise UserError(f"{manifest.root} has no real faces with landmarks: make it with `difffake prepare`")
    order = generator(seed).permutation(usable)
    return [
        (read_image(faces.file(index)), points)
        for index in np.resize(order, len(ROWS)).tolist()
        if (points := faces.landmarks(index)) is not None
    ]
