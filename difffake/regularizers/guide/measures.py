"""What the guide takes from the features of each face: distance and weights, and the similarities they should have."""

import math
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from difffake.data.batches import to_unit
from difffake.data.datasets import CropDataset
from difffake.data.faces_to_draw import SET, ordered
from difffake.data.loading import loader
from difffake.data.manifest import Manifest
from difffake.data.partners import Partners
from difffake.diffusion.latent_diffusion import LatentDiffusion
from difffake.models.detector import Detector
from difffake.progress import track
from difffake.regularizers.guide.guide import Guide
from difffake.regularizers.guide.reconstructions import feature_distance
from difffake.regularizers.guide.weight_module import similarity

VALUES = ("distance", "source_weight", "target_weight", "source_similarity", "target_similarity")
"""Of each face: ||f_s - f_t||, W_s, W_t and what these were trained to predict, NaN where partners are unknown."""


@torch.inference_mode()
def measure(
    detector: Detector,
    guide: Guide,
    diffusion: LatentDiffusion,
    manifest: Manifest,
    partners: Partners,
    rows: np.ndarray,
    *,
    batch_size: int = 64,
    workers: int = 2,
) -> pd.DataFrame:
    """`VALUES` of the faces of `rows`, beside the manifest's own columns."""
    image_size = detector.encoder.image_size
    size = (image_size // diffusion.scale,) * 2
    known = rows[partners.known[rows]]
    source, target = partners.source[known], partners.target[known]
    # Partners are real faces, mostly among the rows themselves: each is read and encoded once.
    needed = np.unique(np.concatenate([rows, source, target])).tolist()
    batches = loader(CropDataset(manifest, image_size), batch_size, workers, [(0, row) for row in needed])
    values: list[Tensor] = []
    latents: list[Tensor] = []
    for batch in track(batches, "measuring", total=len(batches)):
        images = to_unit(batch["image"].to(diffusion.device))
        found = guide.conditions(detector(images).features, size)
        values.append(torch.stack([feature_distance(found), found.source_weight, found.target_weight], dim=1).cpu())
        latents.append(diffusion.encode(images).cpu())
    at = {row: place for place, row in enumerate(needed)}
    of_rows = torch.cat(values)[[at[row] for row in rows.tolist()]].double().numpy()
    encoded = torch.cat(latents)

    table = manifest.table.iloc[rows].assign(**dict(zip(VALUES, of_rows.T, strict=False)))
    own = encoded[[at[row] for row in known.tolist()]]
    for name, others in ((VALUES[3], source), (VALUES[4], target)):
        alike = similarity(own, encoded[[at[row] for row in others.tolist()]], guide.similarity)
        table[name] = pd.Series(alike.double().numpy(), index=known)
    return table


def summary(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Mean and standard deviation of each of `VALUES`, by data set and manipulation, reals first; None if unknown."""
    rows = []
    for key, part in ordered(table).groupby([*SET, "method"], sort=False):
        row: dict[str, Any] = dict(zip([*SET, "method"], key, strict=True))
        row |= {"faces": len(part), "faces_with_partners": int(part[VALUES[3]].notna().sum())}
        for name in VALUES:
            for kind, value in (("mean", part[name].mean()), ("std", part[name].std(ddof=0))):
                row[f"{name}_{kind}"] = float(value) if math.isfinite(value) else None
        rows.append(row)
    return rows
