"""The pictures of any detector: embeddings, class activation maps, and its worst failures."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from difffake.data.credits import credit
from difffake.data.datasets import CropDataset
from difffake.data.faces_to_draw import Drawing, limited
from difffake.evaluation.pictures.activation_maps import CAPTION as MAPS
from difffake.evaluation.pictures.activation_maps import map_figure
from difffake.evaluation.pictures.embeddings import CAPTION as EMBEDDINGS
from difffake.evaluation.pictures.embeddings import MOST, embedding_figure, tsne
from difffake.evaluation.pictures.failures import CAPTION as FAILURES
from difffake.evaluation.pictures.failures import failure_figure
from difffake.models.detector import Detector
from difffake.models.embed import embed
from difffake.plots import save_figure
from difffake.progress import console

_LEAST = 4  # points of t-SNE


def draw_detector(
    detectors: Mapping[str, Detector], threshold: float | None, drawing: Drawing, folder: Path
) -> dict[str, Any]:
    """Write embeddings, activation_maps and failures of the measured faces, and return numbers for figures.json.

    Args:
        detectors: the detector, in eval mode, and then others by name, whose activation maps are drawn beside.
        threshold: its threshold of the logit; None: a probability of 0.5.
        drawing: faces to draw and to measure, and settings.
        folder: folder to write to.
    """
    manifest, rows = drawing.found.manifest, drawing.rows
    table = manifest.table.iloc[rows]
    names = (table["dataset"] + " " + table["compression"]).str.strip().to_numpy()
    detector = next(iter(detectors.values()))
    data = CropDataset(manifest, detector.encoder.image_size)
    options: dict[str, Any] = {"batch_size": drawing.batch_size, "workers": drawing.workers}
    _, logits, embeddings = embed(detector, data, rows, **options)

    if len(rows) >= _LEAST:
        groups = table.groupby(["dataset", "compression", "split", "method"]).ngroups
        shown = np.isin(rows, limited(manifest.table, rows, max(1, MOST // groups), drawing.seed))
        # One data set is divided by its manipulations instead.
        by = table["method"].str.replace("_", " ").to_numpy() if len(set(names)) == 1 else names
        positions = tsne(embeddings[shown], drawing.seed)
        figure = embedding_figure(positions, table["label"].to_numpy()[shown], by[shown].tolist(), "embeddings (t-SNE)")
        save_figure(figure, folder / "embeddings.png", EMBEDDINGS)
    else:
        console.print(f"{len(rows)} faces are too few for a picture of their embeddings: {_LEAST} are needed")

    sets = {str(name): rows[names == name] for name in dict.fromkeys(names)}
    figure, layers = map_figure(detectors, sets, drawing)
    faces = credit(manifest, rows)
    save_figure(figure, folder / "activation_maps.png", MAPS, credit=faces)

    worst, failures = failure_figure(logits.astype(np.float64), 0.0 if threshold is None else threshold, drawing)
    if worst:
        save_figure(worst, folder / "failures.png", FAILURES, credit=faces)
    else:
        console.print("no measured face is on the wrong side of the threshold, so there are no failures to draw")
    return {"activation_layers": layers, "failures": failures}
