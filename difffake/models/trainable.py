"""Choice of the part of an encoder that is trained; the rest is frozen."""

import re
from collections.abc import Callable
from typing import Any

from torch import nn

from difffake.errors import UsageError, UserError


def freeze(network: nn.Module, trainable: str, name: str) -> tuple[nn.Module, ...] | None:
    """Freeze an encoder's network except one part.

    Frozen parameters get no gradient, and no activations are kept for the backward pass below the first trained
    parameter.

    Args:
        network: the network; `requires_grad` of its parameters is changed.
        trainable: `all`; `norm`: scale and shift of normalization layers (as GenD, arXiv 2508.06248, tunes CLIP, PE and
            DINO); `head`: nothing of the network, because the head is outside it; or `last_blocks N`: the last N blocks
            and all layers after them, such as the last normalization. timm's `group_matcher` defines the blocks, such
            as residual blocks of a convolutional network or layers of a transformer.
        name: name of the network, for messages.

    Returns:
        The modules that are trained; None for the whole network.

    Raises:
        UserError: `trainable` is unknown, there are fewer blocks, or the network has no such parts.
    """
    if trainable == "all":
        return None
    blocks = re.fullmatch(r"last_blocks ([1-9]\d*)", trainable)
    if blocks:
        chosen = _last_blocks(network, int(blocks[1]), name)
    elif trainable == "norm":
        chosen = _normalization(network, name)
    elif trainable == "head":
        chosen = set()
    else:
        raise UsageError(
            f"--model.trainable {trainable} is unknown: write all, norm, head, or last_blocks N with N from 1"
        )
    frozen = set()
    for parameter_name, parameter in network.named_parameters():
        if parameter_name not in chosen:
            parameter.requires_grad_(False)
            frozen.add(parameter_name)
    return tuple(_learning(network, "", frozen))


def _normalization(network: nn.Module, name: str) -> set[str]:
    """Parameters of layers whose class has "norm" in its name, of any library."""
    found = {
        f"{layer_name}.{parameter_name}".removeprefix(".")
        for layer_name, layer in network.named_modules()
        if "norm" in type(layer).__name__.lower()
        for parameter_name, parameter in layer.named_parameters(recurse=False)
        if parameter.ndim == 1
    }
    if not found:
        raise UserError(f"--model.trainable norm: encoder {name} has no normalization layers: write last_blocks N")
    return found


def _last_blocks(network: nn.Module, count: int, name: str) -> set[str]:
    grouping: Callable[..., Any] | None = getattr(network, "group_matcher", None)
    if grouping is None:
        raise UserError(
            f"--model.trainable last_blocks: encoder {name} does not say what its blocks are by a `group_matcher` "
            "method, as timm's networks do: write all, norm or head"
        )
    from timm.models._manipulate import group_parameters, group_with_matcher

    matcher = grouping(coarse=False)
    group = group_parameters(network, matcher, reverse=True)
    # timm puts layers that belong to no block into a last group; a name that matches nothing shows its number.
    after = group_with_matcher(((key, key) for key in (*group, "~")), matcher, reverse=True)["~"]
    first = min(group.values())  # the stem
    if count > after - first - 1:
        raise UserError(
            f"--model.trainable last_blocks {count}: encoder {name} has {after - first - 1} blocks: write fewer"
        )
    return {key for key, number in group.items() if number >= after - count}


def _learning(module: nn.Module, prefix: str, frozen: set[str]) -> list[nn.Module]:
    """The largest modules with parameters of which none is frozen; their dropout and batch statistics are active."""
    own = [f"{prefix}{key}" for key, _ in module.named_parameters()]
    if not own:
        return []
    if not any(key in frozen for key in own):
        return [module]
    return [part for key, child in module.named_children() for part in _learning(child, f"{prefix}{key}.", frozen)]
