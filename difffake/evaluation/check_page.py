"""One self-contained HTML page of what a check found, with samples of each class."""

import base64
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd

from difffake.data.check.finding import by_level
from difffake.data.check.run import Checked
from difffake.data.check.tables import SMALLEST
from difffake.data.faces_to_draw import ordered
from difffake.errors import UserError
from difffake.evaluation.page import rendered
from difffake.faces.images import read_image
from difffake.files import staged_file
from difffake.forge.findings import Audit
from difffake.randomness import generator

SAMPLES = 8
"""Crops that are shown of each class and method, and of each kind of finding."""
_SIDE = 112  # pixels of a shown crop
_GROUP = ["dataset", "compression", "split", "method", "label"]


def write_check_page(checked: Checked, audits: Sequence[Audit], out: Path, overwrite: bool, seed: int) -> None:
    """Write the page.

    Args:
        checked: what the check found.
        audits: what audits found beside.
        out: page to write; it needs no other file and no network.
        overwrite: replace the page if it exists.
        seed: of the choice of samples.
    """
    findings = by_level([*checked.findings, *(found for audit in audits for found in audit.findings)])
    page = rendered(
        "check.html",
        title=", ".join(dict.fromkeys(checked.manifest.table["dataset"])),
        rows=len(checked.manifest),
        opened=checked.opened,
        findings=findings,
        counts=_counts(checked.manifest.table),
        audits=[audit for audit in audits if audit.rows],
        samples=_samples(checked, seed),
        pairs=_pairs(checked),
        smallest=SMALLEST,
        small=_small(checked),
    )
    with staged_file(out, overwrite) as partial:
        partial.write_text(page, encoding="utf-8")


def _counts(table: pd.DataFrame) -> list[list[str]]:
    """A line for each data set, compression, split and method: crops, videos, people."""
    names = ordered(table)[[*_GROUP, "video", "identity"]].replace("", np.nan)
    groups = names.fillna({"compression": ""}).groupby(_GROUP, sort=False)
    lines = groups.agg(crops=("label", "size"), videos=("video", "nunique"), people=("identity", "nunique"))
    return [
        [str(dataset), str(compression), str(split), str(method), f"{crops:,}", f"{videos:,}", f"{people:,}"]
        for (dataset, compression, split, method, _), crops, videos, people in lines.itertuples()
    ]


def _samples(checked: Checked, seed: int) -> list[dict[str, Any]]:
    """Random crops of each data set, class and method, of different videos where there are as many."""
    table = checked.manifest.table
    order = generator(seed).permutation(np.flatnonzero(checked.shown))
    shuffled = table.iloc[order][["dataset", "label", "method", "video"]]
    turn = shuffled.groupby(["dataset", "method", "video"], sort=False).cumcount().to_numpy()
    shuffled = shuffled.iloc[np.argsort(turn, kind="stable")]
    found = []
    for (dataset, label, method), part in shuffled.groupby(["dataset", "label", "method"]):
        name = f"{dataset}, {'real' if label == 0 else method}"
        found.append({"name": name, "pictures": _pictures(checked, part.index[:SAMPLES])})
    return found


def _pairs(checked: Checked) -> list[dict[str, Any]]:
    """The first pairs of duplicates; those in different splits come first."""
    if checked.duplicates is None:
        return []
    split = checked.manifest.table["split"].to_numpy()
    found = []
    for pair, exact in list(zip(checked.duplicates.pairs, checked.duplicates.exact, strict=True))[: 2 * SAMPLES]:
        where = " and ".join(dict.fromkeys(split[pair]))
        name = f"{'equal' if exact else 'nearly equal'}, {where}"
        found.append({"name": name, "pictures": _pictures(checked, pair)})
    return found


def _small(checked: Checked) -> list[dict[str, str]]:
    sides = np.where(checked.shown, checked.sides, np.nan)
    small = np.flatnonzero(sides < SMALLEST)
    return _pictures(checked, small[np.argsort(sides[small], kind="stable")][:SAMPLES])


def _pictures(checked: Checked, rows: Iterable[int]) -> list[dict[str, str]]:
    """Crops as data of JPEG files, with what is said of each."""
    table = checked.manifest.table
    found = []
    for row in map(int, rows):
        try:
            image = read_image(checked.manifest.file(row))
        except UserError:
            continue  # only crops that were not opened by the check come here
        small = cv2.resize(image, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
        data = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 88])[1]
        path, split, method = (str(table[column].iat[row]) for column in ("path", "split", "method"))
        side = f", face of {checked.sides[row]:.0f} px" if np.isfinite(checked.sides[row]) else ""
        found.append({
            "data": "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode("ascii"),
            "name": "/".join(Path(path).parts[-2:]),
            "about": f"{path}: {method}, {split}{side}",
        })  # fmt: skip
    return found
