"""The most confident errors of a detector, with what is unusual about each face."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.special import expit

from difffake.data.faces_to_draw import Drawing
from difffake.data.keys import resampling_unit
from difffake.data.packed import read_crop
from difffake.evaluation.pictures.tiles import Tile, tile_figure
from difffake.evaluation.reasons import MEASURES, measured, reasons

MOST = 8
"""Number of wrong reals, and of wrong fakes, that are drawn."""
CAPTION = (
    "The most confident errors: reals with the highest and fakes with the lowest probability of a fake that are on the "
    "wrong side of the threshold of the validation data; at most one of a video, original or person. Below each: what "
    "was measured to be unusual, compared with the measured faces of the same data set."
)
HEADINGS = ("real faces that are called fake", "fakes that are called real")


def failure_figure(
    logits: np.ndarray, threshold: float, drawing: Drawing
) -> tuple[Figure | None, list[dict[str, Any]]]:
    """Draw the crops of the most confident errors among the measured faces.

    Args:
        logits: (N,) of the rows `drawing.rows`.
        threshold: a face with at least this logit is called fake.
        drawing: the faces.

    Returns:
        The figure (None if there is no error), and for each face its path, data set, method, probability of a fake,
        reasons and the numbers of `difffake.evaluation.reasons.measured`.
    """
    manifest, rows = drawing.found.manifest, drawing.rows
    table = manifest.table.iloc[rows]
    label = table["label"].to_numpy()
    wrong = np.flatnonzero((logits >= threshold) != (label == 1))
    if not len(wrong):
        return None, []
    units = _units(table)
    values = measured(manifest, rows.tolist())
    texts = reasons(values, table["dataset"].to_numpy())
    groups: dict[str, list[Tile]] = {}
    numbers = []
    for kind, heading in enumerate(HEADINGS):
        seen: set[str] = set()
        for place in sorted(wrong[label[wrong] == kind], key=lambda place: -abs(logits[place] - threshold)):
            if units[place] in seen or len(seen) == MOST:
                continue
            seen.add(units[place])
            dataset, compression, method = (str(table[key].iat[place]) for key in ("dataset", "compression", "method"))
            probability = float(expit(logits[place]))
            name = f"{dataset} {compression}".strip() + (f", {method.replace('_', ' ')}" if kind else "")
            below = [name, f"fake {100 * probability:.1f} %", *(texts[place] or ["nothing unusual measured"])]
            row = int(rows[place])
            groups.setdefault(heading, []).append(Tile([read_crop(manifest.file(row))], below=below))
            found = dict(zip(MEASURES, values.to_numpy(np.float64)[place].tolist(), strict=True))
            numbers.append(
                {"path": drawing.found.paths[row], "dataset": dataset, "compression": compression, "method": method}
                | {"probability": probability, "reasons": texts[place]}
                | {key: value if np.isfinite(value) else None for key, value in found.items()}
            )
    return tile_figure(groups, "the most confident errors", 4), numbers


def _units(table: pd.DataFrame) -> np.ndarray:
    """Name (N,) of the video, original or person of each row, found in each data set by itself."""
    found = pd.Series("", index=np.arange(len(table)), dtype=object)
    for key, rows in table.reset_index(drop=True).groupby(["dataset", "compression"], sort=False):
        found[rows.index] = "/".join(map(str, key)) + "/" + resampling_unit(rows)[0]
    return found.to_numpy()
