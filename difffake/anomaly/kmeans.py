"""The k-means start of a Gaussian mixture."""

from collections.abc import Iterator

import torch
from torch import Tensor

from difffake.anomaly.moments import chunks, differences, scratch
from difffake.randomness import generator

_CANDIDATES = 4
_MAX_ITERATIONS = 50


def kmeans(x: Tensor, clusters: int, seed: int) -> tuple[Tensor, Tensor]:
    """Cluster (N,), int64, of every row of `x` (N, D), and the clusters' means (clusters, D), float64.

    Greedy k-means++ start (Arthur & Vassilvitskii 2007: each next centre is the best of a few rows drawn with
    probability proportional to the squared distance from the nearest centre), then Lloyd's iterations until no row
    moves, 50 at most. Own code and not scikit-learn's `KMeans`, since that would copy the rows to the CPU and
    to float64 at once. A cluster that loses all rows keeps its centre; there is one if `x` has fewer distinct rows
    than `clusters`.
    """
    centres = _spread_centres(x, clusters, seed)
    labels = torch.full((len(x),), -1, device=x.device)
    for _ in range(_MAX_ITERATIONS):
        old = labels
        labels = torch.cat([squares.argmin(dim=1) for squares in _squared_distances(x, centres)])
        if torch.equal(labels, old):
            break
        sums, counts = torch.zeros_like(centres), centres.new_zeros(clusters)
        for part in chunks(x):
            sums.index_add_(0, labels[part], x[part].double())
            counts += labels[part].bincount(minlength=clusters)
        centres = torch.where(counts[:, None] > 0, sums / counts.clamp_min(1)[:, None], centres)
    return labels, centres


def _spread_centres(x: Tensor, clusters: int, seed: int) -> Tensor:
    """Rows of `x` (clusters, D), far from each other, as float64."""
    random = generator(seed)
    centres = x[int(random.integers(len(x)))][None].double()
    nearest = torch.cat(list(_squared_distances(x, centres)))[:, 0]
    while len(centres) < clusters:
        cumulative = nearest.cumsum(dim=0)
        # Where all rows coincide with a centre the sum is 0 and the first row is drawn, as good as any.
        drawn = torch.searchsorted(
            cumulative, torch.from_numpy(random.random(_CANDIDATES)).to(x.device) * cumulative[-1]
        )
        candidates = x[drawn.clamp_max(len(x) - 1)].double()
        trials = torch.minimum(nearest[:, None], torch.cat(list(_squared_distances(x, candidates))))
        best = trials.sum(dim=0).argmin()
        centres = torch.cat([centres, candidates[best][None]])
        nearest = trials[:, best]
    return centres


def _squared_distances(x: Tensor, centres: Tensor) -> Iterator[Tensor]:
    """Yield, for the chunks of `x` in turn, the squared distances (n, K) from `centres` (K, D)."""
    buffer = scratch(centres)
    for part in chunks(x):
        norms = [torch.linalg.vector_norm(differences(x[part], c, buffer), dim=1) for c in centres]
        yield torch.stack(norms, dim=1).square_()
