"""What an anomaly model is: a density, or anything else that scores features; the built-in ones and your own."""

from collections.abc import Sequence
from typing import Any, Protocol, Self

import torch
from torch import Tensor

from difffake.anomaly.mixture import GaussianMixture
from difffake.anomaly.one_class_svm import OneClassSVM
from difffake.errors import UsageError, UserError
from difffake.models.class_path import class_at

_METHODS = ("fit", "score", "to", "state", "from_state")


class Density(Protocol):
    """A model of the features of real pairs that scores others by how far they are from them.

    A class of your own with these methods, and an `__init__` that needs no arguments, is taken by
    `difffake fit-anomaly --model my_package.MyDensity`. A file of it names the class path, and is read only where that
    package is named with --imports.
    """

    def fit(self, x: Tensor, *, numbers: Tensor | None = None) -> Self:
        """Fit the features `x` (N, D), float32, on their device.

        On several ranks `x` are a rank's own rows, and the model must come out the same everywhere: exchange sums
        with `difffake.distributed.total`, or rows with `difffake.distributed.everyone`. `numbers` (N,) int64 say which
        row of the whole each one is; None means that all rows are here.
        """
        ...

    def score(self, x: Tensor) -> Tensor:
        """Anomaly scores (N,), float64, of the features `x` (N, D), on their device; higher = more anomalous."""
        ...

    def to(self, device: torch.device | str) -> Self:
        """Move the fitted model to `device`, where scores are then computed; gives itself."""
        ...

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors, and settings that JSON can hold; together all that `from_state` needs."""
        ...

    @classmethod
    def from_state(cls, tensors: dict[str, Tensor], settings: dict[str, Any]) -> Self:
        """The fitted model that `state` described, on the CPU."""
        ...


_BUILT_IN: dict[str, type[Density]] = {model.kind: model for model in (GaussianMixture, OneClassSVM)}


def density_kind(model: Density) -> str:
    """What a file calls the model: a built-in kind, or the path of its class."""
    cls = type(model)
    return next((kind for kind, known in _BUILT_IN.items() if known is cls), f"{cls.__module__}.{cls.__qualname__}")


def density_class(kind: str, imports: Sequence[str] = ()) -> type[Density]:
    """The class of a built-in kind, or at a class path such as `my_package.MyDensity`.

    `imports` are the packages outside difffake whose code may be imported. Raises `UserError` for an unknown kind, a
    class outside of them, or one that lacks a method.
    """
    if kind in _BUILT_IN:
        return _BUILT_IN[kind]
    if "." not in kind:
        raise UsageError(f"anomaly model {kind} is unknown: write mixture or svm, or name a class by its path")
    found: Any = class_at(kind, "anomaly model", imports)
    if missing := [name for name in _METHODS if not callable(getattr(found, name, None))]:
        raise UserError(f"anomaly model {kind} has no {', '.join(missing)}: see difffake.anomaly.density.Density")
    return found
