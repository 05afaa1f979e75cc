"""The interface of anomaly models, with built-in models and classes of your own."""

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
    """A model of the features of real pairs. It scores other pairs by their distance from the real ones.

    Your own class needs these methods and an `__init__` without required arguments. Use it with
    `difffake fit-anomaly --model my_package.MyDensity`. Its file stores the class path; to read the file, name the
    package with --imports.
    """

    def fit(self, x: Tensor, *, numbers: Tensor | None = None) -> Self:
        """Fit the model on the device of `x`. With several ranks, the result must be the same on all ranks.

        Args:
            x: features (N, D), float32; with several ranks, only this rank's rows. Exchange sums with
                `difffake.distributed.total`, or rows with `difffake.distributed.everyone`.
            numbers: number (N,) int64 of each row among the rows of all ranks; None if all rows are here.

        Returns:
            The model itself.
        """
        ...

    def score(self, x: Tensor) -> Tensor:
        """Anomaly scores (N,), float64, of features `x` (N, D), computed on their device; higher = more anomalous."""
        ...

    def to(self, device: torch.device | str) -> Self:
        """Move the fitted model to `device` and return it."""
        ...

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors, and settings that can be written as JSON: everything that `from_state` needs."""
        ...

    @classmethod
    def from_state(cls, tensors: dict[str, Tensor], settings: dict[str, Any]) -> Self:
        """Make the fitted model from the result of `state`, on the CPU."""
        ...


_BUILT_IN: dict[str, type[Density]] = {model.kind: model for model in (GaussianMixture, OneClassSVM)}


def density_kind(model: Density) -> str:
    """The model's name in a file: a built-in kind, or the path of its class."""
    cls = type(model)
    return next((kind for kind, known in _BUILT_IN.items() if known is cls), f"{cls.__module__}.{cls.__qualname__}")


def density_class(kind: str, imports: Sequence[str] = ()) -> type[Density]:
    """Find the class of an anomaly model.

    Args:
        kind: a built-in kind, or a class path such as `my_package.MyDensity`.
        imports: packages outside difffake whose code may be imported.

    Raises:
        UserError: the kind is unknown, its package is not in `imports`, or the class lacks a method.
    """
    if kind in _BUILT_IN:
        return _BUILT_IN[kind]
    if "." not in kind:
        raise UsageError(f"anomaly model {kind} is unknown: write mixture or svm, or give the path of a class")
    found: Any = class_at(kind, "anomaly model", imports)
    if missing := [name for name in _METHODS if not callable(getattr(found, name, None))]:
        raise UserError(f"anomaly model {kind} has no {', '.join(missing)}: see difffake.anomaly.density.Density")
    return found
