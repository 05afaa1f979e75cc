"""Logits and embeddings of every crop of a manifest."""

import numpy as np
import torch

from difffake.data.datasets import CropDataset, PairDataset, to_unit
from difffake.data.loading import loader
from difffake.data.samplers import EpochSampler
from difffake.models.detector import Detector
from difffake.progress import track


@torch.inference_mode()
def embed(
    detector: Detector,
    dataset: CropDataset | PairDataset,
    *,
    batch_size: int = 64,
    workers: int = 2,
    description: str = "embedding",
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of the data set's manifest (N,), logits (N,) and embeddings (N, D), in float32, on the detector's device.

    A data set of pairs gives two entries a sample, real face first.
    """
    device = next(detector.parameters()).device
    sampler = EpochSampler(len(dataset), shuffle=False)
    batches = loader(dataset, batch_size, workers, sampler)
    rows, logits, embeddings = [], [], []
    for batch in track(batches, description, total=len(batches)):
        output = detector(to_unit(batch["image"].to(device)))
        rows.append(batch["index"].numpy())
        logits.append(output.logit.float().cpu().numpy())
        embeddings.append(output.embedding.float().cpu().numpy())
    return np.concatenate(rows), np.concatenate(logits), np.concatenate(embeddings)
