"""A checkpoint's detector that onnxruntime runs; torch is imported only for what its program does not give."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from difffake.anomaly.plain import NeedsTorch, PlainAnomaly
from difffake.errors import UserError
from difffake.files import sha256
from difffake.models.model_config import CONFIG, model_weights, read_config
from difffake.predict.onnx_scorer import OnnxScorer
from difffake.predict.pretrained import about
from difffake.predict.programs import can_keep, find_program, keep_program
from difffake.predict.scorer import AnomalyScores, Scores

if TYPE_CHECKING:
    from difffake.predict.torch_scorer import TorchScorer


class CompiledScorer:
    """A `Scorer` of a checkpoint that onnxruntime runs on the CPU.

    Args:
        path: the checkpoint.
        network: its program.
        imports: packages of your own whose code may run, if the anomaly model is in one of them.
    """

    def __init__(self, path: Path, network: OnnxScorer, imports: Sequence[str] = ()) -> None:
        self.path = path
        self.threshold, self.margin, self.checkpoint = network.threshold, network.margin, network.checkpoint
        self.about = about(path)
        self._network, self._imports = network, imports

    def __call__(self, crops: Sequence[np.ndarray]) -> Scores:
        """Scores of crops (H, W, 3) uint8 RGB."""
        return self._network(crops)

    def anomaly(self, path: Path) -> AnomalyScores:
        """Read an anomaly model of this checkpoint."""
        try:
            return PlainAnomaly(path, self.path, self.checkpoint)
        except NeedsTorch:
            return self._in_torch.anomaly(path)

    def activation_maps(self, crops: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Grad-CAM of the logit of each crop, see `difffake.models.activation`."""
        return self._in_torch.activation_maps(crops)

    @cached_property
    def _in_torch(self) -> "TorchScorer":
        from difffake.predict.torch_scorer import TorchScorer

        return TorchScorer(self.path, "cpu", self._imports)


def kept_scorer(path: Path, imports: Sequence[str] = ()) -> CompiledScorer | None:
    """The scorer of a checkpoint whose program is in the cache, without torch; None if there is none.

    Raises `UserError` if a model folder is broken, as torch's scorer would.
    """
    if not path.is_file():
        return None
    if path.name == CONFIG:
        model_weights(path, read_config(path))  # a folder whose weights were changed has other scores
    checkpoint = sha256(path)
    file = find_program(checkpoint)
    try:
        network = OnnxScorer(file) if file else None
    except UserError:  # another version of onnxruntime does not read it
        return None
    return CompiledScorer(path, network, imports) if network and network.checkpoint == checkpoint else None


def compiled_scorer(scorer: "TorchScorer") -> CompiledScorer | None:
    """The same detector run by onnxruntime; None if it cannot be compiled, or its program cannot be kept."""
    if not can_keep():
        return None
    from difffake.predict.compiled import compiled
    from difffake.predict.exportable import facts_of

    program = compiled(scorer.detector, facts_of(scorer.info, scorer.path))
    file = keep_program(scorer.checkpoint, program) if program else None
    return CompiledScorer(scorer.path, OnnxScorer(file), scorer.imports) if file else None
