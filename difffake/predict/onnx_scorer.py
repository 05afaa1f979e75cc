"""A detector that onnxruntime runs, from a file of `difffake export`. It needs no torch."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from difffake.anomaly.plain import PlainAnomaly
from difffake.errors import UserError
from difffake.faces.crops import resize_crops
from difffake.files import absent, sha256
from difffake.predict.scorer import Scores

KEY = "difffake"
"""Entry of the file's metadata_props with `Facts` as JSON."""
INPUT, OUTPUTS = "images", ("logit", "embedding")
BATCH = 32
Precision = Literal["float32", "int8"]


@dataclass(frozen=True)
class Facts:
    """What an exported file says about its detector."""

    version: str
    """Version of difffake that exported it."""
    checkpoint: str
    """SHA-256 of the checkpoint."""
    encoder: str
    """Name of the encoder."""
    image_size: int
    """Side of the images in pixels."""
    margin: float | None
    """Side of the training data's crops as a multiple of the side of the face's box; None if unknown."""
    threshold: float | None
    """Smallest logit at which a face is called fake, from validation data; None if there is none."""
    trained_on: list[dict[str, Any]] | None
    """Counts of the data that training used, see `difffake.data.trained_on`; None if unknown."""
    precision: Precision
    """float32, or int8 for the quantized layers."""
    about: str = ""
    """What the detector was trained and measured on, in one line; empty if it is not from a model folder."""

    def to_json(self) -> str:
        """The inverse of `from_json`."""
        return json.dumps(asdict(self), allow_nan=False)

    @staticmethod
    def from_json(text: str) -> "Facts":
        """The facts in a text. Raises `ValueError`, `TypeError` or `LookupError` if it is another text."""
        found = Facts(**json.loads(text))
        numbers = (found.margin, found.threshold)
        if not all(number is None or np.isfinite(number) for number in numbers) or not 1 <= found.image_size <= 4096:
            raise ValueError("a number is out of range")
        return found


class OnnxScorer:
    """A `Scorer` that runs a file of `difffake export` on the CPU.

    Args:
        path: the file.
        threads: number of threads of onnxruntime; by default as many as torch takes, if it is in memory, else
            $OMP_NUM_THREADS, or one per core.

    Raises `UserError` if the file is missing, broken or from another program.
    """

    def __init__(self, path: Path, threads: int | None = None) -> None:
        self.path = path
        self._session = open_session(path, threads)
        metadata: Mapping[str, str] = self._session.get_modelmeta().custom_metadata_map
        try:
            self.facts = Facts.from_json(metadata[KEY])
            (images,), outputs = self._session.get_inputs(), self._session.get_outputs()
            sides = [self.facts.image_size] * 2
            if (images.name, images.type, images.shape[1:]) != (INPUT, "tensor(uint8)", [3, *sides]):
                raise ValueError("other inputs")
            if tuple(output.name for output in outputs) != OUTPUTS:
                raise ValueError("other outputs")
        except (ValueError, TypeError, LookupError) as error:
            raise UserError(
                f"{path} is an ONNX file, but not one of difffake export ({type(error).__name__}): make one with "
                f"difffake export --ckpt RUN --out {path.name}"
            ) from error
        self.threshold, self.margin = self.facts.threshold, self.facts.margin
        self.about = "".join(letter for letter in self.facts.about if letter.isprintable())

    @cached_property
    def checkpoint(self) -> str:
        """SHA-256 of the checkpoint that was exported; of the file itself in int8, which gives other scores."""
        return self.facts.checkpoint if self.facts.precision == "float32" else sha256(self.path)

    def __call__(self, crops: Sequence[np.ndarray]) -> Scores:
        """Scores of crops (H, W, 3) uint8 RGB."""
        return self.run(resize_crops(crops, self.facts.image_size))

    def run(self, images: np.ndarray) -> Scores:
        """Scores of images (N, 3, S, S) uint8 RGB, of the detector's side S."""
        return run_session(self._session, images)

    def anomaly(self, path: Path) -> PlainAnomaly:
        """Read an anomaly model of the exported checkpoint, see `PlainAnomaly`."""
        return PlainAnomaly(path, self.path, self.checkpoint)

    def activation_maps(self, crops: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Raises `UserError`: maps need gradients, which an exported file does not have."""
        raise UserError("an ONNX file has none; give its checkpoint instead")


def open_session(path: Path, threads: int | None = None) -> Any:
    """An onnxruntime session of a file, for the arguments and errors see `OnnxScorer`."""
    if not path.is_file():
        raise UserError(f"{path} {absent(path)}: make it with difffake export, or name another file")
    try:
        return session_of(path, threads)
    except Exception as error:  # onnxruntime's errors have no class of their own
        reason = " ".join(str(error).split())
        raise UserError(f"{path} cannot be read as an ONNX file ({reason[:200]}): export it again") from error


def session_of(program: Path | bytes, threads: int | None = None) -> Any:
    """An onnxruntime session of a file or of its bytes; `threads` as in `OnnxScorer`. Errors are onnxruntime's own."""
    silence_reports()
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # errors are raised; warnings about the graph are not for the user
    options.intra_op_num_threads = _threads() if threads is None else threads
    # Threads that wait for work must not take the processor from those that decode and find faces.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(program, options, providers=["CPUExecutionProvider"])


def silence_reports() -> None:
    """Keep onnxruntime, which is imported afterwards, from sending reports on its use and the machine to Microsoft."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


def run_session(session: Any, images: np.ndarray) -> Scores:
    """Scores of images (N, 3, S, S) uint8 RGB, of the detector's side S."""
    parts = [images[start : start + BATCH] for start in range(0, len(images), BATCH)]
    found = [session.run(OUTPUTS, {INPUT: part}) for part in parts]
    logits, embeddings = (np.concatenate(part) for part in zip(*found, strict=True))
    return Scores(logits.astype(np.float64), embeddings.astype(np.float32))


def _threads() -> int:
    """As many as torch takes, if it is in memory; else $OMP_NUM_THREADS, or 0: onnxruntime takes one per core."""
    if torch := sys.modules.get("torch"):
        return int(torch.get_num_threads())
    given = os.environ.get("OMP_NUM_THREADS", "")
    return min(int(given), os.cpu_count() or 1) if given.isdecimal() else 0
