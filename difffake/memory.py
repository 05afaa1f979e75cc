"""How the C library keeps memory, on which the speed of a network on a CPU depends."""

import ctypes
import os

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of <malloc.h>
_LARGE = 1 << 30
_LARGEST_BEFORE = 32 << 20
"""The largest that older versions of glibc take for M_MMAP_THRESHOLD."""
_OWN = ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES")
"""Environment variables by which a user chooses; they are left alone."""


def keep_freed_memory() -> bool:
    """Let this process keep freed memory and use it again for large tensors. Results are the same.

    By default, glibc asks the system for every tensor of 32 MiB or more and gives it back afterwards, and the system
    fills each page with zeros again: in a training step of an EfficientNet-Lite0 with 32 images of 160 px, 250,000
    pages, instead of 50,000. The price: what was taken once mostly stays taken until the process ends; only more than
    1 GiB at the end of the heap is given back.

    Returns:
        Whether it was done. It is not if the user chose by environment variables, nor by the C libraries of macOS,
        Windows and Alpine, which do not have the setting.
    """
    if any(name in os.environ for name in _OWN):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # no such function; or no C library by that name, as on Windows
        return False
    mallopt.argtypes, mallopt.restype = (ctypes.c_int, ctypes.c_int), ctypes.c_int
    # In this order: the second alone would fix the first at its small start value.
    mapped = mallopt(_MMAP_THRESHOLD, _LARGE) or mallopt(_MMAP_THRESHOLD, _LARGEST_BEFORE)
    return bool(mapped and mallopt(_TRIM_THRESHOLD, _LARGE))
