"""Meso4 against its layers in NumPy, as Keras defines them, and its AUC on genuine deepfakes."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from scipy.signal import correlate
from scipy.special import expit, logit
from sklearn.metrics import roc_auc_score

from difffake.data.batches import to_tensors, to_unit
from difffake.errors import UserError
from difffake.faces.images import read_image
from difffake.models.meso4 import SIDE, load_meso4

SHAPES = ((3, 3, 3, 8), (5, 5, 8, 8), (5, 5, 8, 16), (5, 5, 16, 16))
Arrays = dict[str, NDArray[np.float32]]


@pytest.fixture(scope="module")
def arrays() -> Arrays:
    """Random weights in the layout and with the names of Keras' file."""
    rng = np.random.default_rng(0)
    found = {}
    for number, shape in enumerate(SHAPES, start=5):
        found[f"conv2d_{number}/kernel"] = rng.normal(0, 1 / np.sqrt(np.prod(shape[:3])), shape)
        found[f"conv2d_{number}/bias"] = rng.normal(0, 0.1, shape[3])
        for name in ("gamma", "moving_variance"):
            found[f"batch_normalization_{number}/{name}"] = rng.uniform(0.5, 1.5, shape[3])
        for name in ("beta", "moving_mean"):
            found[f"batch_normalization_{number}/{name}"] = rng.normal(0, 0.2, shape[3])
    found["dense_3/kernel"] = rng.normal(0, 0.05, (1024, 16))
    found["dense_3/bias"] = rng.normal(0, 0.1, 16)
    found["dense_4/kernel"] = rng.normal(0, 0.5, (16, 1))
    found["dense_4/bias"] = rng.normal(0, 0.1, 1)
    return {name: array.astype(np.float32) for name, array in found.items()}


def written(arrays: Arrays, folder: Path) -> Path:
    path = folder / "meso4.safetensors"
    save_file({name: torch.from_numpy(array) for name, array in arrays.items()}, path)
    return path


def keras_output(arrays: Arrays, image: NDArray[np.float64]) -> float:
    """The network's output, the probability of a real face, for an image (256, 256, 3) in [0, 1]."""
    x = image
    for number, pool in zip(range(5, 9), (2, 2, 2, 4), strict=True):
        kernel = arrays[f"conv2d_{number}/kernel"].astype(np.float64)
        planes = [
            sum(correlate(x[..., i], kernel[..., i, o], mode="same", method="direct") for i in range(x.shape[2]))
            for o in range(kernel.shape[3])
        ]
        x = np.maximum(np.stack(planes, axis=-1) + arrays[f"conv2d_{number}/bias"], 0)
        norm = {name: arrays[f"batch_normalization_{number}/{name}"].astype(np.float64)
                for name in ("gamma", "beta", "moving_mean", "moving_variance")}  # fmt: skip
        x = (x - norm["moving_mean"]) / np.sqrt(norm["moving_variance"] + 1e-3) * norm["gamma"] + norm["beta"]
        height, width, channels = x.shape
        x = x.reshape(height // pool, pool, width // pool, pool, channels).max(axis=(1, 3))
    hidden = x.ravel() @ arrays["dense_3/kernel"] + arrays["dense_3/bias"]
    hidden = np.where(hidden > 0, hidden, 0.1 * hidden)
    return float(expit(hidden @ arrays["dense_4/kernel"] + arrays["dense_4/bias"])[0])


def test_whole_network_is_keras_by_hand(arrays: Arrays, tmp_path: Path) -> None:
    network = load_meso4(written(arrays, tmp_path))
    images = np.random.default_rng(1).random((2, SIDE, SIDE, 3))
    with torch.inference_mode():
        found = network(torch.from_numpy(images.astype(np.float32)).permute(0, 3, 1, 2)).numpy()
    real = np.array([keras_output(arrays, image) for image in images])
    assert np.abs(np.diff(real)) > 1e-4  # the output depends on the image
    np.testing.assert_allclose(found, -logit(real), atol=2e-5)


def test_other_files_are_refused(arrays: Arrays, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.safetensors does not exist"):
        load_meso4(tmp_path / "none.safetensors")
    (tmp_path / "text.safetensors").write_text("no weights")
    fewer = {name: array for name, array in arrays.items() if name != "dense_4/bias"}
    for path in (tmp_path / "text.safetensors", written(fewer, tmp_path)):
        with pytest.raises(UserError, match="does not have the weights of Meso4"):
            load_meso4(path)


def test_auc_on_genuine_deepfakes(shared_data: Path) -> None:
    """0.598 [0.582, 0.613] was measured elsewhere on all 5,599 images; every eighth original with its fakes here."""
    weights = shared_data.parent / "models" / "meso4_df.safetensors"
    folder = shared_data / "dfdc_faces"
    if not (weights.is_file() and folder.is_dir()):
        pytest.skip("no weights of Meso4, or no DFDC faces")
    table = pd.read_csv(folder / "manifest.csv")
    table = table[table["original"].isin(sorted(table["original"].unique())[::8])]
    network = load_meso4(weights)
    scores = []
    with torch.inference_mode():
        for start in range(0, len(table), 64):
            files = table["file"].iloc[start : start + 64]
            images = to_tensors([read_image(folder / "images" / file) for file in files], SIDE)
            scores.append(network(to_unit(images)).numpy())
    assert 0.582 < roc_auc_score(table["label"] == "fake", np.concatenate(scores)) < 0.613
