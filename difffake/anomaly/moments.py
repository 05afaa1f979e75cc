"""The E and M steps of a Gaussian mixture as sums over chunks of rows.

The M step needs only sums over rows (`Moments`). So sums of chunks and of ranks are added, and ranks do not exchange
rows. Moments are taken about the components' current means, not about zero. So the sums stay as small as the spread of
the data, and data with an offset of 1e3 or more lose no digits.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import reduce
from math import log, pi
from typing import NamedTuple, TypeVar

import torch
from threadpoolctl import threadpool_limits
from torch import Tensor

from difffake.distributed import count, total
from difffake.errors import UserError

T = TypeVar("T")

COVARIANCE_TYPES = ("full", "tied", "diag", "spherical")
BUFFER_BYTES = {"cpu": 4 << 20, "cuda": 256 << 20}
"""Size of the scratch buffer in bytes: on a CPU it should fit into the cache, on a GPU it should fill the device."""
LARGEST = 1e100
"""Entries of this size or larger are refused, because their squares may overflow."""


class Parameters(NamedTuple):
    """A mixture of K Gaussians in D dimensions, float64.

    `weights` (K,) sum to 1, `means` (K, D), `covariances` full (K, D, D), tied (D, D), diag (K, D) or spherical (K,).
    """

    covariance_type: str
    weights: Tensor
    means: Tensor
    covariances: Tensor


class Whitening(NamedTuple):
    """Form of `Parameters` for densities: (x - means[k]) times factors[k] has unit covariance under component k.

    `factors` has the shape of the covariances (upper triangular if full or tied); `offsets` (K,) is the log of weight
    times density at each mean.
    """

    covariance_type: str
    means: Tensor
    factors: Tensor
    offsets: Tensor


@dataclass
class Moments:
    """Sums over rows about `centers` (K, D), float64. Moments of other rows about the same centers can be added.

    With r the responsibilities (N, K) and d = x - center: `counts` (K,) = sum r; `first` (K, D) = sum r d; `second` =
    sum r d d^T in the shape of the covariances (for full and tied only the lower triangle, for spherical the trace);
    `log_likelihood`, a scalar, = sum of the rows' log-likelihoods.
    """

    covariance_type: str
    centers: Tensor
    counts: Tensor
    first: Tensor
    second: Tensor
    log_likelihood: Tensor

    @classmethod
    def zeros(cls, covariance_type: str, centers: Tensor) -> "Moments":
        """Moments of no rows."""
        k, d = centers.shape
        shape = {"full": (k, d, d), "tied": (d, d), "diag": (k, d), "spherical": (k,)}[covariance_type]
        zeros = centers.new_zeros
        return cls(covariance_type, centers, zeros(k), zeros(k, d), zeros(shape), zeros(()))


def check_rows(x: Tensor, everywhere: bool = False) -> int:
    """Check the rows of `x` (N, D) and count them.

    Args:
        x: rows (N, D).
        everywhere: count the rows of all ranks; then all ranks raise the same error.

    Raises:
        UserError: `x` is not floating point, has no rows, or has entries that are not finite and below 1e100.
    """

    def summed(number: int) -> int:
        return count(number) if everywhere else number

    rows = summed(len(x))
    if x.ndim != 2 or not x.shape[1] or not x.is_floating_point() or not rows:
        raise UserError(
            f"embeddings must be floating point (rows, dimensions) and not empty, not {x.dtype} {tuple(x.shape)}"
        )
    # A comparison with NaN is false, so one test finds NaN, infinity and too large values.
    bad = summed(sum(int((~(x[part].abs().amax(dim=1) < LARGEST)).sum()) for part in chunks(x)))
    if bad:
        raise UserError(f"{bad} of {rows} rows have NaN, infinity or values above {LARGEST:g}: remove or correct them")
    return rows


def chunks(x: Tensor, device: torch.device | None = None) -> Iterator[slice]:
    """Yield slices that cover the rows of `x` (N, D), each small enough for the scratch buffer on `device`."""
    size = chunk_rows(x.shape[1], device or x.device)
    for start in range(0, len(x), size):
        yield slice(start, min(start + size, len(x)))


def chunk_rows(dimensions: int, device: torch.device) -> int:
    """Number of rows in the scratch buffer; at least 512, because matrix products of fewer rows are slow."""
    return max(512, BUFFER_BYTES.get(device.type, BUFFER_BYTES["cpu"]) // (8 * dimensions))


def scratch(centers: Tensor) -> Tensor:
    """Make a buffer (rows of a chunk, D) for `differences` from `centers` (K, D)."""
    return centers.new_empty(chunk_rows(centers.shape[1], centers.device), centers.shape[1])


def differences(rows: Tensor, center: Tensor, buffer: Tensor) -> Tensor:
    """Compute `rows` (n, D) of any floating type minus `center` (D,), into the first n rows of `buffer`."""
    return torch.sub(rows, center, out=buffer[: len(rows)])


def log_densities(rows: Tensor, whitening: Whitening, buffer: Tensor) -> Tensor:
    """Log of weight times density (n, K) of `rows` (n, D) under each component."""
    kind, means, factors, offsets = whitening
    norms = means.new_empty(len(rows), len(means))
    for k in range(len(means)):
        d = differences(rows, means[k], buffer)
        if kind in ("full", "tied"):
            d = _times_triangle(d, factors[k] if kind == "full" else factors)
        else:
            d *= factors[k]
        norms[:, k] = torch.linalg.vector_norm(d, dim=1)
    return offsets - 0.5 * norms.square_()


def add_rows(moments: Moments, rows: Tensor, responsibilities: Tensor, buffer: Tensor) -> None:
    """Add `rows` (n, D) with `responsibilities` (n, K) to `moments`, except the log-likelihood."""
    kind = moments.covariance_type
    moments.counts += responsibilities.sum(dim=0)
    for k, r in enumerate(responsibilities.T):
        d = differences(rows, moments.centers[k], buffer)
        moments.first[k] += r @ d
        d *= r.sqrt()[:, None]
        if kind in ("full", "tied"):
            _add_gram(moments.second[k] if kind == "full" else moments.second, d)
        else:
            squares = d.square_().sum(dim=0)
            moments.second[k] += squares if kind == "diag" else squares.sum()


def _times_triangle(d: Tensor, upper: Tensor) -> Tensor:
    """`d` (n, D) @ `upper` (D, D, upper triangular); overwrites `d` on the CPU."""
    if d.device.type != "cpu":
        return d @ upper
    from scipy.linalg import blas  # here and below, so that `predict` starts quickly where it does not need it

    # This BLAS function skips the zeros, half of the work; torch does not offer it. Fortran order: (upper^T d^T)^T.
    product = blas.dtrmm(1.0, upper.numpy().T, d.numpy().T, lower=1, overwrite_b=1)
    return torch.from_numpy(product.T)


def _add_gram(total: Tensor, d: Tensor) -> None:
    """Add `d`^T (n, D) @ `d` to the lower triangle of `total` (D, D); values above it are undefined."""
    if d.device.type != "cpu":
        total.addmm_(d.T, d)
        return
    from scipy.linalg import blas

    # Half of the work too: BLAS writes one triangle, the upper in Fortran order, which is the lower here.
    blas.dsyrk(1.0, d.numpy().T, beta=1.0, c=total.numpy().T, overwrite_c=1)


def expectation(x: Tensor, whitening: Whitening) -> Moments:
    """E step over all rows of `x` (N, D), and their moments about the means, in one pass."""

    def moments_of(parts: list[slice]) -> Moments:
        moments = Moments.zeros(whitening.covariance_type, whitening.means)
        buffer = scratch(whitening.means)
        with torch.no_grad():
            for part in parts:
                joint = log_densities(x[part], whitening, buffer)
                total = joint.logsumexp(dim=1, keepdim=True)
                moments.log_likelihood += total.sum()
                # Use the rows again while they are in the cache: a second pass would read all of x again.
                add_rows(moments, x[part], (joint - total).exp_(), buffer)
        return moments

    return reduce(add, spread(moments_of, list(chunks(x)), x.device))


def spread(work: Callable[[list[slice]], T], parts: list[slice], device: torch.device) -> list[T]:
    """Run `work` on shares of the chunks, in as many threads as torch uses; in one thread on a GPU.

    Each thread works on whole chunks and without threads of its own. Threads inside each small operation would be
    slower: they wait for each other after every product, and torch's threads keep cores busy while SciPy's work. The
    shares do not depend on timing, so the sums do not either.

    Args:
        work: function of a list of chunks.
        parts: all chunks.
        device: device of the rows.

    Returns:
        The results of all threads.
    """
    workers = min(torch.get_num_threads(), len(parts)) if device.type == "cpu" else 1
    if workers <= 1:
        return [work(parts)]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1, "blas"), ThreadPoolExecutor(workers) as pool:
            return list(pool.map(work, [parts[first::workers] for first in range(workers)]))
    finally:
        torch.set_num_threads(threads)


def add(a: Moments, b: Moments) -> Moments:
    """Moments of the rows of `a` and `b` together; both must be about the same centers."""
    return Moments(
        a.covariance_type,
        a.centers,
        a.counts + b.counts,
        a.first + b.first,
        a.second + b.second,
        a.log_likelihood + b.log_likelihood,
    )


def over_ranks(moments: Moments) -> Moments:
    """Moments of the rows of all ranks, about the same centers, with one exchange."""
    parts = (moments.counts, moments.first, moments.second, moments.log_likelihood)
    sums = total(torch.cat([part.flatten() for part in parts])).split([part.numel() for part in parts])
    counts, first, second, log_likelihood = (found.view_as(part) for found, part in zip(sums, parts, strict=True))
    return Moments(moments.covariance_type, moments.centers, counts, first, second, log_likelihood)


def maximization(moments: Moments, reg_covar: float) -> Parameters:
    """M step: the parameters that fit `moments`, `reg_covar` added to every variance."""
    kind, centers = moments.covariance_type, moments.centers
    # As in scikit-learn: an empty component does not divide by zero, and keeps its mean.
    counts = moments.counts + 10 * torch.finfo(torch.float64).eps
    shifts = moments.first / counts[:, None]
    if kind in ("full", "tied"):
        second = moments.second.tril() + moments.second.tril(-1).mT
        if kind == "full":
            covariances = second / counts[:, None, None] - shifts[:, :, None] * shifts[:, None, :]
        else:
            covariances = (second - (counts * shifts.T) @ shifts) / counts.sum()
        covariances.diagonal(dim1=-2, dim2=-1).add_(reg_covar)
    else:
        second, squares = moments.second, shifts.square()
        if kind == "spherical":
            second, squares = second / shifts.shape[1], squares.mean(dim=1)
        n = counts if kind == "spherical" else counts[:, None]
        # Rounding may make a variance of zero slightly negative.
        covariances = (second / n - squares).clamp_min_(0) + reg_covar
    return Parameters(kind, counts / counts.sum(), centers + shifts, covariances)


def whiten(parameters: Parameters, reg_covar: float) -> Whitening:
    """Prepare `parameters` for `log_densities`.

    Raises `UserError` if a covariance is not positive definite in float64 with `reg_covar`; the message gives a value
    that is large enough.
    """
    kind, weights, means, covariances = parameters
    d = means.shape[1]
    if kind in ("full", "tied"):
        lower, failed = torch.linalg.cholesky_ex(covariances)
        if bool(failed.any()):
            raise UserError(_singular(covariances, reg_covar))
        identity = torch.eye(d, dtype=lower.dtype, device=lower.device)
        # (L L^T)^-1 = U U^T with U = L^-T.
        factors = torch.linalg.solve_triangular(lower, identity, upper=False).mT.contiguous()
        log_determinants = factors.diagonal(dim1=-2, dim2=-1).log().sum(dim=-1)
    else:
        if bool((covariances <= 0).any()):
            raise UserError(_singular(covariances.reshape(len(weights), -1, 1, 1), reg_covar))
        factors = covariances.rsqrt()
        log_determinants = factors.log().sum(dim=1) if kind == "diag" else d * factors.log()
    return Whitening(kind, means, factors, weights.log() + log_determinants - 0.5 * d * log(2 * pi))


def _singular(covariances: Tensor, reg_covar: float) -> str:
    """The message that some of `covariances` (..., D, D) are singular, with a `reg_covar` that is large enough."""
    larger = max(reg_covar, 1e-15)
    identity = torch.eye(covariances.shape[-1], dtype=covariances.dtype, device=covariances.device)
    while larger < LARGEST and bool(torch.linalg.cholesky_ex(covariances + (larger - reg_covar) * identity).info.any()):
        larger *= 10
    return (
        f"a covariance is singular with reg_covar={reg_covar:g}: set reg_covar={larger:g} or more, "
        "use fewer components, or drop constant and duplicated columns"
    )
