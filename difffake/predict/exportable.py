"""A detector as a network of plain arrays, for exporters: it takes images of uint8 and gives two tensors."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from difffake import __version__
from difffake.data.batches import to_unit
from difffake.files import sha256
from difffake.models.checkpoint import CheckpointInfo
from difffake.models.detector import Detector
from difffake.predict.agreement import Run
from difffake.predict.onnx_scorer import Facts
from difffake.predict.pretrained import about
from difffake.predict.scorer import Scores

OPSET = 18
"""Of the ONNX operators: the lowest of torch's newer exporter, which most runtimes know."""


class Exportable(nn.Module):
    """A detector with the conversion of its input from uint8.

    Args:
        detector: detector in eval mode, on the CPU.
    """

    def __init__(self, detector: Detector) -> None:
        super().__init__()
        self.detector = detector

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B,) and embeddings (B, D) of images (B, 3, S, S) uint8 RGB."""
        output = self.detector(images.to(torch.float32) / 255)
        return output.logit, output.embedding


def facts_of(info: CheckpointInfo, ckpt: Path) -> Facts:
    """The facts of a checkpoint for a file with float32 weights."""
    config = info.config
    numbers = (info.margin, info.threshold)
    return Facts(
        __version__, sha256(ckpt), config.name, config.image_size, *numbers, info.trained_on, "float32", about(ckpt)
    )


def detector_runner(detector: Detector) -> Run:
    """A detector as `predict` runs it: images with channels last; for the same speed, with folded batch norms."""
    return runner(lambda images: detector(to_unit(images))[:2])


def runner(network: Callable[[Tensor], tuple[Tensor, Tensor]]) -> Run:
    """The function of a network that takes images of uint8 and gives logits and embeddings."""

    @torch.inference_mode()
    def run(images: np.ndarray) -> Scores:
        logit, embedding = network(torch.from_numpy(images))
        return Scores(logit.double().numpy(), embedding.numpy())

    return run
