"""An exported detector with int8 layers, and what that costs in AUC."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from difffake.data.keys import resampling_unit
from difffake.data.manifest import Manifest
from difffake.data.packed import read_crop
from difffake.errors import UserError
from difffake.evaluation.paired import paired_aucs
from difffake.evaluation.significance import limits
from difffake.faces.crops import resize_crops
from difffake.predict.onnx_scorer import INPUT, KEY, Facts, OnnxScorer, silence_reports
from difffake.progress import track

CALIBRATION = 256
"""Number of crops whose activations give the ranges of int8."""
BATCH = 16
RESAMPLES = 2000


def quantize(source: Path, facts: Facts, manifest: Manifest, path: Path, seed: int = 0) -> None:
    """Write a copy of an exported detector with int8 layers (static quantization, a scale per channel).

    The first convolution and the head stay in float32: they take little time, and their errors would be those of the
    whole network.

    Args:
        source: ONNX file in float32.
        facts: its facts.
        manifest: up to `CALIBRATION` random crops of its split train give the ranges of the activations.
        path: file to write.
        seed: random seed of the choice of crops.

    Raises `UserError` if the manifest has no crops of the split train.
    """
    silence_reports()
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    rows = check_train(manifest)
    batches = crops(manifest, _some(rows, CALIBRATION, seed), facts.image_size, "calibrating int8")

    class Reader(CalibrationDataReader):
        def get_next(self) -> dict[str, np.ndarray] | None:
            images = next(batches, None)
            return None if images is None else {INPUT: images}

    with TemporaryDirectory() as folder:
        prepared = Path(folder, "prepared.onnx")
        quant_pre_process(source, prepared, skip_symbolic_shape=True)
        nodes = onnx.load(prepared).graph.node
        first = [node.name for node in nodes if node.op_type == "Conv"][:1]
        head = [node.name for node in nodes if node.op_type in ("Gemm", "MatMul")][-1:]
        quantize_static(
            prepared,
            path,
            Reader(),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=first + head,
            extra_options={"CalibMovingAverage": True},  # of the batches: one odd crop does not widen a range
        )
    model = onnx.load(path)
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, {KEY: replace(facts, precision="int8").to_json()})
    onnx.save(model, path)


def check_train(manifest: Manifest) -> np.ndarray:
    """The rows of the split train. Raises `UserError` if there are none."""
    rows = np.flatnonzero(manifest.table["split"] == "train")
    if not len(rows):
        raise UserError(f"{manifest.root} has no crops of the split train, which int8 needs: name another --manifest")
    return rows


@dataclass(frozen=True)
class AucLoss:
    """AUC per frame of an exported detector in float32 and in int8, on the same faces."""

    split: str
    """Split that was scored."""
    real: int
    """Number of real faces."""
    fake: int
    """Number of fakes."""
    float32: float
    int8: float
    low: float
    """Lower end of the paired 95 % interval of int8 - float32; NaN if there are too few units to say."""
    high: float
    gap: float
    """Mean absolute difference of the logits."""
    changed: float | None
    """Share of faces on the other side of the checkpoint's threshold; None without a threshold."""

    @property
    def difference(self) -> float:
        """AUC in int8 minus AUC in float32."""
        return self.int8 - self.float32

    def __str__(self) -> str:
        """One line in percent."""
        changed = "" if self.changed is None else f", {100 * self.changed:.1f} % of the verdicts by the threshold"
        points = f"{100 * self.difference:+.2f} points"
        interval = "" if math.isnan(self.low) else f" [{100 * self.low:+.2f}, {100 * self.high:+.2f}]"
        return (
            f"AUC per frame, {self.real} real and {self.fake} fake of the split {self.split}: "
            f"float32 {100 * self.float32:.2f}, int8 {100 * self.int8:.2f}, difference {points}{interval}; "
            f"logits differ by {self.gap:.2g} on average{changed}"
        )


def auc_loss(
    source: OnnxScorer, quantized: OnnxScorer, manifest: Manifest, limit: int, seed: int = 0
) -> AucLoss | None:
    """Score faces of the split test, or val if there are none, by both files.

    Args:
        source: detector in float32.
        quantized: the same in int8.
        manifest: crops.
        limit: number of random faces; 0 takes all.
        seed: random seed of the choice and of the resamples.

    Returns:
        The AUCs; None if neither split has real faces and fakes.
    """
    table = manifest.table
    both = [split for split in ("test", "val") if table["label"][table["split"] == split].nunique() == 2]
    if not both:
        return None
    rows = np.flatnonzero(table["split"] == both[0])
    rows = _some(rows, limit or len(rows), seed)
    values: list[list[np.ndarray]] = [[], []]
    for images in crops(manifest, rows, source.facts.image_size, "scoring in float32 and int8"):
        for found, scorer in zip(values, (source, quantized), strict=True):
            found.append(scorer.run(images).logits)
    first, second = (np.concatenate(found) for found in values)
    chosen = table.iloc[rows]
    labels = chosen["label"].to_numpy()
    paired = paired_aucs(labels, first[None], second[None], resampling_unit(chosen)[0], RESAMPLES, seed)
    low, high = limits(paired.difference, paired.error)
    real = int((labels == 0).sum())
    threshold = source.threshold
    changed = None if threshold is None else float(((first >= threshold) != (second >= threshold)).mean())
    gap = float(np.abs(first - second).mean())
    return AucLoss(both[0], real, len(labels) - real, paired.first[0], paired.second[0], low, high, gap, changed)


def crops(manifest: Manifest, rows: Sequence[int] | np.ndarray, side: int, description: str) -> Iterator[np.ndarray]:
    """Batches of the crops of some rows, (B, 3, S, S) uint8, with progress."""
    starts = range(0, len(rows), BATCH)
    for start in track(starts, description, total=len(starts)):
        part = [read_crop(manifest.file(int(row))) for row in rows[start : start + BATCH]]
        yield resize_crops(part, side)


def _some(rows: np.ndarray, count: int, seed: int) -> np.ndarray:
    """At most `count` random rows, in ascending order."""
    chosen: np.ndarray = np.sort(np.random.default_rng(seed).permutation(rows)[:count])
    return chosen
