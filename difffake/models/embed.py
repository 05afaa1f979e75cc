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

    A last batch that is smaller is filled up with copies of its last image: kernels for other batch sizes add numbers
    in another order, and the result of an image must not depend on how samples were shared between ranks.

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
    size = 0  # images in a whole batch
    for batch in track(batches, description, total=len(batches)) if samples else ():
        images = batch["image"].to(device)
        count = len(images)
        size = size or batch_size * count // min(batch_size, len(samples))
        if count < size:
            images = torch.cat([images, images[-1:].expand(size - count, -1, -1, -1)])
        output = detector(to_unit(images))
        rows.append(batch["index"].numpy())
        logits.append(output.logit[:count].float().cpu().numpy())
        embeddings.append(output.embedding[:count].float().cpu().numpy())
    return np.concatenate(rows), np.concatenate(logits), np.concatenate(embeddings)
