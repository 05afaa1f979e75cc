"""The command `evaluate`: scores of every crop, and metrics with confidence intervals."""

from pathlib import Path
from typing import Annotated, Literal

import pandas as pd
from rich.console import Console

from difffake.anomaly.file import FILE as MODEL
from difffake.anomaly.scoring import PairMode, read_anomaly
from difffake.commands.parse import AtLeast
from difffake.data.choice import Choice
from difffake.data.manifest import manifest_file
from difffake.distributed import rank
from difffake.errors import UsageError, UserError
from difffake.evaluation.calibration import calibration_file, find_calibration
from difffake.evaluation.domains import domain_rows
from difffake.evaluation.evaluate import Loading, is_testbed, read_tests, score_tests, write_evaluation
from difffake.evaluation.fusion import FusionMode, check_fusion, with_fusion
from difffake.evaluation.measures import ANOMALY, CLASSIFIER, FUSION
from difffake.evaluation.others import NO_LEAK_CHECK, Others
from difffake.evaluation.provenance import provenance
from difffake.evaluation.results import LEVELS, Results, Row, Thresholds, result_rows
from difffake.evaluation.tables import print_results
from difffake.evaluation.testbed import NOTE
from difffake.files import refuse_existing
from difffake.models.checkpoint import load_detector
from difffake.models.device import choose_device
from difffake.models.model_config import checkpoint_file
from difffake.progress import console
from difffake.wandb_run import add_to_run

EXAMPLES = (
    "difffake evaluate --ckpt runs/lfw --manifest data/dfdc data/celebdf --out results",
    "difffake evaluate --ckpt runs/lfw --manifest data/london --pairs reference --out results",
    "difffake evaluate --scores xception.csv --floors --manifest data/dfdc --out results",
    "torchrun --nproc-per-node 4 -m difffake evaluate --ckpt runs/lfw --manifest data/dfdc --out results",
)
RANKS = True


def evaluate(
    manifest: list[Path],
    out: Path,
    ckpt: Path | None = None,
    scores: list[Path] = [],  # noqa: B006  # never changed
    real_scores: list[Path] = [],  # noqa: B006
    floors: bool = False,
    meso4: Path | None = None,
    anomaly: Path | None = None,
    split: Literal["test", "val", "train", "all"] = "test",
    methods: list[str] = [],  # noqa: B006  # never changed
    compressions: list[str] = [],  # noqa: B006
    pairs: PairMode = "suspect",
    fusion: FusionMode = "auto",
    calibration: str = "auto",
    resamples: Annotated[int, AtLeast(0)] = 1000,
    batch_size: Annotated[int, AtLeast(1)] = 64,
    workers: Annotated[int, AtLeast(0)] = 2,
    device: str = "auto",
    imports: list[str] = [],  # noqa: B006  # never changed
    seed: Annotated[int, AtLeast(0)] = 0,
    overwrite: bool = False,
) -> None:
    """Score face crops and report AUC, EER, AP and ACC in percent, per frame and per video, with 95 % intervals.

    Args:
        manifest: manifests to test on. None may share people, videos or crops with the training data.
        out: folder to write: results.json, results.md, scores.parquet, pictures, the run's config.yaml.
        ckpt: checkpoint of difffake fit, or the run folder, whose best.ckpt is used. It can be left out if there are
            other scores.
        scores: CSV files with scores of other detectors, high for fakes. A file has a column path or video (the name
            of a crop, image or video) and a column score; its own name is the name of the score.
        real_scores: the same, for detectors whose scores are high for real faces; they are negated.
        floors: also score with reference detectors, which a result should beat: the size of each crop as JPEG and, if
            its weights are known, the network Meso4 of 2018.
        meso4: weights of Meso4 (safetensors) for --floors; by default the file in $DIFFFAKE_MESO4.
        anomaly: model of difffake fit-anomaly; by default anomaly.safetensors beside the checkpoint, if it exists.
        split: score only the rows of this split; all scores every row.
        methods: of the fakes, score only those of these manipulations, against all real faces.
        compressions: score only faces of these compressions, such as c23, and faces whose compression is unknown.
        pairs: which pairs the anomaly score compares. suspect compares frames of the same video; reference compares
            each row with another real image of the same person (if the manifest has a column role, with a row whose
            role is reference).
        fusion: fusion of both scores, as a further score. logistic is the regression that difffake calibrate fitted on
            validation data; rank is the mean rank among all scored faces; auto takes logistic if there is a
            calibration with a fusion.
        calibration: file of difffake calibrate, or none; auto takes calibration.json beside the checkpoint, if it
            exists.
        resamples: number of bootstrap resamples per interval; 0 gives no intervals.
        batch_size: images per batch; it changes only speed and memory.
        workers: number of processes that load images; 0 loads them in the main process.
        device: auto, cpu, cuda or cuda:N; for the detector and the anomaly model.
        imports: packages of your own whose code may run, if the encoder or the anomaly model is in one of them.
        seed: random seed of the bootstrap.
        overwrite: replace an existing output folder.
    """
    others = Others(scores, real_scores, floors, meso4)
    if ckpt is None and (anomaly or calibration not in ("auto", "none")):
        raise UsageError(f"--{'anomaly' if anomaly else 'calibration'} needs --ckpt")
    if ckpt is None and not others:
        raise UsageError("give --ckpt, --scores or --floors: what to evaluate")
    ckpt = checkpoint_file(ckpt) if ckpt else None
    inputs = [*([ckpt] if ckpt else []), *([anomaly] if anomaly else []), *others.files]
    refuse_existing(out, overwrite, [*inputs, *manifest])
    where = choose_device(device)
    detector = info = differential = calibrated = None
    if ckpt:
        path = anomaly or ckpt.parent / MODEL
        if pairs == "reference" and not path.is_file():
            raise UserError(
                f"--pairs reference needs an anomaly model, and {path} does not exist: run fit-anomaly first"
            )
        detector, info = load_detector(ckpt, where, imports)
        if anomaly or path.is_file():
            differential = read_anomaly(path, ckpt, where, imports)
            inputs = [ckpt, path, *others.files]
        calibrated = find_calibration(calibration, ckpt, path if differential else None)
    weights = calibrated.fusion if calibrated and differential else None
    check_fusion(fusion, differential is not None, weights)
    known = frozenset[str]().union(*(model.training_keys for model in (info, differential) if model))
    file = calibration_file(calibration, ckpt) if ckpt else None
    calibrating = (calibrated.keys, file) if calibrated and file else None
    tests, lost = read_tests(manifest, split, known, Choice(methods, compressions), calibrating)
    tables, uncovered = others.read(tests)
    loading = Loading(info.config.image_size if info else 0, batch_size, workers)
    if detector:
        tables.insert(0, score_tests(detector, differential, tests, pairs, loading))
    tables += others.floor_scores(tests, loading, where)
    if rank() > 0:
        return
    table = with_fusion(pd.concat(tables, ignore_index=True), fusion, weights)
    # A video's score is on the same scale as the scores of its frames, so both levels use one threshold.
    limits = {CLASSIFIER: info.threshold if info else None, ANOMALY: differential.threshold if differential else None}
    if calibrated and (fused := calibrated.at(FUSION, "frame")):
        limits[FUSION] = fused.threshold
    thresholds: Thresholds = {name: dict.fromkeys(LEVELS, limit) for name, limit in limits.items()}
    rows = result_rows(table, thresholds, resamples, seed, calibrated)
    domains = domain_rows(table, thresholds, resamples, seed, calibrated)
    facts = provenance([*inputs, *map(manifest_file, manifest)], seed, testbed=is_testbed(table))
    facts |= {"split": split, "methods": methods, "compressions": compressions, "pairs": pairs}
    if info:
        facts |= {"encoder": info.config.name, "training_seed": info.seed, "trained_on": info.trained_on}
    notes = [*(f"{name}: {what}" for name, what in lost.items()), *uncovered, *([] if ckpt else [NO_LEAK_CHECK])]
    facts |= {"not_scored": notes} if notes else {}
    if calibrated:
        facts |= {"calibration": {"method": calibrated.method, "fakes": calibrated.fakes}}
    config = ckpt.parent / "config.yaml" if ckpt else None
    found = Results(rows, domains, facts)
    write_evaluation(out, table, found, notes, config, overwrite, thresholds, calibrated, resamples, seed)
    if ckpt:
        add_to_run(ckpt, _summary(rows), (f"evaluation/{out.name}", rows))
    print_results(rows, Console(), domains)
    for note in [*notes, *([NOTE] if facts["testbed"] else [])]:
        console.print(note)
    console.print(f"results.json, results.md, scores.parquet and pictures in {out}")


def _summary(rows: list[Row]) -> dict[str, float]:
    """AUC per data set, manipulation, compression, level and score, for the W&B run."""
    keys = ("dataset", "method", "compression", "level", "score")
    return {"/".join(["auc", *(row[key] for key in keys if row[key])]): row["auc"] for row in rows}
