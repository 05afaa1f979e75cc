"""Means of the losses over an epoch, also if the epoch is interrupted and resumed."""

from collections.abc import Mapping

import torch
from torch import Tensor


class EpochMeans:
    """Running sums of a rank's losses. Lightning's own sums are lost when a run is interrupted within an epoch."""

    def __init__(self) -> None:
        self.sums: dict[str, Tensor] = {}
        self.count = 0

    def add(self, values: Mapping[str, Tensor]) -> None:
        """Add the losses of one batch, scalars by name; all batches must have the same size."""
        for name, value in values.items():
            value = value.detach().float()
            self.sums[name] = self.sums[name] + value if name in self.sums else value
        self.count += 1

    def means(self) -> dict[str, float]:
        """Mean of each loss over the batches of all ranks, then reset; all ranks must have equally many batches."""
        if not self.count:
            return {}
        found = torch.stack(list(self.sums.values())) / self.count
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.all_reduce(found)
            found /= torch.distributed.get_world_size()
        names = list(self.sums)
        self.restore({}, 0)
        return dict(zip(names, found.tolist(), strict=True))

    def restore(self, sums: Mapping[str, float], count: int, device: torch.device | str = "cpu") -> None:
        """Continue from `sums` over `count` batches."""
        self.sums = {name: torch.tensor(value, dtype=torch.float32, device=device) for name, value in sums.items()}
        self.count = count
