"""The command `fit-anomaly`: fit a density to the natural differences between real faces of one person."""

from pathlib import Path
from typing import Annotated, Literal

import numpy as np

from difffake.anomaly.file import FILE
from difffake.anomaly.fit import DensityConfig, fit_density, training_keys, validation_threshold
from difffake.anomaly.forged import forge_as_in_training
from difffake.anomaly.scoring import Pairing
from difffake.anomaly.storage import save_anomaly
from difffake.commands.parse import AtLeast
from difffake.data.choice import Choice, choose_rows, refuse_mixture
from difffake.data.datasets import CropDataset, PairDataset
from difffake.data.keys import check_splits
from difffake.data.manifest import Manifest, read_manifests
from difffake.distributed import rank
from difffake.errors import UserError
from difffake.files import refuse_existing_file, sha256
from difffake.models.checkpoint import load_detector
from difffake.models.device import choose_device
from difffake.models.embed import embed
from difffake.models.model_config import checkpoint_file
from difffake.progress import console
from difffake.wandb_run import add_to_run

EXAMPLES = (
    "difffake fit-anomaly --ckpt runs/lfw --manifest data/lfw",
    "difffake fit-anomaly --ckpt runs/lfw --manifest data/lfw --components 1 --combination abs",
    "difffake fit-anomaly --ckpt runs/lfw --manifest data/lfw --model my_package.MyDensity",
)
RANKS = True


def fit_anomaly(
    ckpt: Path,
    manifest: list[Path],
    out: Path | None = None,
    compressions: list[str] = [],  # noqa: B006  # never changed
    combination: Literal["abs", "sub", "square", "cube", "learned", "concat", "single"] = "square",
    model: str = "mixture",
    components: Annotated[int, AtLeast(1)] = 3,
    covariance: Literal["auto", "full", "tied", "diag", "spherical"] = "auto",
    reg_covar: Annotated[float, AtLeast(0)] = 1e-6,
    max_iter: Annotated[int, AtLeast(1)] = 250,
    nu: float = 0.5,
    pool_size: Annotated[int, AtLeast(1)] = 8,
    max_frames: Annotated[int, AtLeast(2)] = 40,
    batch_size: Annotated[int, AtLeast(1)] = 64,
    workers: Annotated[int, AtLeast(0)] = 2,
    device: str = "auto",
    imports: list[str] = [],  # noqa: B006  # never changed
    seed: Annotated[int, AtLeast(0)] = 0,
    overwrite: bool = False,
) -> None:
    """Fit the anomaly model to pairs of real training faces, and choose its threshold on the validation split.

    Args:
        ckpt: checkpoint of difffake fit, or the run folder, whose best.ckpt is used.
        manifest: manifests with real faces; fakes are not used. The model is fitted to the split train; the split val
            gives the threshold.
        out: file to write; by default anomaly.safetensors beside the checkpoint.
        compressions: use only faces of these compressions, such as c23, and faces whose compression is unknown. The
            default is all, if the splits train and val have only one: several are mixed only if all are named.
        combination: how the two embeddings of a pair are combined into one feature vector. square is the best in the
            DiffFake paper; learned trains a small network on pairs of real faces against pairs with a pseudo-deepfake;
            single uses each image alone, without pairs.
        model: mixture (of Gaussians), svm (one-class), or the class path of your own model.
        components: number of Gaussians in the mixture. More Gaussians fit the data more closely and need more pairs.
        covariance: form of the covariance matrices. auto means full if the feature vectors of all pairs hold at least
            4 numbers per parameter of the mixture (about 2 D pairs per component for embeddings of D numbers), else
            diag.
        reg_covar: number that is added to the variances, so that covariances can be inverted. Larger values give
            smoother scores.
        max_iter: largest number of iterations of expectation maximization.
        nu: largest share of real pairs that may lie outside the boundary of the SVM.
        pool_size: number of images per video or person that the other images are compared with.
        max_frames: largest number of images per video or person, evenly spaced.
        batch_size: images per batch; it changes only speed and memory.
        workers: number of processes that load images; 0 loads them in the main process.
        device: auto, cpu, cuda or cuda:N.
        imports: packages of your own whose code may run, if the encoder or the anomaly model is in one of them.
        seed: random seed of the pairs, the start of the mixture and the pseudo-deepfakes of the validation split.
        overwrite: replace an existing file.
    """
    ckpt = checkpoint_file(ckpt)
    path = out or ckpt.parent / FILE
    refuse_existing_file(path, overwrite, [ckpt])
    config = DensityConfig(model, components, covariance, reg_covar, max_iter, nu, imports, seed)
    pairing = Pairing(combination, pool_size, max_frames, seed)
    chosen = choose_rows(read_manifests(manifest), Choice(compressions=compressions))
    data = Manifest.concat(chosen).select(label=0)
    check_splits(data.table)
    if not compressions:
        refuse_mixture(data, "--compressions")
    train, val = data.select(split="train"), data.select(split="val")
    if not len(train):
        raise UserError(f"no real faces in the split train of {', '.join(map(str, manifest))}")
    data.check_files(("train", "val"))
    where = choose_device(device)
    detector, info = load_detector(ckpt, where, imports)
    size = info.config.image_size

    def embedded(dataset: CropDataset | PairDataset, rows: np.ndarray, description: str) -> np.ndarray:
        return embed(detector, dataset, rows, batch_size=batch_size, workers=workers, description=description)[2]

    forge = forge_as_in_training(info, chosen, ("train", "val"), where, seed)
    fitted = fit_density(train, size, embedded, pairing, config, forge, where)
    threshold = validation_threshold(val, size, embedded, fitted, forge, where)
    if rank() > 0:
        return
    keys, validation_keys = training_keys(train, val, data)
    save_anomaly(
        path,
        fitted.density,
        {
            "combination": combination,
            "pool_size": pool_size,
            "max_frames": max_frames,
            "threshold": threshold,
            "training_keys": keys,
            "validation_keys": validation_keys,
            "checkpoint": sha256(ckpt),
            "seed": seed,
        },
        fitted.pairing.network,
    )
    facts = {"anomaly/pairs": float(fitted.pairs)} | ({} if threshold is None else {"anomaly/threshold": threshold})
    if history := fitted.density.state()[1].get("history"):
        facts["anomaly/log_likelihood"] = history[-1]
    add_to_run(ckpt, facts, None)
    console.print(f"{fitted.pairs} pairs fitted: {path}")
