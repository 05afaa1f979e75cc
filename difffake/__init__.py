"""Deepfake detection that generalizes to forgeries not seen in training."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from difffake.predict.predictor import Predictor

__version__ = "0.1.0"
__all__ = ["Predictor", "__version__"]


def __getattr__(name: str) -> Any:
    """Import `Predictor` at its first use, because the libraries that it needs take seconds to load."""
    if name == "Predictor":
        from difffake.predict.predictor import Predictor

        return Predictor
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
