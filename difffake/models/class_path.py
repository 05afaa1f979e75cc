"""Import of classes that a config or a checkpoint names by their path, from allowed packages only."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from importlib import import_module
from typing import Any

from torch import nn

from difffake.errors import UserError


@dataclass(frozen=True)
class EncoderClass:
    """The class path and arguments of your own encoder, as plain values, so that nothing is imported yet."""

    class_path: str
    """Path such as `my_package.MyEncoder`; `difffake.models.encoder.Encoder` says what the class must return."""
    init_args: dict[str, Any] = field(default_factory=dict)
    """Arguments of the class by name."""

    def __str__(self) -> str:
        """The text for the command line."""
        return json.dumps(asdict(self))


def read_encoder_class(value: Any) -> EncoderClass:
    """Make an `EncoderClass` from a mapping or JSON text. Raises `ValueError` or `TypeError` for other values."""
    return EncoderClass(**(json.loads(value) if isinstance(value, str) else dict(value)))


def encoder_name(encoder: str | EncoderClass) -> str:
    """Name of an encoder: its timm name, or the path of its class."""
    return encoder if isinstance(encoder, str) else encoder.class_path


def module_class(class_path: str, what: str, imports: Sequence[str] = ()) -> type[nn.Module]:
    """Import a network class, such as `my_package.encoders.MyEncoder`; arguments and errors as in `class_at`."""
    found = class_at(class_path, what, imports)
    if not issubclass(found, nn.Module):
        raise UserError(f"{what} {class_path} is no subclass of torch.nn.Module of its own package: name one")
    return found


def class_at(class_path: str, what: str, imports: Sequence[str] = ()) -> type:
    """Import a class, such as `my_package.encoders.MyEncoder`.

    Args:
        class_path: module and name of a class.
        what: kind of the class, for messages, such as `encoder`.
        imports: packages or modules outside difffake whose code may be imported; importing runs it.

    Raises:
        UserError: the class is in a package that is neither difffake nor in `imports`, or it does not exist.
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
            "that contains it"
        ) from error
    # A module may contain classes that it imports from other packages, which are not allowed.
    if not (isinstance(found, type) and _within(found.__module__, allowed)):
        raise UserError(f"{what} {class_path} is no class of its own package: name one")
    return found


def _within(module: str, packages: Sequence[str]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)
