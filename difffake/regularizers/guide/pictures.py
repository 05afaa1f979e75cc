"""Pictures and numbers of a guide."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from difffake.data.faces_to_draw import FacesToDraw, Loading
from difffake.diffusion.latent_diffusion import LatentDiffusion
from difffake.models.detector import Detector
from difffake.plots import save_figure
from difffake.progress import track
from difffake.regularizers.guide.figures import distance_figure, weights_figure
from difffake.regularizers.guide.guide import Guide
from difffake.regularizers.guide.measures import by_set, measure, summary
from difffake.regularizers.guide.reconstruction_figure import reconstruction_figure
from difffake.regularizers.guide.reconstructions import Reconstructions, read_faces, rebuild


class Sampling(NamedTuple):
    """How faces are rebuilt."""

    noises: int
    steps: int
    seed: int


def draw_guide(
    folder: Path,
    detector: Detector,
    guide: Guide,
    diffusion: LatentDiffusion,
    found: FacesToDraw,
    chosen: dict[str, list[int]],
    rows: np.ndarray,
    sampling: Sampling,
    loading: Loading,
) -> dict[str, Any]:
    """Write reconstructions.png of the `chosen` rows, weights.png and distances.png of `rows`; give their numbers."""
    rebuilt: dict[str, Reconstructions] = {}
    for name, which in track(chosen.items(), "rebuilding", total=len(chosen)):
        images = read_faces(found.manifest, found.partners, which, detector.encoder.image_size)
        rebuilt[name] = rebuild(detector, guide, diffusion, images, **sampling._asdict(), batch_size=loading.batch_size)
    table = measure(detector, guide, diffusion, found.manifest, found.partners, rows, **loading._asdict())
    save_figure(reconstruction_figure(rebuilt), folder / "reconstructions.png")
    save_figure(weights_figure(by_set(table)), folder / "weights.png")
    save_figure(distance_figure(by_set(table)), folder / "distances.png")
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
