"""A learned combination of two embeddings, which DiffFake (arXiv 2502.16247) names as future work."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from difffake.anomaly.blocks import in_blocks
from difffake.anomaly.combine import equal_rows
from difffake.anomaly.pairs import Pairs
from difffake.distributed import everyone
from difffake.randomness import named_generator

LEARNED = "learned"
"""Name of the combination, beside `difffake.anomaly.combine.COMBINATIONS`."""
SHARE = 2 / 3
"""Share of the groups (videos or people) that the network learns from. The density is fitted to the others: to pairs
that the network has seen, real pairs of other people would look more anomalous than they are."""
_WIDTH, _SIZE = 64, 32
_STEPS, _BATCH = 1000, 64


class LearnedCombination(nn.Module):
    """A symmetric network: the features of a pair (a, b) are those of (b, a).

    Both embeddings are standardized and mapped by the same linear layer to u and v; a network with one hidden layer
    maps (|u - v|, u + v) to the features.

    Args:
        dimension: length D of the embeddings.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(dimension))
        self.register_buffer("deviation", torch.ones(dimension))
        self.narrow = nn.Linear(dimension, _WIDTH)
        self.layers = nn.Sequential(nn.Linear(2 * _WIDTH, _WIDTH), nn.ReLU(), nn.Linear(_WIDTH, _SIZE))
        self.judge = nn.Linear(_SIZE, 1)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Features (N, 32) of pairs of embeddings a and b (N, D)."""
        u, v = (self.narrow((part - self.mean) / self.deviation) for part in (a, b))
        found: Tensor = self.layers(torch.cat([(u - v).abs(), u + v], dim=1))
        return found

    @torch.no_grad()
    def combine(self, a: Tensor, b: Tensor) -> Tensor:
        """Features (N, 32) of length 1, on the CPU; all zeros for two embeddings that are equal up to rounding."""
        features = torch.cat([torch.empty(0, _SIZE), *in_blocks(self, a.float(), b.float())])
        return torch.where(equal_rows(a, b), 0, functional.normalize(features))

    @staticmethod
    def from_state(state: dict[str, Tensor]) -> "LearnedCombination":
        """The network of a `state_dict`, on the CPU in eval mode."""
        with torch.device("meta"):  # without random numbers
            network = LearnedCombination(len(state["mean"]))
        network.load_state_dict(state, assign=True)
        return network.eval()


class Versions(NamedTuple):
    """Embeddings (N, D) of N real faces in three versions."""

    real: np.ndarray
    """The faces themselves."""
    target: np.ndarray
    """Targets of the pseudo-deepfakes: the faces, half of them recolored."""
    forged: np.ndarray
    """Pseudo-deepfakes of the faces."""


_REAL = ((0, 0), (1, 1), (0, 1))
_FORGED = ((2, 2), (0, 2), (1, 2))
"""Versions of reference and probe in real pairs, and in pairs with a pseudo-deepfake. A recolored face alone does not
make a pair forged."""


def learn_combination(versions: Versions, pairs: Pairs, seed: int) -> tuple[LearnedCombination, np.ndarray]:
    """Train the network to tell real pairs from pairs with one or two pseudo-deepfakes of the same faces.

    With several ranks, all must call it with the same arguments; the network is then the same on all ranks.

    Args:
        versions: embeddings of all real training faces.
        pairs: pairs of their rows.
        seed: random seed of the choice of groups and of the training.

    Returns:
        The network, and whether each pair (P,) is of a group that it has not learned from. If there is only one group,
        these are all pairs.
    """
    names = np.unique(pairs.group)
    chosen = named_generator(seed, "combination").permutation(names)[: max(1, round(SHARE * len(names)))]
    used = np.isin(pairs.group, chosen)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = _train(versions, pairs.reference[used], pairs.probe[used])
    network = LearnedCombination.from_state(everyone(network.state_dict())[0])
    return network, np.ones_like(used) if used.all() else ~used


def _train(versions: Versions, reference: np.ndarray, probe: np.ndarray) -> LearnedCombination:
    faces = torch.from_numpy(np.stack(versions)).float()
    network = LearnedCombination(faces.shape[2])
    seen = faces[0, np.union1d(reference, probe)]
    network.mean.copy_(seen.mean(dim=0))
    network.deviation.copy_(seen.std(dim=0, correction=0).clamp(min=1e-3 * float(seen.abs().mean()) + 1e-12))
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, _STEPS)
    kinds = torch.tensor([*_REAL, *_FORGED])
    label = (torch.arange(len(kinds)) >= len(_REAL)).float()
    rows = torch.from_numpy(np.stack([reference, probe], axis=1))
    for _ in range(_STEPS):
        kind, pair = torch.randint(len(kinds), (_BATCH,)), torch.randint(len(rows), (_BATCH,))
        a, b = (faces[kinds[kind, side], rows[pair, side]] for side in (0, 1))
        logit = network.judge(functional.relu(network(a, b))).squeeze(1)
        optimizer.zero_grad()
        functional.binary_cross_entropy_with_logits(logit, label[kind]).backward()
        optimizer.step()
        schedule.step()
    return network
