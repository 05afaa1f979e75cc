"""Importing one module of a large package without all the others that its `__init__` imports."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec, module_from_spec


@contextmanager
def bare(packages: Sequence[str], absent: Sequence[str] = ()) -> Iterator[None]:
    """Within the block, submodules of `packages` can be imported, but what the packages' `__init__` does is left out.

    Afterwards all is as if none of it had been imported: a later import elsewhere gets the whole package, and the
    objects made in the block keep their own copy of what they use. So they cannot be pickled.

    Args:
        packages: from the outside in, such as `timm` and `timm.models`. None of them may have been imported before.
        absent: modules that count as not installed in the block, such as optional parts that take seconds to import.

    Raises `ImportError` if a package is not installed or has been imported before.
    """
    absent = [name for name in absent if name not in sys.modules]  # what is there already costs nothing
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
            sys.modules[name] = None  # type: ignore[assignment]  # as the import system has it for "not there"
        yield
    finally:
        for name in [name for name in sys.modules if name.split(".")[0] in roots]:
            del sys.modules[name]
