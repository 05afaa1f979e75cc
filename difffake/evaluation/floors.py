"""Reference detectors that any result should beat: the size of the file, and a small network of 2018."""

import os
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import torch
from scipy.special import expit

from difffake.data.batches import to_unit
from difffake.data.datasets import CropDataset
from difffake.data.loading import loader
from difffake.data.manifest import Manifest
from difffake.data.packed import read_crop
from difffake.distributed import everyone, own_rows
from difffake.errors import UserError
from difffake.evaluation.evaluate import Loading, scored
from difffake.files import absent
from difffake.models.meso4 import SIDE, Meso4, load_meso4
from difffake.progress import track
from difffake.workers import in_order

FILE_SIZE, MESO4 = "file size", "Meso4"
VARIABLE = "DIFFFAKE_MESO4"
JPEG_QUALITY = 75
NO_WEIGHTS = (
    f"floors: no weights of {MESO4}, so only the {FILE_SIZE}; give a safetensors file as --meso4 or ${VARIABLE}"
)


def meso4_weights(given: Path | None) -> Path | None:
    """The file with Meso4's weights: `given`, else $DIFFFAKE_MESO4, else None.

    Raises `UserError` if the file does not exist.
    """
    named = given or (Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None)
    if named is not None and not named.is_file():
        raise UserError(f"{named} ({'--meso4' if given else f'${VARIABLE}'}) {absent(named)}: give Meso4's weights")
    return named


def floor_scores(
    tests: Sequence[Manifest], weights: Path | None, loading: Loading, device: torch.device | str = "cpu"
) -> pd.DataFrame:
    """Score every row with the reference detectors. The ranks share the work, and each gets the whole table.

    The file size is minus the number of bytes of the crop as JPEG with quality 75, because forgeries are smoother and
    so smaller. It is measured anew, since crops are stored without loss, in files or in a pack. Meso4's score is its
    probability that the face is fake.

    Args:
        tests: rows to score.
        weights: file with Meso4's weights, see `difffake.models.meso4.load_meso4`; None leaves it out.
        loading: settings of loading; its size of the images is not used.
        device: device of Meso4.

    Returns:
        A score table, see `difffake.evaluation.results`.

    Raises:
        UserError: the weights or a crop cannot be read.
    """
    network = load_meso4(weights, device) if weights else None
    tables = []
    for test in tests:
        own = own_rows(np.arange(len(test)).astype(str))
        found = {FILE_SIZE: _sizes(test, own, loading)}
        if network:
            found[MESO4] = _fake_probability(network, test, own, loading)
        for name, values in found.items():
            whole = np.empty(len(test))
            for rows, part in everyone((own, values)):
                whole[rows] = part
            tables.append(scored(test.table, name, whole))
    return pd.concat(tables, ignore_index=True)


def jpeg_size(path: Path) -> int:
    """Number of bytes of a crop as JPEG."""
    image = cv2.cvtColor(read_crop(path), cv2.COLOR_RGB2BGR)
    return len(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1])


def _sizes(test: Manifest, own: np.ndarray, loading: Loading) -> np.ndarray:
    files = [test.file(row) for row in own.tolist()]
    sizes = in_order(jpeg_size, files, max(1, loading.workers))
    return -np.array(list(track(sizes, FILE_SIZE, total=len(files))), dtype=np.float64)


@torch.inference_mode()
def _fake_probability(network: Meso4, test: Manifest, own: np.ndarray, loading: Loading) -> np.ndarray:
    device = next(network.parameters()).device
    keys = [(0, row) for row in own.tolist()]
    batches = loader(CropDataset(test, SIDE), loading.batch_size, loading.workers, keys)
    logits = [np.empty(0, np.float32)]
    for batch in track(batches, MESO4, total=len(batches)) if keys else ():
        logits.append(network(to_unit(batch["image"].to(device))).cpu().numpy())
    return expit(np.concatenate(logits).astype(np.float64))
