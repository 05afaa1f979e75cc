"""Numbers of the guide for each face: feature distance, weights, and the similarities that the weights predict."""

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
"""Columns: ||f_s - f_t||, W_s, W_t, and the similarities that W_s and W_t predict (NaN if partners are unknown)."""


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
    """Measure faces.

    Args:
        detector: the detector, in eval mode.
        guide: its guide, in eval mode.
        diffusion: the frozen model.
        manifest: manifest of the faces and their partners.
        partners: source and target of each row.
        rows: numbers of the rows to measure (N,).
        batch_size: images per batch.
        workers: number of processes that load images; 0 loads them in the main process.

    Returns:
        The chosen rows of the manifest with the columns `VALUES`.
    """
    image_size = detector.encoder.image_size
    size = (image_size // diffusion.scale,) * 2
    known = rows[partners.known[rows]]
    source, target = partners.source[known], partners.target[known]
    # Partners are real faces that are mostly among the rows too: each face is read and encoded once.
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
    """Mean and standard deviation of `VALUES` per data set and manipulation, real faces first; None if unknown."""
    rows = []
    for key, part in ordered(table).groupby([*SET, "method"], sort=False):
        row: dict[str, Any] = dict(zip([*SET, "method"], key, strict=True))
        row |= {"faces": len(part), "faces_with_partners": int(part[VALUES[3]].notna().sum())}
        for name in VALUES:
            for kind, value in (("mean", part[name].mean()), ("std", part[name].std(ddof=0))):
                row[f"{name}_{kind}"] = float(value) if math.isfinite(value) else None
        rows.append(row)
    return rows
