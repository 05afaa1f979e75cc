"""Meso4, a small detector of 2018 that serves as a reference (Afchar et al., "MesoNet", WIFS 2018, figure 4).

Its published weights come from Keras. Their layout is changed when they are loaded.
"""

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from difffake.errors import UserError
from difffake.files import absent

SIDE = 256
"""Height and width of the input in pixels."""
_LAYERS = ((3, 8, 3, 2), (8, 8, 5, 2), (8, 16, 5, 2), (16, 16, 5, 4))
"""Input channels, output channels, side of the kernel and side of the pooling of each block."""
_EPSILON = 1e-3  # Keras' default, which the published weights were trained with


class Meso4(nn.Module):
    """Four convolutions and two fully connected layers, about 28,000 weights.

    Dropout is left out, because the network is only applied here, not trained.
    """

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.Sequential(
            *(
                nn.Sequential(
                    nn.Conv2d(inside, outside, kernel, padding="same"),
                    nn.ReLU(),
                    nn.BatchNorm2d(outside, eps=_EPSILON),
                    nn.MaxPool2d(pool),
                )
                for inside, outside, kernel, pool in _LAYERS
            )
        )
        self.hidden = nn.Linear(1024, 16)
        self.last = nn.Linear(16, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B,) of images (B, 3, 256, 256) in [0, 1], higher = more fake.

        The published network gives the probability that a face is real, so its logit is negated.
        """
        maps = self.blocks(images).permute(0, 2, 3, 1).flatten(1)  # Keras flattens height, width, channels
        logit: Tensor = self.last(nn.functional.leaky_relu(self.hidden(maps), 0.1))
        return -logit.squeeze(1)


def load_meso4(path: Path, device: torch.device | str = "cpu") -> Meso4:
    """Load the published weights of Meso4, in eval mode.

    Args:
        path: safetensors file with the arrays of Keras' HDF5 file, such as Meso4_DF.h5, under the names LAYER/WEIGHT
            (conv2d_5/kernel, batch_normalization_5/gamma, dense_3/bias). The numbers in the names of layers are not
            used, only their order.
        device: device of the network.

    Raises:
        UserError: the file is missing, is not a safetensors file, or has other arrays.
    """
    if not path.is_file():
        raise UserError(f"{path} {absent(path)}: give the weights of Meso4 as a safetensors file")
    network = Meso4()
    try:
        network.load_state_dict(_torch_layout(load_file(path)))
    except (SafetensorError, RuntimeError, LookupError, ValueError) as error:
        raise UserError(
            f"{path} does not have the weights of Meso4: give Meso4_DF.h5 of MesoNet's authors, with the arrays of "
            "Keras in a safetensors file"
        ) from error
    return network.eval().to(device)


def _torch_layout(keras: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights of Keras under the names and in the layout of `Meso4`."""

    def layers(kind: str) -> list[str]:
        found = {name.partition("/")[0] for name in keras if name.startswith(f"{kind}_")}
        return sorted(found, key=lambda layer: int(layer.rpartition("_")[2]))

    state: dict[str, Tensor] = {}
    for number, layer in enumerate(layers("conv2d")):
        state[f"blocks.{number}.0.weight"] = keras[f"{layer}/kernel"].permute(3, 2, 0, 1)
        state[f"blocks.{number}.0.bias"] = keras[f"{layer}/bias"]
    of = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}
    for number, layer in enumerate(layers("batch_normalization")):
        state |= {f"blocks.{number}.2.{name}": keras[f"{layer}/{theirs}"] for name, theirs in of.items()}
        state[f"blocks.{number}.2.num_batches_tracked"] = torch.tensor(0)
    for name, layer in zip(("hidden", "last"), layers("dense"), strict=True):
        state |= {f"{name}.weight": keras[f"{layer}/kernel"].T, f"{name}.bias": keras[f"{layer}/bias"]}
    return state
