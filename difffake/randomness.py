"""Random generators from a seed and keys."""

import hashlib

import numpy as np


def generator(seed: int, *keys: int) -> np.random.Generator:
    """Random generator of one sample, from the run's seed and integer keys such as the epoch and the index.

    The numbers do not depend on workers, ranks or interruptions.

    >>> bool(generator(0, 3, 14).random() == generator(0, 3, 14).random())
    True
    >>> bool(generator(0, 3, 14).random() == generator(0, 4, 14).random())
    False
    """
    return np.random.default_rng([seed, *keys])


def named_generator(seed: int, *names: str) -> np.random.Generator:
    """Random generator from a seed and names, such as those of a clip and a method.

    The hash of the names is the same in every process, unlike Python's own.

    >>> bool(named_generator(0, "a", "b").random() == named_generator(0, "a", "b").random())
    True
    >>> bool(named_generator(0, "a", "b").random() == named_generator(0, "ab").random())
    False
    """
    keys = [int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") for name in names]
    return generator(seed, *keys)
