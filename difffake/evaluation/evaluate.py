"""The command `evaluate`: scores of every crop, and what they say with intervals."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from rich.console import Console

from difffake.anomaly.combine import combine
from difffake.anomaly.mixture import GaussianMixture
from difffake.anomaly.one_class_svm import OneClassSVM
from difffake.anomaly.pairs import Pairs, reference_pairs, sample_pairs
from difffake.anomaly.storage import load_anomaly
from difffake.data.datasets import CropDataset
from difffake.data.keys import check_leaks, content_keys, frame_order, leak_keys, original_image, pair_group, subject
from difffake.data.manifest import Manifest, manifest_file
from difffake.distributed import everyone, own_rows, rank
from difffake.errors import UserError
from difffake.evaluation.figures import write_figures
from difffake.evaluation.provenance import provenance
from difffake.evaluation.report import NOTE, TESTBEDS
from difffake.evaluation.results import COLUMNS, Row, result_rows, write_results
from difffake.evaluation.tables import markdown, print_results
from difffake.files import refuse_existing, sha256, staged_folder
from difffake.models.checkpoint import load_detector
from difffake.models.device import choose_device
from difffake.models.embed import embed
from difffake.progress import console
from difffake.wandb_run import add_to_run

PairMode = Literal["suspect", "reference"]


@dataclass(frozen=True)
class Anomaly:
    """A fitted anomaly model with the settings of `fit-anomaly`."""

    model: GaussianMixture | OneClassSVM
    combination: str
    pool_size: int
    max_frames: int
    threshold: float | None
    training_keys: frozenset[str]
    seed: int


def evaluate(
    ckpt: Path,
    manifest: list[Path],
    out: Path,
    anomaly: Path | None = None,
    split: Literal["test", "val", "train", "all"] = "test",
    pairs: PairMode = "suspect",
    resamples: int = 1000,
    batch_size: int = 64,
    workers: int = 2,
    device: str = "auto",
    seed: int = 0,
    overwrite: bool = False,
) -> None:
    """Score face crops and report frame and video AUC, EER, AP and ACC, with 95 % bootstrap intervals.

    Args:
        ckpt: checkpoint of difffake fit.
        manifest: manifests to test on; none may share an identity, video, source or target with the training data.
        out: folder to write: results.json, results.md, scores.parquet, figures, the run's config.yaml.
        anomaly: model of difffake fit-anomaly; by default anomaly.safetensors beside the checkpoint, if it is there.
        split: rows of the manifests to score.
        pairs: what the anomaly score compares: suspect (two frames of the same video) or reference (a real image of
            the same identity and the probe).
        resamples: bootstrap resamples of each interval.
        batch_size: images a batch.
        workers: loader processes.
        device: auto, cpu, cuda or cuda:N.
        seed: of the bootstrap.
        overwrite: replace an existing output folder.
    """
    refuse_existing(out, overwrite, [ckpt, *manifest, *([anomaly] if anomaly else [])])
    where = choose_device(device)
    detector, info = load_detector(ckpt, where)
    path = anomaly or ckpt.parent / "anomaly.safetensors"
    differential = read_anomaly(path, ckpt) if anomaly or path.is_file() else None
    known = info.training_keys | (differential.training_keys if differential else frozenset())

    tests = []
    for source in manifest:
        whole = Manifest.read(source)
        test = whole.select(split=split)
        if not len(test):
            raise UserError(f"{source} has no rows in the split {split}: use --split all or another manifest")
        keys = leak_keys(test.table, whole.table) | content_keys(test.table, test.root)
        check_leaks(known, keys, f"{source}, split {split},")
        if len(test) < len(whole):
            console.print(f"{source}: {len(test)} of {len(whole)} rows are in the split {split}; --split all takes all")
        tests.append(test)
    tables: list[pd.DataFrame] = []
    for test in tests:
        name = ", ".join(test.table["dataset"].unique())
        # What is compared with each other is on one rank.
        own = own_rows(pair_group(test.table) if pairs == "suspect" else subject(test.table))
        table = test.table.iloc[own]
        data = CropDataset(test, info.config.image_size)
        _, logits, embeddings = embed(detector, data, own, batch_size=batch_size, workers=workers, description=name)
        found = [_numbered(scored(table, "classifier", logits), own)]
        if differential:
            probes, values = anomaly_scores(table, embeddings, differential, pairs)
            found.append(_numbered(scored(table.iloc[probes], "anomaly", values), own[probes]))
        for parts in zip(*everyone(found), strict=True):
            whole = pd.concat(parts).sort_index()  # each row once, and in the manifest's order
            tables.append(whole)
            if not len(whole):
                console.print(f"no {pairs} pairs in {name}: it gets no anomaly score")
    if rank() > 0:
        return
    scores = pd.concat(tables, ignore_index=True)
    # A video's score is on the scale of its frames' scores, so one threshold serves both levels.
    limits: dict[str, float | None] = {
        "classifier": info.threshold,
        "anomaly": differential.threshold if differential else None,
    }
    thresholds = {score: {"frame": limit, "video": limit} for score, limit in limits.items()}
    rows = result_rows(scores, thresholds, resamples, seed)
    with staged_folder(out, overwrite) as folder:
        inputs = [ckpt, *([path] if differential else []), *map(manifest_file, manifest)]
        testbed = any(name.startswith(TESTBEDS) for name in scores["dataset"].unique())
        facts: dict[str, Any] = provenance(inputs, seed, testbed=testbed)
        facts |= {"split": split, "pairs": pairs, "encoder": info.config.name, "training_seed": info.seed}
        write_results(folder, rows, facts)
        scores.to_parquet(folder / "scores.parquet", index=False)
        (folder / "results.md").write_text((f"**{NOTE}**\n\n" if testbed else "") + markdown(rows))
        write_figures(scores, folder)
        if (config := ckpt.parent / "config.yaml").is_file():
            shutil.copy(config, folder)  # so that the folder alone says what was trained
    add_to_run(ckpt, _summary(rows), (f"evaluation/{out.name}", rows))
    print_results(rows, Console())
    if testbed:
        console.print(NOTE)
    console.print(f"results.json, results.md, scores.parquet and figures in {out}")


def read_anomaly(path: Path, ckpt: Path) -> Anomaly:
    """The anomaly model of a checkpoint. Raises `UserError` if it was fitted on another's embeddings."""
    model, settings = load_anomaly(path)
    try:
        if settings["checkpoint"] != sha256(ckpt):
            raise UserError(f"{path} was fitted on embeddings of another checkpoint than {ckpt}: run fit-anomaly again")
        return Anomaly(
            model,
            settings["combination"],
            settings["pool_size"],
            settings["max_frames"],
            settings["threshold"],
            frozenset(settings["training_keys"]),
            settings["seed"],
        )
    except KeyError as error:
        raise UserError(f"{path} is not from `difffake fit-anomaly`: it does not say its {error}") from error


def anomaly_scores(
    table: pd.DataFrame, embeddings: np.ndarray, anomaly: Anomaly, mode: PairMode
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the probes (P,) and their scores (P,), the negative log-likelihood of each pair.

    Rows without pairs give empty arrays.
    """
    rows = torch.from_numpy(embeddings)
    if anomaly.combination == "single":
        probes = np.arange(len(rows))
        features = combine(rows, rows, "single")
    else:
        pairs = _pairs(table, anomaly, mode)
        probes = pairs.probe
        features = combine(rows[pairs.reference], rows[probes], anomaly.combination)
    return probes, anomaly.model.score(features).numpy() if len(probes) else np.empty(0)


def _pairs(table: pd.DataFrame, anomaly: Anomaly, mode: PairMode) -> Pairs:
    sizes = {"seed": anomaly.seed, "max_frames": anomaly.max_frames, "pool_size": anomaly.pool_size}
    if mode == "suspect":
        return sample_pairs(pair_group(table), frame_order(table), **sizes)
    groups, order, image = subject(table), frame_order(table), original_image(table)
    return reference_pairs(groups, order, table["label"] == 0, image, **sizes)


def scored(table: pd.DataFrame, score: str, values: np.ndarray) -> pd.DataFrame:
    """Score table of a manifest's rows `table` and their `values` (N,), for `result_rows`."""
    return table.assign(score=score, value=np.asarray(values, dtype=np.float64))[[*COLUMNS, "frame"]]


def _summary(rows: list[Row]) -> dict[str, float]:
    """AUC by data set, manipulation, level and score."""
    keys = ("dataset", "method", "compression", "level", "score")
    return {"/".join(["auc", *(row[key] for key in keys if row[key])]): row["auc"] for row in rows}


def _numbered(table: pd.DataFrame, rows: np.ndarray) -> pd.DataFrame:
    return table.set_axis(rows, axis="index")
