"""A model folder: a trained detector as config.json and model.safetensors, which contain numbers and text, never code.

It is what people exchange; `difffake publish` makes one from a run. config.json has the SHA-256 of the weights, and
anomaly model and calibration have that of config.json. So one hash, of config.json, stands for the whole detector.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from difffake.errors import UserError
from difffake.files import sha256
from difffake.models.model_config import CONFIG, WEIGHTS, model_weights, read_config

Dtype = Literal["float32", "float16"]
"""Type of the weights on disk; they are used as float32."""


class ModelFolder(NamedTuple):
    """Content of a model folder's config.json, and its weights."""

    config: dict[str, Any]
    weights: dict[str, Tensor]
    """Of the detector, by name."""


def write_model(folder: Path, weights: Mapping[str, Tensor], config: Mapping[str, Any], dtype: Dtype) -> Path:
    """Write a detector into a folder that exists.

    Args:
        folder: where to write.
        weights: state dict of the detector.
        config: what config.json says; entries about the weights are added.
        dtype: type of the weights on disk. float16 halves the file, and rounds the weights.

    Returns:
        The path of config.json.

    Raises:
        UserError: a weight is too large for float16.
    """
    kind = torch.float16 if dtype == "float16" else torch.float32
    kept = {
        name: value.detach().cpu().to(kind if value.is_floating_point() else value.dtype).contiguous()
        for name, value in weights.items()
    }
    for name, value in kept.items():
        if value.is_floating_point() and not value.isfinite().all():
            raise UserError(f"{name} has numbers that are not finite as {dtype}: write float32, or train again")
    (folder / WEIGHTS).write_bytes(save(kept, {"format": "pt"}))  # save_file hides the file from other users
    about = {"file": WEIGHTS, "sha256": sha256(folder / WEIGHTS), "dtype": dtype}
    text = json.dumps({**config, "weights": about}, indent=1, allow_nan=False, ensure_ascii=False)
    (folder / CONFIG).write_text(text + "\n", encoding="utf-8")
    return folder / CONFIG


def read_model(config: Path) -> ModelFolder:
    """Read a model folder.

    Args:
        config: its config.json.

    Raises:
        UserError: a file is missing, broken or of another kind, or the weights are not those of config.json.
    """
    found = read_config(config)
    path = model_weights(config, found)
    try:
        return ModelFolder(found, load_file(path))
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path} cannot be read as weights: download or publish the folder again") from error
