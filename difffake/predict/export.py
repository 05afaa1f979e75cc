"""A detector as an ONNX file or as a program of torch.export, checked against the detector itself.

Both take images (B, 3, S, S) of uint8 RGB at the detector's side S, for any B, and normalize them. Both give the logits
(B,) and the embeddings (B, D).
"""

import contextlib
import io
import logging
import shutil
import statistics
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from difffake.anomaly.file import FILE as ANOMALY
from difffake.errors import UserError
from difffake.evaluation.calibration import FILE as CALIBRATION
from difffake.models.checkpoint import load_detector
from difffake.models.model_config import checkpoint_file
from difffake.predict.agreement import TOLERANCE, Difference, Run, largest_difference
from difffake.predict.exportable import OPSET, Exportable, facts_of, runner
from difffake.predict.onnx_scorer import INPUT, KEY, OUTPUTS, Facts, OnnxScorer

TURNS, SECONDS = 20, 5.0
"""Of measuring the speed: largest number of calls, and seconds after which there are no more, but at least 3."""
EXTRA = "difffake.json"
"""Entry of a .pt2 file with `Facts` as JSON."""


def load_exportable(ckpt: Path, imports: tuple[str, ...] = ()) -> tuple[Exportable, Facts]:
    """Read a checkpoint on the CPU, with what an exported file says about it.

    Args:
        ckpt: checkpoint of `difffake fit`, or the run folder.
        imports: packages of your own whose code may run, if the encoder is in one of them.

    Raises `UserError` as `load_detector` does.
    """
    with contextlib.suppress(ImportError):
        import timm  # noqa: F401  # all of it: torch's exporter cannot follow a network of `lean_timm`
    path = checkpoint_file(ckpt)
    detector, info = load_detector(path, "cpu", imports)
    return Exportable(detector).eval(), facts_of(info, path)


def copy_companions(ckpt: Path, folder: Path) -> list[str]:
    """Put a checkpoint's calibration and anomaly model beside an exported file, where `predict` looks for them.

    Args:
        ckpt: checkpoint of `difffake fit`, run folder or model folder.
        folder: folder of the exported file; what is there already is not replaced.

    Returns:
        A line on each file that the checkpoint has.
    """
    lines = []
    for name in (CALIBRATION, ANOMALY):
        source, copy = checkpoint_file(ckpt).parent / name, folder / name
        if not source.is_file() or (copy.exists() and copy.samefile(source)):
            continue
        if not copy.exists():
            shutil.copyfile(source, copy)
            lines.append(f"{copy}: copied, difffake predict --onnx uses it")
        elif copy.read_bytes() != source.read_bytes():
            lines.append(f"{copy} is another than {source} and was kept: give difffake predict the right one")
    return lines


def export_onnx(network: Exportable, facts: Facts, path: Path) -> None:
    """Write an ONNX file. Raises `UserError` if torch cannot export the encoder."""
    with _quiet(facts.encoder), _plain_layout(network):
        program = torch.onnx.export(
            network,
            (_example(facts),),
            dynamo=True,
            verbose=False,
            input_names=[INPUT],
            output_names=list(OUTPUTS),
            dynamic_shapes={INPUT: {0: torch.export.Dim("batch")}},
            opset_version=OPSET,
        )
        assert program is not None
        program.optimize()
        program.model.metadata_props[KEY] = facts.to_json()
        program.model.doc_string = "images: (batch, 3, side, side) uint8 RGB; the normalization is inside"
        program.save(path, external_data=False)


def export_torch(network: Exportable, facts: Facts, path: Path) -> None:
    """Write a program of torch.export. Raises `UserError` if torch cannot export the encoder."""
    with _quiet(facts.encoder), _plain_layout(network):
        dimension = torch.export.Dim("batch", min=1)
        program = torch.export.export(network, (_example(facts),), dynamic_shapes={INPUT: {0: dimension}})
        torch.export.save(program, path, extra_files={EXTRA: facts.to_json()})


def onnx_runner(path: Path, threads: int | None = None) -> Run:
    """The function of an exported ONNX file."""
    return OnnxScorer(path, threads).run


def torch_runner(path: Path) -> Run:
    """The function of a saved program of torch.export."""
    return runner(torch.export.load(path).module())


def check(reference: Run, exported: Run, facts: Facts) -> Difference:
    """The largest difference. Raises `UserError` if it is above `TOLERANCE`."""
    found = largest_difference(reference, exported, facts.image_size)
    if not found.small:
        raise UserError(
            f"the exported encoder {facts.encoder} differs from the checkpoint by {found.logit:.2g} in a logit and "
            f"{found.embedding:.2g} in an embedding, more than {TOLERANCE:g}: nothing was written; try another version "
            "of torch or onnxruntime"
        )
    return found


@dataclass(frozen=True)
class Speeds:
    """Seconds of calls of the detector and of its exported file, which took turns."""

    batch: int
    """Images per call."""
    detector: list[float]
    exported: list[float]

    @property
    def ratio(self) -> tuple[float, float, float]:
        """How many times as fast the exported file is: lower quartile, median and upper quartile over the turns."""
        low, middle, high = np.quantile(np.divide(self.detector, self.exported), (0.25, 0.5, 0.75)).tolist()
        return low, middle, high

    def __str__(self) -> str:
        """One line with images per second."""
        before, after = (self.batch / statistics.median(taken) for taken in (self.detector, self.exported))
        low, middle, high = self.ratio
        return f"torch {before:.3g}, file {after:.3g}, {middle:.2f} times as fast ({low:.2f} to {high:.2f})"


def speeds(reference: Run, exported: Run, side: int, batch: int) -> Speeds:
    """Measure the detector and its exported file in turns, so that a busy machine slows both.

    Args:
        reference: runner of the detector.
        exported: runner of the file.
        side: side of the images in pixels.
        batch: images per call.
    """
    images = np.random.default_rng(0).integers(0, 256, (batch, 3, side, side), dtype=np.uint8)
    found = Speeds(batch, [], [])
    begin = time.perf_counter()
    for number in range(TURNS + 1):  # the first is not counted
        for run, taken in ((reference, found.detector), (exported, found.exported))[:: 1 if number % 2 else -1]:
            start = time.perf_counter()
            run(images)
            if number:
                taken.append(time.perf_counter() - start)
        if number >= 3 and time.perf_counter() - begin > SECONDS:
            break
    return found


def threads() -> int:
    """Number of CPU threads that torch uses."""
    return torch.get_num_threads()


def _example(facts: Facts) -> Tensor:
    """Two images: torch takes a size of 1 for a constant."""
    return torch.zeros(2, 3, facts.image_size, facts.image_size, dtype=torch.uint8)


@contextlib.contextmanager
def _plain_layout(network: Exportable) -> Iterator[None]:
    """With weights in torch's usual layout: with channels last, programs keep strides, as gathers of single numbers."""
    network.to(memory_format=torch.contiguous_format)
    try:
        yield
    finally:
        network.to(memory_format=torch.channels_last)


# torch's exporter has no error of its own: what it cannot follow in a network comes out as any of these.
_NOT_EXPORTABLE = (RuntimeError, ValueError, TypeError, LookupError, AssertionError)


@contextlib.contextmanager
def _quiet(encoder: str) -> Iterator[None]:
    """Without the exporter's remarks. Its errors become one line."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    except _NOT_EXPORTABLE as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UserError(f"torch cannot export the encoder {encoder} ({reason})") from error
    finally:
        logging.disable(level)
