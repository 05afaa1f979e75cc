"""A detector that torch runs, from a checkpoint."""

import threading
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from difffake.anomaly.scoring import Anomaly, read_anomaly
from difffake.data.batches import to_tensors, to_unit
from difffake.files import sha256
from difffake.models.activation import activation_maps
from difffake.models.checkpoint import load_detector
from difffake.models.device import choose_device
from difffake.models.fold import fold_batch_norms
from difffake.models.model_config import checkpoint_file
from difffake.predict.pretrained import about
from difffake.predict.scorer import Scores

BATCH = 32


class TorchScorer:
    """A `Scorer` that runs a checkpoint's detector.

    Args:
        path: checkpoint of `difffake fit`, or the run folder, whose best.ckpt is used.
        device: auto, cpu, cuda or cuda:N.
        imports: packages of your own whose code may run, if the encoder or the anomaly model is in one of them.

    Raises `UserError` if the checkpoint or the device cannot be used.
    """

    def __init__(self, path: Path, device: str = "auto", imports: Sequence[str] = ()) -> None:
        self.path = checkpoint_file(path)
        self.imports = imports
        self.device = choose_device(device)
        detector, self.info = load_detector(self.path, self.device, imports)
        self.detector = fold_batch_norms(detector)
        self._one = threading.Lock()  # hooks of `activation_maps` must not appear while the network runs elsewhere
        self.threshold, self.margin = self.info.threshold, self.info.margin
        self.about = about(self.path)

    @cached_property
    def checkpoint(self) -> str:
        """SHA-256 of the checkpoint."""
        return sha256(self.path)

    @torch.inference_mode()
    def __call__(self, crops: Sequence[np.ndarray]) -> Scores:
        """Scores of crops (H, W, 3) uint8 RGB."""
        batch = to_tensors(crops, self.info.config.image_size)
        with self._one:
            outputs = [self.detector(to_unit(part)) for part in batch.to(self.device).split(BATCH)]
        logits = torch.cat([output.logit for output in outputs]).double()
        embeddings = torch.cat([output.embedding for output in outputs]).float()
        return Scores(logits.cpu().numpy(), embeddings.cpu().numpy())

    def anomaly(self, path: Path) -> Anomaly:
        """Read an anomaly model of this checkpoint, see `read_anomaly`."""
        return read_anomaly(path, self.path, self.device, self.imports)

    def activation_maps(self, crops: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Grad-CAM of the logit of each crop, see `difffake.models.activation`."""
        batch = to_tensors(crops, self.info.config.image_size)
        with self._one:
            parts = [activation_maps(self.detector, to_unit(part))[0] for part in batch.to(self.device).split(BATCH)]
        return list(torch.cat(parts).numpy())
