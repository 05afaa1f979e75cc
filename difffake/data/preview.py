"""A contact sheet of pseudo-deepfakes: what the training will see, looked at before it starts."""

from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from difffake.data.images import read_image
from difffake.data.manifest import Manifest
from difffake.data.procedural import render_face
from difffake.data.procedural_people import Identity
from difffake.data.pseudo import PseudoConfig, PseudoDeepfake, pseudo_deepfake
from difffake.data.pseudo.config import HULLS, Hull, Region
from difffake.errors import UserError
from difffake.files import refuse_existing, staged_file
from difffake.randomness import generator

ROWS: tuple[tuple[Region, Hull | None], ...] = (
    *(("face", hull) for hull in HULLS),
    ("eyes", None),
    ("mouth", None),
    ("lower_head", None),
)
COLUMNS = ("target (real)", "source", "mask", "result (fake)")
_FACE_SIZE = 256  # pixels of a drawn face
_INCHES = 2.2  # side of a picture on the sheet
_DPI = 110


def preview(
    manifest: Path | None = None, out: Path = Path("preview.png"), seed: int = 0, overwrite: bool = False
) -> None:
    """Draw a sheet of pseudo-deepfakes, a row for each region and hull: target, source, mask and result.

    Args:
        manifest: Real faces to take, at random, from this manifest; without it, faces are drawn.
        out: Picture to write, such as preview.png.
        seed: Another seed shows other faces and other pseudo-deepfakes.
        overwrite: Replace the picture if it exists.
    """
    if out.suffix.lower() not in (".png", ".jpg", ".jpeg"):
        raise UserError(f"{out} (--out) is no picture's name: end it in .png or .jpg")
    refuse_existing(out, overwrite)
    faces = _drawn_faces(seed) if manifest is None else _manifest_faces(manifest, seed)
    config = PseudoConfig()
    made = [
        pseudo_deepfake(image, landmarks, generator(seed, row), config, region, hull, whole=True)
        for row, ((image, landmarks), (region, hull)) in enumerate(zip(faces, ROWS, strict=True))
    ]
    figure = sheet(made)
    with staged_file(out) as partial:
        figure.savefig(partial, dpi=_DPI)


def sheet(rows: list[PseudoDeepfake]) -> Figure:
    """Figure with a row for each pseudo-deepfake and a column for each of its pictures, labelled."""
    figure = Figure(figsize=(_INCHES * len(COLUMNS) + 1.2, _INCHES * len(rows) + 0.4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(rows), len(COLUMNS), squeeze=False)
    for made, row in zip(rows, axes, strict=True):
        # The mask is shown as it is blended, so that a weak one looks weak.
        for axis, picture in zip(row, (made.target, made.source, made.alpha * made.mask, made.fake), strict=True):
            axis.imshow(picture, cmap="gray", vmin=0, vmax=1)
            axis.set_xticks([])
            axis.set_yticks([])
        name = made.region.replace("_", " ")
        row[0].set_ylabel(f"{name}: {made.hull}" if made.hull else name, fontsize=12)
        row[2].set_xlabel(f"alpha {made.alpha:g}", fontsize=9)
    for axis, title in zip(axes[0], COLUMNS, strict=True):
        axis.set_title(title, fontsize=13)
    return figure


def _drawn_faces(seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    return [render_face(Identity.sample(generator(seed, row)), size=_FACE_SIZE) for row in range(len(ROWS))]


def _manifest_faces(path: Path, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Random real faces with landmarks; some come more than once if there are fewer than rows."""
    faces = Manifest.read(path).select(label=0)
    usable = np.flatnonzero(faces.table["landmarks"].notna())
    if len(usable) == 0:
        raise UserError(f"{path} has no real faces with landmarks: make it with `difffake prepare`")
    order = generator(seed).permutation(usable)
    return [
        (read_image(faces.file(index)), points)
        for index in np.resize(order, len(ROWS)).tolist()
        if (points := faces.landmarks(index)) is not None
    ]
