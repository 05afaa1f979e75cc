"""Class activation maps on faces, of one or more detectors (DiffusionFake, figure 6)."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure

from difffake.data.batches import to_tensors, to_unit
from difffake.data.faces_to_draw import Drawing, choose_rows
from difffake.data.packed import read_crop
from difffake.evaluation.pictures.tiles import Tile, tile_figure
from difffake.models.activation import activation_maps, over_face
from difffake.models.detector import Detector
from difffake.randomness import generator

CAPTION = (
    "Class activation maps (Grad-CAM): where a face raises the detector's score, from dark (not at all) to yellow "
    "(most in this face), drawn over the face; a map without color says that nothing does. Each map has its own scale, "
    "so maps show places, not strengths; the number below is the probability of a fake. A detector that generalizes "
    "looks at the manipulated area of forgeries that it has not seen."
)
_PICTURES = 6  # in a row
_CHOICE = 5  # key of random numbers


def map_figure(
    detectors: Mapping[str, Detector], sets: Mapping[str, np.ndarray], drawing: Drawing
) -> tuple[Figure, dict[str, str]]:
    """Draw some faces of each data set, each with the activation map of every detector beside it.

    Args:
        detectors: detectors in eval mode by name; the size of the first one's images is drawn.
        sets: rows to choose from of each data set by name; as many fakes as `drawing.faces`, and a real face.
        drawing: faces and settings.

    Returns:
        The figure, and the layer of each detector whose map it is.
    """
    manifest = drawing.found.manifest
    table = manifest.table
    chosen = {name: _some(table, among, drawing) for name, among in sets.items()}
    faces = [row for rows in chosen.values() for row in rows]
    crops = [read_crop(manifest.file(row)) for row in faces]
    pictures: list[list[np.ndarray]] = [[] for _ in faces]
    below: list[list[str]] = [[] for _ in faces]
    layers = {}
    for name, detector in detectors.items():
        device = next(detector.parameters()).device
        images = to_unit(to_tensors(crops, detector.encoder.image_size).to(device))
        maps, layers[name] = activation_maps(detector, images)
        with torch.no_grad():
            probability = detector(images).logit.float().sigmoid().tolist()
        for place, (image, own) in enumerate(zip(images.float().cpu(), maps, strict=True)):
            if not pictures[place]:
                pictures[place].append(image.permute(1, 2, 0).numpy())
            pictures[place].append(over_face(image.permute(1, 2, 0).numpy(), own.numpy()))
            of = f"{name}: " if len(detectors) > 1 else ""
            below[place].append(f"{of}fake {100 * probability[place]:.0f} %")
    methods = table["method"].str.replace("_", " ").to_numpy()
    tiles = [Tile(found, str(methods[row]), text) for row, found, text in zip(faces, pictures, below, strict=True)]
    groups, start = {}, 0
    for name, rows in chosen.items():
        groups[name] = tiles[start : start + len(rows)]
        start += len(rows)
    title = "face, and what speaks for a fake" + (f": {', '.join(detectors)}" if len(detectors) > 1 else "")
    return tile_figure(groups, title, max(1, _PICTURES // (1 + len(detectors)))), layers


def _some(table: pd.DataFrame, among: np.ndarray, drawing: Drawing) -> list[int]:
    """Rows of fakes and a real face, or of real faces if there are no fakes."""
    if (table["label"].to_numpy()[among] == 1).any():
        return choose_rows(drawing.found.manifest, None, among, drawing.faces, drawing.seed)
    return [int(row) for row in generator(drawing.seed, _CHOICE).permutation(among)[: drawing.faces]]
