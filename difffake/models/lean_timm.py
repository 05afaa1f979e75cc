"""Import of one timm network without all others, whose import takes seconds."""

import re
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from difffake.narrow_imports import bare, one_at_a_time

_PACKAGES = ("timm", "timm.data", "timm.models", "torchvision", "torchvision.ops")
# timm's layers import torchvision, if it is installed, and with it torch's compiler. They also import huggingface_hub,
# but nothing is downloaded to build the network of a checkpoint.
_ABSENT = ("torchvision.models", "huggingface_hub")


@contextmanager
def lean_timm(name: str) -> Iterator[None]:
    """In the block, `import timm` gives only what is needed to make the network `name` (with or without a tag).

    It has `create_model`, `is_model` and similar functions. The block gets all of timm if timm was imported, does
    not know the name, or has a version for which this does not work. A network that was made in the block cannot be
    pickled or compiled; its weights can be saved and loaded.
    """
    with one_at_a_time, ExitStack() as stack:
        module = None if {"timm", "torchvision"} & set(sys.modules) else _module_of(name.split(".")[0])
        if module:
            try:
                stack.enter_context(bare(_PACKAGES, _ABSENT))
                _fill(module)
            except Exception:  # another version of timm: importing all of it works
                stack.close()
        yield


def _fill(module: str) -> None:
    """Import a module of timm.models, and add to the bare packages the names that other modules import from them."""
    timm, data = sys.modules["timm"], sys.modules["timm.data"]
    vars(timm)["__version__"] = import_module("timm.version").__version__
    vars(data).update(_public("timm.data.constants"))
    import_module(f"timm.models.{module}")
    vars(timm).update(_public("timm.models._registry") | _public("timm.models._factory"))


def _public(module: str) -> dict[str, object]:
    return {name: value for name, value in vars(import_module(module)).items() if not name.startswith("_")}


def _module_of(network: str) -> str | None:
    """The module of timm.models that defines a network, found by reading its source."""
    spec = find_spec("timm")
    pattern = re.compile(rf"^def {re.escape(network)}\(", re.MULTILINE)
    for folder in (spec and spec.submodule_search_locations) or ():
        for file in sorted(Path(folder, "models").glob("[!_]*.py")):
            if pattern.search(file.read_text(encoding="utf-8")):
                return file.stem
    return None
