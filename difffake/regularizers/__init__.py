"""Losses beside the classification loss. Each is a file or a folder here; the training module knows none by name."""

import pkgutil
from importlib import import_module


def import_own() -> None:
    """Import every regularizer of this package, so that a config can name it by its class alone."""
    for module in pkgutil.walk_packages(__path__, f"{__name__}."):
        # Pictures need matplotlib, which a run need not load.
        if not module.name.endswith(("pictures", "figures", "figure", "measures", "reconstructions")):
            import_module(module.name)
