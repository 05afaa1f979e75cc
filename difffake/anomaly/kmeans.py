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
    """Cluster (N,), int64, of every row of `x` (N, D), and the clusters' means (clusters, D), float64.

    Greedy k-means++ start (Arthur & Vassilvitskii 2007: each next center is the best of a few rows drawn with
    probability proportional to the squared distance from the nearest center), then Lloyd's iterations until no row
    moves, 50 at most. Own code and not scikit-learn's `KMeans`, since that would copy the rows to the CPU and
    to float64 at once. A cluster that loses all rows keeps its center; there is one if `x` has fewer distinct rows
    than `clusters`.

    On several ranks `x` are a rank's own rows, and the clusters those of all ranks' rows. What is drawn belongs to a
    row's number in `numbers` (N,), by default its place, which other ranks do not have: dealt to any number of ranks,
    the same rows give the same clusters.
    """
    numbers = torch.arange(len(x)) if numbers is None else numbers.cpu()
    centres = _spread_centres(x, clusters, seed, numbers)
    labels = torch.full((len(x),), -1, device=x.device)
    for _ in range(_MAX_ITERATIONS):
        old, labels = labels, _distances(x, centres).argmin(dim=1)
        if not count(int((labels != old).sum())):
            break
        sums, counts = torch.zeros_like(centres), centres.new_zeros(clusters)
        for part in chunks(x):
            sums.index_add_(0, labels[part], x[part].double())
            counts += labels[part].bincount(minlength=clusters)
        sums, counts = total(sums), total(counts)
        centres = torch.where(counts[:, None] > 0, sums / counts.clamp_min(1)[:, None], centres)
    return labels, centres


def _spread_centres(x: Tensor, clusters: int, seed: int, numbers: Tensor) -> Tensor:
    """Rows of `x` (clusters, D), far from each other, as float64."""
    random = generator(seed)
    numbered = max(everyone(int(numbers.max()) + 1 if len(numbers) else 0))

    def drawn(weight: Tensor) -> Tensor:
        """A row (1, D) of all ranks, drawn with probability proportional to its weight (N,)."""
        # The first of exponential waiting times, each row's own: as likely as its weight, whichever rank it is on.
        waiting = torch.from_numpy(random.exponential(size=numbered))[numbers].to(x.device) / weight
        first = int(waiting.argmin()) if len(x) else -1
        own = (float(waiting[first]), x[first].double().cpu()) if len(x) else (torch.inf, None)
        found = everyone(own)
        row = min((pair for pair in found if pair[1] is not None), key=lambda pair: pair[0])[1]
        assert row is not None
        return row[None].to(x.device)

    centres = drawn(torch.ones(len(x), dtype=torch.float64, device=x.device))
    nearest = _distances(x, centres)[:, 0]
    while len(centres) < clusters:
        # Where all rows coincide with a center every waiting time is infinite: the first row is as good as any.
        candidates = torch.cat([drawn(nearest) for _ in range(_CANDIDATES)])
        trials = torch.minimum(nearest[:, None], _distances(x, candidates))
        best = total(trials.sum(dim=0)).argmin()
        centres = torch.cat([centres, candidates[best][None]])
        nearest = trials[:, best]
    return centres


def _distances(x: Tensor, centres: Tensor) -> Tensor:
    """Squared distances (N, K) from `centres` (K, D)."""
    return torch.cat([centres.new_empty(0, len(centres)), *_squared_distances(x, centres)])


def _squared_distances(x: Tensor, centres: Tensor) -> Iterator[Tensor]:
    """Yield, for the chunks of `x` in turn, the squared distances (n, K) from `centres` (K, D)."""
    buffer = scratch(centres)
    for part in chunks(x):
        norms = [torch.linalg.vector_norm(differences(x[part], c, buffer), dim=1) for c in centres]
        yield torch.stack(norms, dim=1).square_()
