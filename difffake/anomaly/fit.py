"""The command `fit-anomaly`: embed real training faces, pair them, and fit a density to their differences."""

from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import torch

from difffake.anomaly.combine import combine
from difffake.anomaly.mixture import GaussianMixture
from difffake.anomaly.one_class_svm import OneClassSVM
from difffake.anomaly.pairs import sample_pairs
from difffake.anomaly.storage import save_anomaly
from difffake.data.datasets import CropDataset, PairDataset
from difffake.data.keys import check_splits, content_keys, frame_order, leak_keys, pair_group
from difffake.data.manifest import Manifest
from difffake.data.pseudo import PseudoConfig
from difffake.distributed import count, everyone, own_rows, rank
from difffake.errors import UserError
from difffake.files import refuse_existing, sha256
from difffake.metrics import auc, youden_threshold
from difffake.models.checkpoint import load_detector
from difffake.models.device import choose_device
from difffake.models.embed import embed
from difffake.progress import console
from difffake.wandb_run import add_to_run

Combination = Literal["abs", "sub", "square", "cube", "concat", "single"]


def fit_anomaly(
    ckpt: Path,
    manifest: list[Path],
    out: Path | None = None,
    combination: Combination = "square",
    model: Literal["mixture", "svm"] = "mixture",
    components: int = 3,
    covariance: Literal["full", "tied", "diag", "spherical"] = "full",
    reg_covar: float = 1e-6,
    max_iter: int = 250,
    nu: float = 0.5,
    pool_size: int = 8,
    max_frames: int = 40,
    batch_size: int = 64,
    workers: int = 2,
    device: str = "auto",
    seed: int = 0,
    overwrite: bool = False,
) -> None:
    """Fit the anomaly model on pairs of real training faces, and take its threshold from the validation split.

    Args:
        ckpt: checkpoint of difffake fit.
        manifest: manifests; only real faces are used, of the split train to fit and of val for the threshold.
        out: file to write; by default anomaly.safetensors beside the checkpoint.
        combination: of two embeddings: abs, sub, square (the paper's best), cube, concat, or single (no pair).
        model: Gaussian mixture or one-class SVM.
        components: of the mixture.
        covariance: of the mixture's components.
        reg_covar: added to the diagonal of covariances.
        max_iter: most EM iterations.
        nu: of the SVM, the share of real pairs that may lie outside.
        pool_size: images of a video that the others are paired with.
        max_frames: at most so many frames a video, evenly spaced.
        batch_size: images a batch when embedding.
        workers: loader processes.
        device: auto, cpu, cuda or cuda:N.
        seed: of pairs, k-means and validation pseudo-deepfakes.
        overwrite: replace an existing file.
    """
    path = out or ckpt.parent / "anomaly.safetensors"
    refuse_existing(path, overwrite)
    data = Manifest.concat([Manifest.read(p) for p in manifest]).select(label=0)
    check_splits(data.table)
    where = choose_device(device)
    detector, info = load_detector(ckpt, where)

    train = data.select(split="train")
    if not len(train):
        raise UserError(f"no real faces in the split train of {', '.join(map(str, manifest))}")
    own = own_rows(pair_group(train.table))
    crops = CropDataset(train, info.config.image_size)
    _, _, embeddings = embed(detector, crops, own, batch_size=batch_size, workers=workers)
    probes, features = pair_features(train.table.iloc[own], embeddings, combination, seed, pool_size, max_frames)
    if not (pairs := count(len(features))):
        raise UserError(
            "no two images of one video or identity to pair: use a manifest with videos or identities, "
            "or --combination single"
        )
    density: GaussianMixture | OneClassSVM
    if model == "mixture":
        density = GaussianMixture(components, covariance, reg_covar=reg_covar, max_iter=max_iter, seed=seed)
    else:
        density = OneClassSVM(nu=nu)
    if isinstance(density, GaussianMixture):
        density.fit(features.to(where), numbers=torch.from_numpy(own[probes]))
    else:  # scikit-learn's, which has no sums to exchange
        density.fit(torch.cat(everyone(features)).to(where))
    if isinstance(density, GaussianMixture) and not density.converged:
        console.print(f"EM has not converged after {max_iter} iterations: raise --max-iter, or lower --components")

    threshold = None
    val = data.select(split="val")
    if pair_group(val.table).duplicated().any() or (combination == "single" and len(val)):
        own = own_rows(pair_group(val.table))
        size, batches = info.config.image_size, {"batch_size": batch_size, "workers": workers}
        real = embed(detector, CropDataset(val, size), own, **batches, description="validation")
        forged = PairDataset(val, size, "pseudo", PseudoConfig(), None, seed)
        both = embed(detector, forged, own, **batches, description="validation, forged")
        # The same pairs of untouched real faces, as they were fitted, and of the pseudo-deepfakes made from them.
        real_pairs, forged_pairs = (
            pair_features(val.table.iloc[own], part, combination, seed, pool_size, max_frames)[1]
            for part in (real[2], both[2][1::2])
        )
        threshold = _threshold(density, real_pairs, forged_pairs)
    else:
        console.print("no pairs in the split val, so the anomaly score gets no threshold (no ACC)")

    if rank() > 0:
        return
    save_anomaly(
        path,
        density,
        {
            "combination": combination,
            "pool_size": pool_size,
            "max_frames": max_frames,
            "threshold": threshold,
            "training_keys": sorted(
                set().union(*(leak_keys(p.table, data.table) | content_keys(p.table, p.root) for p in (train, val)))
            ),
            "checkpoint": sha256(ckpt),
            "seed": seed,
        },
    )
    facts = {"anomaly/pairs": float(pairs)} | ({} if threshold is None else {"anomaly/threshold": threshold})
    if isinstance(density, GaussianMixture):
        facts["anomaly/log_likelihood"] = density.history[-1]
    add_to_run(ckpt, facts, None)
    console.print(f"{pairs} pairs fitted: {path}")


def _threshold(density: GaussianMixture | OneClassSVM, real: torch.Tensor, forged: torch.Tensor) -> float:
    """Youden's threshold between the features of pairs (P, D) of real validation faces and of their forgeries.

    Of the pairs of all ranks.
    """
    scores = [
        np.concatenate(everyone(density.score(features).cpu().numpy() if len(features) else np.empty(0)))
        for features in (real, forged)
    ]
    label, score = np.repeat([0, 1], [len(part) for part in scores]), np.concatenate(scores)
    console.print(f"AUC of validation pairs, real against pseudo-deepfakes: {auc(label, score):.4f}")
    return youden_threshold(label, score)


def pair_features(
    table: pd.DataFrame, embeddings: np.ndarray, combination: str, seed: int, pool_size: int, max_frames: int
) -> tuple[np.ndarray, torch.Tensor]:
    """Probes (P,) and combined embeddings (P, D') of the pairs of a `table`, whose rows `embeddings` (N, D) belong to.

    For the combination `single`, every row by itself.
    """
    rows = torch.from_numpy(embeddings)
    if combination == "single":
        return np.arange(len(rows)), combine(rows, rows, combination)
    pairs = sample_pairs(pair_group(table), frame_order(table), seed=seed, max_frames=max_frames, pool_size=pool_size)
    return pairs.probe, combine(rows[pairs.reference], rows[pairs.probe], combination)
