"""Objects that remember the arguments they were made with."""

import inspect
from dataclasses import asdict, is_dataclass
from enum import Enum
from typing import Any, Self


class Recorded:
    """Keeps the arguments of the constructor, defaults included, as plain values in `settings`.

    A checkpoint can so store, and a resumed run compare, every setting there is: a list kept by hand forgets new ones.
    Dataclasses become dicts and tuples become lists. Anything else, such as a module or a function, is left out.
    """

    settings: dict[str, Any]

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Make the object and note the arguments."""
        self = super().__new__(cls)
        if args or kwargs:  # none are given when an object is copied, which brings its settings along
            bound = inspect.signature(cls.__init__).bind_partial(self, *args, **kwargs)
            bound.apply_defaults()
            found = {name: plain(value) for name, value in list(bound.arguments.items())[1:]}
            # Not by nn.Module's own way, which is not ready yet.
            object.__setattr__(self, "settings", {name: value for name, value in found.items() if value is not _OTHER})
        return self


_OTHER = object()


def plain(value: Any) -> Any:
    """A value made of dicts, lists, texts and numbers alone, or a marker that it is something else."""
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
