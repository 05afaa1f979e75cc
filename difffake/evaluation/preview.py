"""Sheets of training examples: forgeries of a testbed, or pseudo-deepfakes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from difffake.data.manifest import Manifest
from difffake.data.pseudo import PseudoConfig, Twins, pseudo_of_family
from difffake.data.pseudo.blend import DEFAULTS
from difffake.data.pseudo.config import HULLS, Family, Hull, Region
from difffake.drawn.people import Identity
from difffake.drawn.render import render_face
from difffake.errors import UserError
from difffake.faces.images import read_image
from difffake.plots import Row, wrapped
from difffake.randomness import generator

KINDS: tuple[tuple[Region, Hull | None], ...] = (
    *(("face", hull) for hull in HULLS),
    ("eyes", None),
    ("mouth", None),
    ("lower_head", None),
)
"""Region and hull of each pseudo-deepfake of a sheet."""
TWIN_KINDS: tuple[tuple[Family, Region | None, Hull | None], ...] = (
    ("twins", None, None),  # as a whole
    ("twins", "face", "facehull"),
    ("twins", "mouth", None),
    ("blended_twins", "face", "extended"),
    ("blended_twins", "lower_head", None),
)
"""Family, region and hull of each pseudo-deepfake that is made of a twin."""
_NAMES = {"coarse": "coarse blend", "twins": "twin", "blended_twins": "blended twin"}
PSEUDO_COLUMNS = ("target (real)", "source", "mask", "result (fake)")
PSEUDO_CAPTION = (
    "One pseudo-deepfake of each region and hull, and one whose source has less detail, each made from one real face. "
    "Target and source are two altered copies of that face; the result is the source where the mask is white, the "
    "target where it is black, and a mix where it is gray. A detector is trained to tell results from targets."
)
TWIN_CAPTION = (
    " In the last rows, the source is a twin: the face as an autoencoder rebuilds it, as a whole, inside a region, or "
    "recolored and moved as in a blend."
)
FORGED_COLUMNS = ("target (real)", "source", "forgery (fake)", "mask", "difference x 4")
FORGED_CAPTION = (
    "Random forgeries of each method and compression. The method changes the target where the mask is white, with "
    "content from the source (for a method without a source, the target is shown there). The difference between "
    "forgery and target is shown four times as bright; outside the mask, it comes from compression."
)
_FACE_SIZE = 256  # side of a drawn face in pixels

Face = tuple[str, np.ndarray, np.ndarray]
"""Name, image (H, W, 3) and landmarks (68, 2)."""


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
            # The label has compression and method already, so these folders are left out of the name.
            name = Path(*Path(record["path"]).parts[3:])
            label = f"{method}, {compression}\n{wrapped(name.as_posix(), 30)}"
            made.append((label, (target, source, forged, mask[..., 0] / 255, difference)))
    return made


def pseudo_rows(faces: list[Face], seed: int, config: PseudoConfig = DEFAULTS, twins: Twins | None = None) -> list[Row]:
    """A blend of each of `KINDS`, a coarse blend, and with twins one of each of `TWIN_KINDS`.

    Each is made of the next of `faces`, which come again if they are too few.
    """
    blends: list[tuple[Family, Region | None, Hull | None]] = [("blends", *kind) for kind in KINDS]
    kinds = [*blends, ("coarse", "face", "components"), *(TWIN_KINDS if twins else ())]
    always_whole = replace(config, twin_whole=1.0)
    made: list[Row] = []
    for row, (family, region, hull) in enumerate(kinds):
        name, image, landmarks = faces[row % len(faces)]
        own = generator(seed, row)
        pseudo = pseudo_of_family(image, landmarks, own, always_whole, twins, family, region, hull, whole=True)
        kind = pseudo.region.replace("_", " ") + (f": hull {pseudo.hull}" if pseudo.hull else "")
        if family != "blends":
            kind = f"{_NAMES[family]}\n{kind}"
        # The mask is shown times alpha, so that weak blending looks weak.
        pictures = (pseudo.target, pseudo.source, pseudo.alpha * pseudo.mask, pseudo.fake)
        made.append((f"{kind}\n{wrapped(name, 30)}", pictures))
    return made


def drawn_faces(seed: int) -> list[Face]:
    """Draw as many faces as a sheet of pseudo-deepfakes has rows."""
    people = [Identity.sample(generator(seed, row)) for row in range(len(KINDS))]
    return [(f"drawn face {row + 1}", *render_face(person, size=_FACE_SIZE)) for row, person in enumerate(people)]


def real_faces(manifest: Manifest, seed: int) -> list[Face]:
    """As many random real faces with landmarks as a sheet has rows; some are repeated if there are too few.

    Raises `UserError` if there are none.
    """
    faces = manifest.select(label=0)
    usable = np.flatnonzero(faces.table["landmarks"].notna())
    if len(usable) == 0:
        raise UserError(f"{manifest.root} has no real faces with landmarks: make it with `difffake prepare`")
    order = generator(seed).permutation(usable)
    return [
        (faces.file(index).name, read_image(faces.file(index)), points)
        for index in np.resize(order, len(KINDS)).tolist()
        if (points := faces.landmarks(index)) is not None
    ]
