"""The command `calibrate`: probabilities and thresholds with a promised false-alarm rate, from validation data."""

from pathlib import Path
from typing import Annotated, Literal

import pandas as pd

from difffake.anomaly.file import FILE as MODEL
from difffake.anomaly.forged import forge_as_in_training
from difffake.anomaly.scoring import read_anomaly
from difffake.commands.parse import AtLeast
from difffake.data.choice import Choice
from difffake.data.manifest import Manifest
from difffake.errors import UserError
from difffake.evaluation.calibrate import PSEUDO, FakeSource, Method, calibration_scores, fit_scores, read_rows, summary
from difffake.evaluation.calibration import FILE, Calibration
from difffake.evaluation.evaluate import Loading
from difffake.evaluation.fusion import fit_fusion, fuse
from difffake.files import refuse_existing_file, sha256
from difffake.models.checkpoint import load_detector
from difffake.models.device import choose_device
from difffake.models.model_config import checkpoint_file
from difffake.progress import console

EXAMPLES = (
    "difffake calibrate --ckpt runs/lfw --manifest data/lfw",
    "difffake calibrate --ckpt runs/ffpp --manifest data/ffpp --method isotonic",
    "difffake calibrate --ckpt runs/lfw --manifest data/clips --split all --out clips.json",
)


def calibrate(
    ckpt: Path,
    manifest: list[Path],
    out: Path | None = None,
    anomaly: Path | None = None,
    split: Literal["val", "test", "train", "all"] = "val",
    methods: list[str] = [],  # noqa: B006  # never changed
    compressions: list[str] = [],  # noqa: B006
    fakes: FakeSource = "auto",
    method: Method = "temperature",
    batch_size: Annotated[int, AtLeast(1)] = 64,
    workers: Annotated[int, AtLeast(0)] = 2,
    device: str = "auto",
    imports: list[str] = [],  # noqa: B006  # never changed
    seed: Annotated[int, AtLeast(0)] = 0,
    overwrite: bool = False,
) -> None:
    """Calibrate the scores of a detector, so that predict can promise a rate of false alarms, and fit their fusion.

    The classifier's score, the anomaly score (if there is an anomaly model) and their fusion are calibrated, each for
    single frames and for videos. The checkpoint itself is not changed.

    Args:
        ckpt: checkpoint of difffake fit, or the run folder, whose best.ckpt is used.
        manifest: manifests to calibrate on. They may be those of the training: their split val, which chose the
            checkpoint but gave no gradient. None of the rows may have been trained on, and evaluate refuses test
            data that share people, videos or crops with them.
        out: file to write; by default calibration.json beside the checkpoint, where evaluate and predict find it.
        anomaly: model of difffake fit-anomaly; by default anomaly.safetensors beside the checkpoint, if it exists.
        split: split to calibrate on; all for every row.
        methods: of the manifest's fakes, use only those of these manipulations.
        compressions: use only faces of these compressions, such as c23, and faces whose compression is unknown.
        fakes: manifest for the manifest's fakes, pseudo for a pseudo-deepfake of each real face, as in the validation
            of fit; auto is manifest if there are any fakes.
        method: temperature divides the logit by a number (of the anomaly score, it also fits the middle); isotonic is
            any function that rises with the score, and needs a thousand samples or more.
        batch_size: images per batch; it changes only speed and memory.
        workers: number of processes that load images; 0 loads them in the main process.
        device: auto, cpu, cuda or cuda:N.
        imports: packages of your own whose code may run, if the encoder or the anomaly model is in one of them.
        seed: random seed of the pseudo-deepfakes.
        overwrite: replace an existing file.
    """
    ckpt = checkpoint_file(ckpt)
    path = out or ckpt.parent / FILE
    refuse_existing_file(path, overwrite, [ckpt])
    model = anomaly or ckpt.parent / MODEL
    where = choose_device(device)
    detector, info = load_detector(ckpt, where, imports)
    differential = read_anomaly(model, ckpt, where, imports) if anomaly or model.is_file() else None
    trained_on = info.training_keys - info.validation_keys
    if differential:
        trained_on |= differential.training_keys - differential.validation_keys
    parts, source, keys = read_rows(manifest, split, Choice(methods, compressions), trained_on, fakes)
    loading = Loading(info.config.image_size, batch_size, workers)
    forge = forge_as_in_training(info, parts, ["all"], where, seed) if source == PSEUDO else None
    scores = calibration_scores(detector, differential, Manifest.concat(parts), loading, forge)
    fusion = fit_fusion(scores) if differential else None
    if fusion:
        scores = pd.concat([scores, fuse(scores, fusion)], ignore_index=True)
    calibrated = fit_scores(scores, method)
    if not calibrated:
        raise UserError("nothing to calibrate: real faces and fakes are needed; choose other rows, or --fakes pseudo")
    known = sha256(model) if differential else None
    Calibration(sha256(ckpt), known, method, source, frozenset(keys), fusion, calibrated).write(path, overwrite)
    for line in summary(calibrated, source, fusion):
        console.print(line)
    console.print(f"calibration of {', '.join(calibrated)}: {path}")
