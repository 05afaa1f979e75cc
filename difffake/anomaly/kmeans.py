"""The k-means start of a Gaussian mixture."""

from collections.abc import Iterator

import torch
from torch import Tensor

from difffake.anomaly.moments import chunks, differences, scratch
from difffake.distributed import count, everyone, total
from difffake.randomness import generator

_CANDIDATES = 4
_MAX_ITERATIONS = 50


def kmeans(x: Tensor, clusters: int, seed: int, numbers: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Cluster rows by k-means.

    The start is greedy k-means++ (Arthur & Vassilvitskii 2007): each next center is the best of a few rows, drawn with
    probability proportional to the squared distance from the nearest center. Then Lloyd's iterations follow until no
    row changes its cluster, 50 at most. scikit-learn's `KMeans` is not used, because it would copy all rows to the CPU
    and to float64. A cluster that loses all rows keeps its center; this happens if `x` has fewer distinct rows than
    `clusters`.

    Args:
        x: rows (N, D); with several ranks, only this rank's rows.
        clusters: number of clusters.
        seed: random seed of the start.
        numbers: number (N,) of each row among the rows of all ranks, by default its position. The random draws belong
            to these numbers, so the clusters do not depend on the number of ranks.

    Returns:
        The cluster (N,) int64 of every row, and the means (clusters, D) float64 of the clusters over all ranks.
    """
    numbers = torch.arange(len(x)) if numbers is None else numbers.cpu()
    centers = _spread_centers(x, clusters, seed, numbers)
    labels = torch.full((len(x),), -1, device=x.device)
    for _ in range(_MAX_ITERATIONS):
        old, labels = labels, _distances(x, centers).argmin(dim=1)
        if not count(int((labels != old).sum())):
            break
        sums, counts = torch.zeros_like(centers), centers.new_zeros(clusters)
        for part in chunks(x):
            sums.index_add_(0, labels[part], x[part].double())
            counts += labels[part].bincount(minlength=clusters)
        sums, counts = total(sums), total(counts)
        centers = torch.where(counts[:, None] > 0, sums / counts.clamp_min(1)[:, None], centers)
    return labels, centers


def _spread_centers(x: Tensor, clusters: int, seed: int, numbers: Tensor) -> Tensor:
    """Rows of `x` (clusters, D), far from each other, as float64."""
    random = generator(seed)
    numbered = max(everyone(int(numbers.max()) + 1 if len(numbers) else 0))

    def drawn(weight: Tensor) -> Tensor:
        """A row (1, D) of all ranks, drawn with probability proportional to its weight (N,)."""
        # Each row has an exponential waiting time. A row is the first with probability proportional to its weight, on
        # any number of ranks.
        waiting = torch.from_numpy(random.exponential(size=numbered))[numbers].to(x.device) / weight
        first = int(waiting.argmin()) if len(x) else -1
        own = (float(waiting[first]), x[first].double().cpu()) if len(x) else (torch.inf, None)
        found = everyone(own)
        row = min((pair for pair in found if pair[1] is not None), key=lambda pair: pair[0])[1]
        assert row is not None
        return row[None].to(x.device)

    centers = drawn(torch.ones(len(x), dtype=torch.float64, device=x.device))
    nearest = _distances(x, centers)[:, 0]
    while len(centers) < clusters:
        # If all rows coincide with a center, every waiting time is infinite: then the first row is taken.
        candidates = torch.cat([drawn(nearest) for _ in range(_CANDIDATES)])
        trials = torch.minimum(nearest[:, None], _distances(x, candidates))
        best = total(trials.sum(dim=0)).argmin()
        centers = torch.cat([centers, candidates[best][None]])
        nearest = trials[:, best]
    return centers


def _distances(x: Tensor, centers: Tensor) -> Tensor:
    """Squared distances (N, K) from `centers` (K, D)."""
    return torch.cat([centers.new_empty(0, len(centers)), *_squared_distances(x, centers)])


def _squared_distances(x: Tensor, centers: Tensor) -> Iterator[Tensor]:
    """Yield, for the chunks of `x` in turn, the squared distances (n, K) from `centers` (K, D)."""
    buffer = scratch(centers)
    for part in chunks(x):
        norms = [torch.linalg.vector_norm(differences(x[part], c, buffer), dim=1) for c in centers]
        yield torch.stack(norms, dim=1).square_()
