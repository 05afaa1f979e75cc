"""The samples of each rank and their order."""

from collections.abc import Iterator

import numpy as np
from torch.utils.data import Sampler

from difffake.data.batches import Key
from difffake.randomness import generator


class EpochSampler(Sampler[Key]):
    """Keys (epoch, index) of one rank's share of `length` samples.

    Shuffled (for training), the order depends only on seed and epoch. The last few samples of an epoch are left out, so
    that all ranks have equally many; other samples are left out in the next epoch. Not shuffled (for validation and
    test), each sample occurs exactly once over all ranks, and the numbers of two ranks may differ by one.

    Args:
        length: number of samples.
        shuffle: whether to shuffle.
        seed: random seed of the order.
        rank: number of this rank.
        ranks: number of ranks.
    """

    def __init__(self, length: int, *, shuffle: bool, seed: int = 0, rank: int = 0, ranks: int = 1) -> None:
        self.length = length
        self.shuffle = shuffle
        self.seed = seed
        self.rank = rank
        self.ranks = ranks
        self.epoch = 0
        self._resumed = (0, 0)

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch. Lightning calls this before each epoch."""
        self.epoch = epoch

    def resume(self, epoch: int, samples: int) -> None:
        """Begin with `epoch` and skip this rank's first `samples` samples."""
        self.epoch = epoch
        self._resumed = (epoch, samples)

    def __len__(self) -> int:
        if self.shuffle:
            return self.length // self.ranks
        return len(range(self.rank, self.length, self.ranks))

    def __iter__(self) -> Iterator[Key]:
        order = generator(self.seed, self.epoch).permutation(self.length) if self.shuffle else np.arange(self.length)
        epoch, samples = self._resumed
        for index in order[self.rank :: self.ranks][samples if self.epoch == epoch else 0 : len(self)]:
            yield self.epoch, int(index)
