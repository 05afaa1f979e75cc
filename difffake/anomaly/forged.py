"""Real faces with pseudo-deepfakes that are made as in the training of a detector."""

from collections.abc import Callable, Sequence

import torch

from difffake.data.datasets import PairDataset
from difffake.data.manifest import Manifest
from difffake.diffusion.twins import make_twins
from difffake.distributed import count, rank, ranks
from difffake.models.checkpoint import CheckpointInfo

Forge = Callable[[Manifest], PairDataset]
"""Function that gives the rows of a manifest of real faces, each with a pseudo-deepfake."""


def forge_as_in_training(
    info: CheckpointInfo, manifests: Sequence[Manifest], splits: Sequence[str], device: torch.device | str, seed: int
) -> Forge:
    """A function that forges real faces with the settings of the detector's run.

    Twins that the run's pseudo-deepfakes need and that are not stored yet are made here, by all ranks together.

    Args:
        info: what the checkpoint stores about its detector.
        manifests: manifests with the real faces to forge, each with its own folder.
        splits: splits of these faces; all for every row.
        device: device on which twins are made.
        seed: random seed of the pseudo-deepfakes.
    """
    twins = None
    if info.pseudo.needs_twins:
        parts = [manifest.select(label=0).select(split=split) for manifest in manifests for split in splits]
        twins = make_twins(
            [part for part in parts if len(part)], info.pseudo, torch.device(device), rank=rank(), ranks=ranks()
        )
        count(0)  # waits for the other ranks

    def forge(rows: Manifest) -> PairDataset:
        return PairDataset(rows, info.config.image_size, "pseudo", info.pseudo, None, seed, twins=twins)

    return forge
