"""Logits and embeddings of every crop of a manifest."""

import numpy as np
import torch

from difffake.data.batches import to_unit
from difffake.data.datasets import CropDataset, PairDataset
from difffake.data.loading import loader
from difffake.models.detector import Detector
from difffake.progress import track


@torch.inference_mode()
def embed(
    detector: Detector,
    dataset: CropDataset | PairDataset,
    own: np.ndarray | None = None,
    *,
    batch_size: int = 64,
    workers: int = 2,
    description: str = "embedding",
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Compute logits and embeddings on the detector's device, in float32.

    Args:
        detector: the detector.
        dataset: data set of crops or pairs. A pair gives two entries, the real face first.
        own: numbers (n,) of the samples to embed, such as those of one rank; by default all.
        batch_size: samples per batch.
        workers: number of processes that load images; 0 loads them in this process.
        description: text of the progress bar.

    Returns:
        Rows (N,) of the data set's manifest, logits (N,) and embeddings (N, D); empty arrays if there are no samples.
    """
    device = next(detector.parameters()).device
    samples = range(len(dataset)) if own is None else own.tolist()
    batches = loader(dataset, batch_size, workers, [(0, sample) for sample in samples])
    rows, logits = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.float32)]
    embeddings = [np.empty((0, detector.encoder.dimension), dtype=np.float32)]
    for batch in track(batches, description, total=len(batches)) if samples else ():
        output = detector(to_unit(batch["image"].to(device)))
        rows.append(batch["index"].numpy())
        logits.append(output.logit.float().cpu().numpy())
        embeddings.append(output.embedding.float().cpu().numpy())
    return np.concatenate(rows), np.concatenate(logits), np.concatenate(embeddings)
