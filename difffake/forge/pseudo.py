"""Pseudo-deepfakes for the audits: real faces to make them of, and one of each family of a face."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from difffake.data.keys import original_image, subject
from difffake.data.manifest import Manifest
from difffake.data.pseudo import PseudoConfig, PseudoDeepfake, Twins, pseudo_of_family
from difffake.data.pseudo.blend import DEFAULTS, MIN_SIDE
from difffake.data.pseudo.config import FAMILIES, Family
from difffake.errors import UserError
from difffake.faces.images import read_image
from difffake.forge.audit import MAX_IMAGES, Audited, Floats, audited
from difffake.forge.shortcuts import CUES, cues_of
from difffake.progress import track
from difffake.randomness import generator
from difffake.workers import in_order


class Face(NamedTuple):
    """A real face to make a pseudo-deepfake of."""

    file: Path
    landmarks: NDArray[np.float32]
    seed: tuple[int, int]


class Kind(NamedTuple):
    """A family of pseudo-deepfakes."""

    family: Family = "blends"
    config: PseudoConfig = DEFAULTS
    twins: Twins | None = None

    @property
    def name(self) -> str:
        """Name in tables."""
        return "pseudo" if self.family == "blends" else self.family.replace("_", " ")


def kinds(config: PseudoConfig, twins: Twins | None) -> list[Kind]:
    """All families that can be made: with twins, those that are made of them too."""
    return [Kind(family, config, twins) for family in FAMILIES if family in ("blends", "coarse") or twins is not None]


def pseudo_faces(manifests: Sequence[Manifest], seed: int) -> tuple[list[Face], NDArray[np.str_]]:
    """Random real faces with landmarks, at most `MAX_IMAGES`, and the person that each shows."""
    union = Manifest.concat([Manifest(part.table, part.root.resolve()) for part in manifests])
    table = union.table
    usable = np.flatnonzero((table["label"] == 0) & table["landmarks"].notna())
    if not len(usable):
        return [], np.empty(0, dtype=np.str_)
    # One frame of each video tells most: its others show the same noise.
    names = original_image(table.iloc[usable]).str.rpartition("/")[0].to_numpy()
    order = generator(seed).permutation(len(usable))
    turn = pd.Series(names[order]).groupby(names[order]).cumcount().to_numpy()
    rows = usable[order[np.argsort(turn, kind="stable")[:MAX_IMAGES]]]
    faces = [
        Face(union.file(row), points, (seed, row))
        for row in rows.tolist()
        if (points := union.landmarks(row)) is not None
    ]
    return faces, subject(table.iloc[rows]).to_numpy(dtype=np.str_)


def made(face: Face, kind: Kind) -> PseudoDeepfake | None:
    """A pseudo-deepfake of a face; None of a face that is too small or at the very edge, which is not trained on."""
    image = read_image(face.file)
    if min(image.shape[:2]) < MIN_SIDE:
        return None
    try:
        return pseudo_of_family(
            image, face.landmarks, generator(*face.seed), kind.config, kind.twins, kind.family, whole=True
        )
    except UserError:
        return None


def find_pseudo_shortcuts(manifests: Sequence[Manifest], of: Sequence[Kind], workers: int, seed: int) -> list[Audited]:
    """How well trivial cues tell pseudo-deepfakes of each family, each against its own real face.

    Both are stored as PNG files.

    Args:
        manifests: as they were read, each in its own folder.
        of: families.
        workers: number of processes; 0 is one per core.
        seed: random seed of the choice of faces, of the pseudo-deepfakes and of the intervals.

    Raises:
        UserError: there are too few people with landmarks.
    """
    faces, people = pseudo_faces(manifests, seed)
    if not faces:
        raise UserError("no real face has landmarks: prepare the data again")
    found = []
    for kind in of:
        cases = [(face, kind) for face in faces]
        results = list(track(in_order(_both_cues, cases, workers), f"cues of {kind.name}", total=len(cases)))
        own = [place for place, result in enumerate(results) if result is not None]
        values = np.concatenate([result for result in results if result is not None])
        label = np.tile([0, 1], len(own))
        found.append(audited(kind.name, "", CUES, values, label, np.repeat(people[own], 2), seed))
    return found


def _both_cues(case: tuple[Face, Kind]) -> Floats | None:
    """(2, K) cues of real face and pseudo-deepfake."""
    pair = made(*case)
    return None if pair is None else np.stack([_cues(pair.target), _cues(pair.fake)])


def _cues(image: NDArray[np.uint8]) -> Floats:
    return cues_of(image, len(cv2.imencode(".png", image)[1]))
