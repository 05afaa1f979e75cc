"""Means of the losses over an epoch, which survive an interruption."""

from collections.abc import Mapping

import torch
from torch import Tensor


class EpochMeans:
    """Running sums of a rank's losses; Lightning's own are lost when a run is interrupted within an epoch."""

    def __init__(self) -> None:
        self.sums: dict[str, Tensor] = {}
        self.count = 0

    def add(self, values: Mapping[str, Tensor]) -> None:
        """Add one batch's losses (), all of batches of the same size."""
        for name, value in values.items():
            value = value.detach().float()
            self.sums[name] = self.sums[name] + value if name in self.sums else value
        self.count += 1

    def means(self) -> dict[str, float]:
        """Mean of each loss over the batches of all ranks, which have as many each; begins anew."""
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
        """Go on from sums over `count` batches."""
        self.sums = {name: torch.tensor(value, dtype=torch.float32, device=device) for name, value in sums.items()}
        self.count = count
