"""Classes that a config or a checkpoint names by their path, imported only from where that is allowed."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from importlib import import_module
from typing import Any

from torch import nn

from difffake.errors import UserError


@dataclass(frozen=True)
class EncoderClass:
    """An encoder of one's own, as plain values, so that naming one imports nothing."""

    class_path: str
    """Such as `my_package.MyEncoder`; see `difffake.models.encoder.Encoder` for what it must give."""
    init_args: dict[str, Any] = field(default_factory=dict)
    """Arguments of the class by name."""

    def __str__(self) -> str:
        """As it is written on the command line."""
        return json.dumps(asdict(self))


def read_encoder_class(value: Any) -> EncoderClass:
    """From a mapping, or JSON on a command line. Raises `ValueError` or `TypeError` for anything else."""
    return EncoderClass(**(json.loads(value) if isinstance(value, str) else dict(value)))


def encoder_name(encoder: str | EncoderClass) -> str:
    """What an encoder is called: its timm name, or the path of its class."""
    return encoder if isinstance(encoder, str) else encoder.class_path


def module_class(class_path: str, what: str, imports: Sequence[str] = ()) -> type[nn.Module]:
    """The network class at a path such as `my_package.encoders.MyEncoder`; arguments and errors as of `class_at`."""
    found = class_at(class_path, what, imports)
    if not issubclass(found, nn.Module):
        raise UserError(f"{what} {class_path} is no subclass of torch.nn.Module of its own package: name one")
    return found


def class_at(class_path: str, what: str, imports: Sequence[str] = ()) -> type:
    """The class at a path such as `my_package.encoders.MyEncoder`.

    Args:
        class_path: module and name of a class.
        what: the class in words, for messages, such as `encoder`.
        imports: packages or modules outside difffake whose code may be imported; importing runs it.

    Raises `UserError` if the path lies outside difffake and `imports`, or leads to no class.
    """
    module, _, name = class_path.rpartition(".")
    allowed = ("difffake", *imports)
    if not _within(module, allowed):
        raise UserError(
            f"{what} {class_path} is code outside difffake: add --imports {class_path.split('.')[0]} if you trust it"
        )
    try:
        found = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise UserError(
            f"{what} {class_path} cannot be imported ({error}): install its package, or set PYTHONPATH to the folder "
            "above it"
        ) from error
    # A module may have names of other packages in it, which are not allowed with it.
    if not (isinstance(found, type) and _within(found.__module__, allowed)):
        raise UserError(f"{what} {class_path} is no class of its own package: name one")
    return found


def _within(module: str, packages: Sequence[str]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)
