"""Deepfake detection that generalizes to forgeries never seen in training."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from difffake.predict.predictor import Predictor

__version__ = "0.1.0"
__all__ = ["Predictor", "__version__"]


def __getattr__(name: str) -> Any:
    """`Predictor`, imported when it is first asked for: the libraries below it take seconds to load."""
    if name == "Predictor":
        from difffake.predict.predictor import Predictor

        return Predictor
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
