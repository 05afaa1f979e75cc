"""Do pixels outside the forged region tell real from fake? A method that changes nothing there must not be found there.

Each fake is compared with the real face that it was made of, both seen through the same mask, so that neither the mask
nor the scene tells anything. What is left are traces of the making, such as noise, blocks or colors of the whole crop.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from difffake.data.keys import subject
from difffake.data.manifest import Manifest
from difffake.data.records import read_records
from difffake.errors import UserError
from difffake.faces.images import read_image
from difffake.forge.audit import MAX_IMAGES, OK, UNSURE, Audited, Floats, audited
from difffake.forge.pseudo import Face, Kind, made, pseudo_faces
from difffake.progress import track
from difffake.randomness import generator
from difffake.workers import in_order

TITLE = "AUC of what lies outside the forged region (logistic regression, people held out), and of the strongest alone"
LIMIT = 0.52
"""AUC up to which what lies outside the forged region counts as telling nothing."""
GAP = 8
"""Pixels around the forged region that are left out: a video encoder works in blocks and changes them too."""
MIN_OUTSIDE = 0.05
"""Share of a crop that must lie outside."""
NUMBERS = (
    "red", "green", "blue", "red spread", "green spread", "blue spread", "noise", "noise spread", "noise tails",
    "detail across", "detail down", "equal neighbors", "blocks across", "blocks down", "black", "white",
)  # fmt: skip


class _Case(NamedTuple):
    """A fake, what it was made of, and where it was forged."""

    fake: Path
    target: Path
    mask: Path


def outside_numbers(image: NDArray[np.uint8], outside: NDArray[np.bool_]) -> Floats:
    """Numbers of the pixels of an image (H, W, 3) that lie `outside` (H, W), in the order of `NUMBERS`.

    Mean and standard deviation of the colors; the logarithm of the mean absolute Laplacian, of its standard deviation
    and its kurtosis; the logarithms of the mean absolute differences to the right and below; the share of equal
    neighbors; the logarithm of how much larger these differences are at each eighth column and row, where blocks of
    JPEG and H.264 end; and the shares of black and white values. No pixel that is not outside has a part in any.
    """
    gray = image.astype(np.float32).mean(axis=2)
    inner = cv2.erode(outside.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=1) > 0
    noise = cv2.Laplacian(gray, cv2.CV_32F)[inner].astype(np.float64)
    across, down = np.abs(np.diff(gray, axis=1)), np.abs(np.diff(gray, axis=0))
    both_across, both_down = outside[:, 1:] & outside[:, :-1], outside[1:] & outside[:-1]
    colors = image[outside].astype(np.float64)
    variance = noise.var()
    tails = ((noise - noise.mean()) ** 4).mean() / max(variance**2, 1e-6)
    return np.array([
        *colors.mean(axis=0), *colors.std(axis=0),
        np.log(np.abs(noise).mean() + 0.1), np.log(np.sqrt(variance) + 0.1), np.log(tails + 1),
        np.log(across[both_across].mean() + 0.1), np.log(down[both_down].mean() + 0.1),
        (across[both_across] == 0).mean(),
        _blocks(across, both_across), _blocks(down.T, both_down.T), (colors == 0).mean(), (colors == 255).mean(),
    ])  # fmt: skip


def _blocks(difference: NDArray[np.float32], valid: NDArray[np.bool_]) -> float:
    """Logarithm of the mean difference (H, W - 1) at the ends of blocks of eight, over that elsewhere."""
    end = np.zeros(difference.shape, dtype=bool)
    end[:, 7::8] = True
    means = [difference[valid & where].mean() if (valid & where).any() else 0.0 for where in (end, ~end)]
    return float(np.log((means[0] + 0.1) / (means[1] + 0.1)))


def outside_of(mask: NDArray[np.uint8]) -> NDArray[np.bool_] | None:
    """Where a mask (H, W) is 0 and nothing within `GAP` pixels is above it; None if that is too little of the crop."""
    side = 2 * GAP + 1
    outside = cv2.dilate(mask, np.ones((side, side), np.uint8)) == 0
    return outside if outside.mean() >= MIN_OUTSIDE else None


def _forged(case: _Case) -> tuple[Floats, Floats, str] | None:
    outside = outside_of(read_image(case.mask)[..., 0])
    if outside is None:
        return None
    fake, target = (outside_numbers(read_image(file), outside) for file in (case.fake, case.target))
    return target, fake, ""


def _pseudo(case: tuple[Face, Kind]) -> tuple[Floats, Floats, str] | None:
    pair = made(*case)
    outside = None if pair is None else outside_of(np.ceil(255 * pair.mask).astype(np.uint8))
    if pair is None or outside is None:
        return None
    name = f"{case[1].name} {pair.region.replace('_', ' ')}"
    return outside_numbers(pair.target, outside), outside_numbers(pair.fake, outside), name


def find_outside(
    manifests: Sequence[Manifest], workers: int, seed: int, pseudo: Sequence[Kind] = (Kind(),)
) -> tuple[list[Audited], list[str]]:
    """What the outside tells of each method and compression of forged testbeds, and of pseudo-deepfakes of real faces.

    Pseudo-deepfakes are made of real faces that have landmarks.

    Args:
        manifests: as they were read, each in its own folder; crops that they do not list are not looked at.
        workers: processes; 0 is one per core.
        seed: of the choice of crops, of the pseudo-deepfakes and of the intervals.
        pseudo: families of pseudo-deepfakes; twins that are rebuilt as a whole have no outside.

    Returns:
        What was found, and methods of which too little lies outside, or too few people are there, to say anything.

    Raises:
        UserError: a crop cannot be read, or nothing has a mask.
    """
    parts = [*_testbeds(manifests, workers, seed), *_pseudo_deepfakes(manifests, pseudo, workers, seed)]
    found = [part for part in parts if isinstance(part, Audited)]
    if not parts:
        raise UserError(
            "nothing has a mask: it needs a testbed of `difffake forge`, or real faces with landmarks of two people "
            "at least"
        )
    return found, [part for part in parts if isinstance(part, str)]


def _testbeds(manifests: Sequence[Manifest], workers: int, seed: int) -> Iterator[Audited | str]:
    for manifest in manifests:
        records = read_records(manifest.root)
        if records is None:
            continue
        person = dict(zip(manifest.table["path"], subject(manifest.table), strict=True))
        records = records[records["path"].isin(person) & records["target_path"].isin(person)]
        for (method, compression), part in records.groupby(["method", "compression"], sort=False):
            chosen = part.iloc[np.sort(generator(seed).permutation(len(part))[:MAX_IMAGES])]
            columns = ([manifest.root / name for name in chosen[f"{role}path"]] for role in ("", "target_", "mask_"))
            cases = [_Case(*files) for files in zip(*columns, strict=True)]
            results = list(track(in_order(_forged, cases, workers), f"outside {method}", total=len(cases)))
            kept = pd.Series([result is not None for result in results])
            people = chosen["target_path"].map(person).to_numpy(dtype=np.str_)[kept]
            yield from _audit(str(method), str(compression), [r for r in results if r], people, seed)


def _pseudo_deepfakes(
    manifests: Sequence[Manifest], of: Sequence[Kind], workers: int, seed: int
) -> Iterator[Audited | str]:
    faces, people = pseudo_faces(manifests, seed)
    for kind in of:
        cases = [(face, kind) for face in faces]
        results = list(track(in_order(_pseudo, cases, workers), f"outside {kind.name}", total=len(cases)))
        for name in sorted({result[2] for result in results if result}):
            own = [place for place, result in enumerate(results) if result and result[2] == name]
            yield from _audit(name, "", [r for r in (results[place] for place in own) if r], people[own], seed)


def _audit(
    method: str, compression: str, results: Sequence[tuple[Floats, Floats, str]], people: NDArray[np.str_], seed: int
) -> Iterator[Audited | str]:
    if len(np.unique(people)) < 2:
        yield f"{method} {compression}".strip()
        return
    values = np.stack([numbers for target, fake, _ in results for numbers in (target, fake)])
    label = np.tile([0, 1], len(results))
    yield audited(method, compression, NUMBERS, values, label, np.repeat(people, 2), seed)


def verdict(row: Audited) -> str:
    """Whether the outside tells a fake.

    Chance alone puts half of all AUCs above 0.5, and some above the limit: an AUC counts only if its interval is above
    0.5 too.
    """
    if row.auc <= LIMIT:
        return OK
    return "too high" if row.low > 0.5 else UNSURE
