"""Objects that record the arguments of their constructor."""

import inspect
from dataclasses import asdict, is_dataclass
from enum import Enum
from typing import Any, Self


class Recorded:
    """Keeps the arguments of the constructor, including defaults, as plain values in `settings`.

    So a checkpoint stores every setting, also new ones, and a resumed run compares them. Dataclasses become dicts, and
    tuples become lists. Other values, such as modules and functions, are left out.
    """

    settings: dict[str, Any]

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Make the object and record the arguments."""
        self = super().__new__(cls)
        if args or kwargs:  # when an object is copied, there are no arguments, and its settings are copied
            bound = inspect.signature(cls.__init__).bind_partial(self, *args, **kwargs)
            bound.apply_defaults()
            found = {name: plain(value) for name, value in list(bound.arguments.items())[1:]}
            # nn.Module's own __setattr__ cannot be used before its __init__.
            object.__setattr__(self, "settings", {name: value for name, value in found.items() if value is not _OTHER})
        return self


_OTHER = object()


def plain(value: Any) -> Any:
    """The value as dicts, lists, texts and numbers; a marker if this is not possible."""
    if is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, dict):
        found = {str(name): plain(part) for name, part in value.items()}
        return _OTHER if any(part is _OTHER for part in found.values()) else found
    if isinstance(value, list | tuple):
        parts = [plain(part) for part in value]
        return _OTHER if any(part is _OTHER for part in parts) else parts
    return value if value is None or isinstance(value, str | int | float | bool) else _OTHER
