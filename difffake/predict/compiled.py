"""A checkpoint's detector as a program for onnxruntime, which takes less time for it on a CPU than torch."""

import warnings
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import onnx
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from difffake.models.detector import Detector
from difffake.predict.agreement import largest_difference
from difffake.predict.exportable import OPSET, Exportable, detector_runner
from difffake.predict.onnx_scorer import INPUT, KEY, OUTPUTS, Facts, run_session, session_of

LARGEST = 30_000_000
"""Most weights of a detector that is compiled: larger ones take seconds, and most are transformers, which gain 5 %."""
BATCHES = (1, 3)
"""Numbers of images with which both are compared: one, and another than in the example for torch."""


def compiled(detector: Detector, facts: Facts) -> bytes | None:
    """An ONNX file of a detector; None if it has none that gives the same scores, or none that is worth the time.

    That of an EfficientNet-Lite0 takes half a second. The exporter is torch's older one, which follows one call of the
    network; `difffake.predict.export` has the newer one, which takes ten times as long. What one call does not show,
    such as a branch that depends on the image, is lost; so networks of the user's own are not compiled.

    Args:
        detector: a detector in eval mode on the CPU, which nobody else uses meanwhile.
        facts: what the file says about it.
    """
    weights = sum(weight.numel() for weight in detector.parameters())
    if weights > LARGEST or not isinstance(detector.config.encoder, str):
        return None
    try:
        program = _program(detector, facts)
        session = session_of(program)
        reference, side = detector_runner(detector), detector.config.image_size
        found = largest_difference(reference, lambda images: run_session(session, images), side, BATCHES)
    except Exception:  # neither exporter nor onnxruntime have an error of their own, and torch runs the detector too
        return None
    return program if found.small else None


def _program(detector: Detector, facts: Facts) -> bytes:
    network = Exportable(detector).eval()
    example = torch.zeros(2, 3, facts.image_size, facts.image_size, dtype=torch.uint8)
    with TemporaryDirectory() as folder, warnings.catch_warnings(), _FixedSides():
        warnings.simplefilter("ignore")
        file = Path(folder, "program.onnx")
        torch.onnx.export(
            network,
            (example,),
            file,
            dynamo=False,
            input_names=[INPUT],
            output_names=list(OUTPUTS),
            dynamic_axes={name: {0: "batch"} for name in (INPUT, *OUTPUTS)},
            opset_version=OPSET,
        )
        model = onnx.load(file)
    onnx.helper.set_model_props(model, {KEY: facts.to_json()})
    return bytes(model.SerializeToString())


_SHAPE: Any = Tensor.shape


class _FixedSides(TorchFunctionMode):
    """In the block, the sizes of a tensor are plain numbers, but for the first, which is the number of images.

    Else the padding of TensorFlow's convolutions, which depends on the sides of what is padded, is computed at each
    call, and onnxruntime does not make it a part of the convolution.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        if func is not _SHAPE.__get__ and not (func is Tensor.size and isinstance(found, tuple)):
            return found
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", torch.jit.TracerWarning)
            return (*found[:1], *(int(length) for length in found[1:]))
