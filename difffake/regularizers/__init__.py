"""Losses in addition to the classification loss, one file or folder each. The training module names none of them."""

import pkgutil
from importlib import import_module


def import_own() -> None:
    """Import every regularizer of this package, so that a config can name it by its class name without the module."""
    for module in pkgutil.walk_packages(__path__, f"{__name__}."):
        # These modules need matplotlib, which training does not need.
        if not module.name.endswith(("pictures", "figures", "figure", "measures", "reconstructions")):
            import_module(module.name)
