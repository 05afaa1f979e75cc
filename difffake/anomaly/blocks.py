"""Rows computed in blocks of one size, so that a result does not depend on how many other rows there are."""

from collections.abc import Callable

import torch
from torch import Tensor

BLOCK = 256
"""Rows per block."""


def in_blocks(function: Callable[..., Tensor], *rows: Tensor) -> list[Tensor]:
    """Results of a function, block by block, on the CPU.

    The last block is filled up with copies of its last row: kernels for other numbers of rows add numbers in another
    order (see `difffake.models.embed`).

    Args:
        function: function from blocks (`BLOCK`, ...) of each tensor to results (`BLOCK`, ...) of its rows.
        rows: tensors with equally many rows.
    """
    found = []
    for parts in zip(*(part.split(BLOCK) for part in rows), strict=True) if len(rows[0]) else ():
        count = len(parts[0])
        filled = (torch.cat([part, part[-1:].expand(BLOCK - count, *part.shape[1:])]) for part in parts)
        found.append(function(*filled)[:count].cpu())
    return found
