"""Import one module of a large package without the other modules that its `__init__` imports."""

import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec, module_from_spec

one_at_a_time = threading.RLock()
"""Held in `bare`; hold it also where it is decided whether a package was imported before."""


@contextmanager
def bare(packages: Sequence[str], absent: Sequence[str] = ()) -> Iterator[None]:
    """In the block, submodules of `packages` can be imported without running the packages' `__init__`.

    Afterwards, `sys.modules` is as before: a later import gets the whole package. Objects that were made in the block
    keep their own copies of modules, so they cannot be pickled.

    Only one thread at a time may be in such a block; another one waits.

    Args:
        packages: names of packages, the outermost first, such as `timm` and `timm.models`. None of them may have been
            imported before.
        absent: modules that look as if they were not installed, such as optional parts that take seconds to import.

    Raises `ImportError` if a package is not installed or has been imported before.
    """
    with one_at_a_time:
        absent = [name for name in absent if name not in sys.modules]  # an imported module costs nothing
        roots = {name.split(".")[0] for name in (*packages, *absent)}
        if loaded := sorted(roots & set(sys.modules)):
            raise ImportError(f"{loaded[0]} has been imported before")
        try:
            for name in packages:
                spec = find_spec(name)
                if spec is None:
                    raise ImportError(f"{name} is not installed")
                sys.modules[name] = module_from_spec(spec)
            for name in absent:
                sys.modules[name] = None  # type: ignore[assignment]  # the import system's mark of a missing module
            yield
        finally:
            for name in [name for name in sys.modules if name.split(".")[0] in roots]:
                del sys.modules[name]
