"""Pictures and numbers of a guide."""

from pathlib import Path
from typing import Any

from difffake.data.credits import credit
from difffake.data.faces_to_draw import Drawing, by_set
from difffake.diffusion.latent_diffusion import LatentDiffusion
from difffake.errors import UserError
from difffake.models.detector import Detector
from difffake.plots import save_figure
from difffake.progress import track
from difffake.regularizers.guide.figures import DISTANCES, WEIGHTS, distance_figure, weights_figure
from difffake.regularizers.guide.guide import Guide
from difffake.regularizers.guide.measures import measure, summary
from difffake.regularizers.guide.reconstruction_figure import RECONSTRUCTIONS, reconstruction_figure
from difffake.regularizers.guide.reconstructions import Reconstructions, read_faces, rebuild


def draw_guide(
    guide: Guide, detector: Detector, diffusion: LatentDiffusion, drawing: Drawing, folder: Path
) -> dict[str, Any]:
    """Write reconstructions.png of the drawn faces, and weights.png and distances.png of the measured faces.

    Returns the numbers for figures.json. Raises `UserError` if no fake has a known source and target.
    """
    found = drawing.found
    chosen = drawing.chosen(found.partners)
    if not chosen:
        raise UserError(
            "no fake in the training data or in the split test has a source and a target among the real faces, so "
            "there is nothing to reconstruct: add the training manifest to --manifest"
        )
    rebuilt: dict[str, Reconstructions] = {}
    for name, which in track(chosen.items(), "rebuilding", total=len(chosen)):
        images = read_faces(found.manifest, found.partners, which, detector.encoder.image_size)
        rebuilt[name] = rebuild(
            detector, guide, diffusion, images, noises=drawing.noises, steps=drawing.steps, seed=drawing.seed,
            batch_size=drawing.batch_size,
        )  # fmt: skip
    table = measure(
        detector, guide, diffusion, found.manifest, found.partners, drawing.rows, batch_size=drawing.batch_size,
        workers=drawing.workers,
    )  # fmt: skip
    faces = credit(found.manifest, [row for which in chosen.values() for row in which])
    save_figure(reconstruction_figure(rebuilt), folder / "reconstructions.png", RECONSTRUCTIONS, credit=faces)
    save_figure(weights_figure(by_set(table)), folder / "weights.png", WEIGHTS)
    save_figure(distance_figure(by_set(table)), folder / "distances.png", DISTANCES)
    return {
        "rows": summary(table),
        "reconstructions": [
            {"group": name, "path": found.paths[row]} | numbers
            for name, which in chosen.items()
            for row, numbers in zip(which, _numbers(rebuilt[name]), strict=True)
        ],
    }


def _numbers(rebuilt: Reconstructions) -> list[dict[str, Any]]:
    columns = (rebuilt.faces.names, rebuilt.distance, rebuilt.source_weight, rebuilt.target_weight)
    names = ("method", "distance", "source_weight", "target_weight")
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]
