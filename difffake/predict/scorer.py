"""What `Predictor` needs of a detector: logits and embeddings of crops, whatever runs the network."""

import ctypes
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from difffake.errors import UsageError
from difffake.models.model_config import checkpoint_file


class Scores(NamedTuple):
    """A detector's scores of N crops."""

    logits: np.ndarray
    """(N,) float64, higher = more fake."""
    embeddings: np.ndarray
    """(N, D) float32."""


class AnomalyScores(Protocol):
    """An anomaly model that scores the images of one person."""

    @property
    def threshold(self) -> float | None:
        """Smallest score at which a pair is called fake, from validation data; None if there is none."""

    def frame_scores(self, embeddings: np.ndarray, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Scores of pairs of frames, see `difffake.anomaly.scoring.Anomaly.frame_scores`."""

    def reference_scores(self, embeddings: np.ndarray, references: np.ndarray) -> np.ndarray:
        """Scores against real images, see `difffake.anomaly.scoring.Anomaly.reference_scores`."""


class Scorer(Protocol):
    """A detector. Call it with crops (H, W, 3) uint8 RGB of any sizes to get their `Scores`."""

    path: Path
    """The file that it was read from. A calibration and an anomaly model are looked for in the same folder."""
    threshold: float | None
    """Smallest logit at which a face is called fake, from validation data; None if there is none."""
    margin: float | None
    """Side of the training data's crops as a multiple of the side of the face's box; None if unknown."""
    about: str
    """What the detector was trained and measured on, in one line; empty if it is not from a model folder."""

    @property
    def checkpoint(self) -> str:
        """SHA-256 of the checkpoint of `difffake fit` whose scores it gives."""

    def __call__(self, crops: Sequence[np.ndarray]) -> Scores:
        """Scores of crops."""

    def anomaly(self, path: Path) -> AnomalyScores:
        """Read an anomaly model. Raises `UserError` if it was fitted to embeddings of another checkpoint."""

    def activation_maps(self, crops: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Where each crop (H, W, 3) uint8 RGB raises the logit: a map (h, w) in [0, 1] of each.

        Raises `UserError` if the detector has no such maps.
        """


def open_scorer(path: Path, device: str = "auto", imports: Sequence[str] = ()) -> Scorer:
    """Read the detector of a checkpoint, run folder or ONNX file; for the arguments and errors see `Predictor`.

    On a CPU, onnxruntime runs it where it can. Torch is imported only if it must be, because that takes a second.
    """
    if path.suffix == ".onnx":
        from difffake.predict.onnx_scorer import OnnxScorer

        if device not in ("auto", "cpu"):
            raise UsageError(f"--device {device}: an ONNX file runs on the CPU; give its checkpoint instead")
        return OnnxScorer(path)
    from difffake.predict.compiled_scorer import compiled_scorer, kept_scorer

    ckpt = checkpoint_file(path)
    on_cpu = device == "cpu" or (device == "auto" and not has_gpu_driver())
    if on_cpu and (kept := kept_scorer(ckpt, imports)):
        return kept
    from difffake.predict.torch_scorer import TorchScorer

    scorer = TorchScorer(ckpt, device, imports)
    if scorer.device.type != "cpu":
        return scorer
    return (None if on_cpu else kept_scorer(ckpt, imports)) or compiled_scorer(scorer) or scorer


def has_gpu_driver() -> bool:
    """Whether torch could find a GPU: there is the library of NVIDIA's driver, or the device of AMD's."""
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return Path("/dev/kfd").exists()
    return True
