"""A Gaussian mixture whose negative log-likelihood is the anomaly score."""

from typing import Any, cast

import torch
from torch import Tensor

from difffake.anomaly.kmeans import kmeans
from difffake.anomaly.moments import (
    COVARIANCE_TYPES,
    Moments,
    Parameters,
    Whitening,
    add_rows,
    check_rows,
    chunks,
    expectation,
    log_densities,
    maximization,
    over_ranks,
    scratch,
    spread,
    whiten,
)
from difffake.errors import UserError


class GaussianMixture:
    """Gaussian mixture fitted by expectation maximization, in float64, on the device of the rows.

    The steps, the regularization and the stopping rule are those of scikit-learn's `GaussianMixture`: from the same
    start, both give the same parameters after the same number of iterations. The defaults are DiffFake's (WACVW 2025:
    3 components, full covariance, k-means start, at most 250 iterations).

    Memory in addition to the rows: a few numbers per row at the start; on a CPU, per thread, a buffer (4 MiB, at least
    512 rows) and sums of the covariances' size; on a GPU, one buffer (256 MiB) and one set of sums; and about 5 more
    arrays of the covariances' size (77 MB for 3 full covariances of 1792 dimensions).

    Degenerate data: a single row, duplicated rows, constant columns and more dimensions than rows give a finite model,
    whose variances are at least about `reg_covar`. A component without rows keeps its mean, with a weight near 0.

    Raises `UserError` if there are fewer rows than components, if rows have NaN or infinity, or if a covariance is
    singular in spite of `reg_covar`. The message gives a `reg_covar` that is large enough; it is not increased
    automatically, because it changes every score.
    """

    kind = "gaussian_mixture"

    def __init__(
        self,
        components: int = 3,
        covariance_type: str = "full",
        *,
        reg_covar: float = 1e-6,
        max_iter: int = 250,
        tol: float = 1e-3,
        seed: int = 0,
    ) -> None:
        """Choose the settings.

        Args:
            components: number of Gaussians.
            covariance_type: full, tied, diag or spherical.
            reg_covar: number that is added to all variances.
            max_iter: largest number of EM iterations.
            tol: iteration ends, and `converged` is set, when the mean log-likelihood per row changes by less (nats).
            seed: random seed of the k-means start.
        """
        if covariance_type not in COVARIANCE_TYPES:
            raise UserError(
                f"covariance_type {covariance_type!r} is unknown: choose from {', '.join(COVARIANCE_TYPES)}"
            )
        if components < 1 or max_iter < 1 or reg_covar < 0 or tol < 0:
            raise UserError("a mixture needs components >= 1, max_iter >= 1, reg_covar >= 0 and tol >= 0")
        self.components = components
        self.covariance_type = covariance_type
        self.reg_covar = reg_covar
        self.max_iter = max_iter
        self.tol = tol
        self.seed = seed
        self.history: list[float] = []
        """Mean log-likelihood per row at the E step of each iteration."""
        self.converged = False
        self._parameters: Parameters | None = None
        self._whitening: Whitening | None = None

    @property
    def parameters(self) -> Parameters:
        """The fitted parameters. Raises `UserError` before `fit`."""
        if self._parameters is None:
            raise UserError("the Gaussian mixture is not fitted yet: call fit first")
        return self._parameters

    @property
    def weights(self) -> Tensor:
        """Weights (K,) of the components, summing to 1."""
        return self.parameters.weights

    @property
    def means(self) -> Tensor:
        """Means (K, D)."""
        return self.parameters.means

    @property
    def covariances(self) -> Tensor:
        """Covariances: full (K, D, D), tied (D, D), diag (K, D), spherical (K,)."""
        return self.parameters.covariances

    @torch.no_grad()
    def fit(self, x: Tensor, start: Parameters | None = None, numbers: Tensor | None = None) -> "GaussianMixture":
        """Fit the mixture. With several ranks, each gives its own rows, and all get the mixture of all rows.

        Ranks exchange sums, not rows (except the few rows from which k-means starts).

        Args:
            x: rows (N, D), float32 or float64.
            start: parameters to start from; by default those of k-means clusters.
            numbers: number (N,) of each row among the rows of all ranks. With it, the mixture is the same, up to
                rounding, on any number of ranks.

        Returns:
            The mixture itself.

        Raises:
            UserError: see the class.
        """
        rows = check_rows(x, everywhere=True)
        if rows < self.components:
            raise UserError(f"{rows} rows are too few for {self.components} components: add rows or lower components")
        parameters = self.start(x, numbers) if start is None else start
        whitening = whiten(parameters, self.reg_covar)
        self.history, self.converged = [], False
        previous = -torch.inf
        for _ in range(self.max_iter):
            moments = over_ranks(expectation(x, whitening))
            parameters = maximization(moments, self.reg_covar)
            whitening = whiten(parameters, self.reg_covar)
            self.history.append(float(moments.log_likelihood) / rows)
            if abs(self.history[-1] - previous) < self.tol:
                self.converged = True
                break
            previous = self.history[-1]
        self._parameters, self._whitening = parameters, whitening
        return self

    @torch.no_grad()
    def start(self, x: Tensor, numbers: Tensor | None = None) -> Parameters:
        """Parameters to start from: those of the k-means clusters of the rows `x` (N, D)."""
        labels, centers = kmeans(x, self.components, self.seed, numbers)
        moments, buffer = Moments.zeros(self.covariance_type, centers), scratch(centers)
        for part in chunks(x):
            members = torch.nn.functional.one_hot(labels[part], self.components).double()
            add_rows(moments, x[part], members, buffer)
        return maximization(over_ranks(moments), self.reg_covar)

    @torch.no_grad()
    def log_likelihood(self, x: Tensor) -> Tensor:
        """Log-likelihood (N,) of each row of `x` (N, D), in nats, float64, on the device of `x`.

        Raises `UserError` if a row has NaN or infinity, or D differs from that of the fitted rows.
        """
        means, whitening = self.means, cast(Whitening, self._whitening)
        check_rows(x)
        if x.shape[1] != means.shape[1]:
            raise UserError(
                f"the mixture was fitted to rows of {means.shape[1]} dimensions, but these rows have {x.shape[1]}"
            )
        found = means.new_empty(len(x))

        def score_chunks(parts: list[slice]) -> None:
            buffer = scratch(means)
            for part in parts:
                rows = x[part].detach().to(means.device)
                found[part] = log_densities(rows, whitening, buffer).logsumexp(dim=1)

        spread(score_chunks, list(chunks(x, means.device)), means.device)
        return found.to(x.device)

    def score(self, x: Tensor) -> Tensor:
        """Anomaly scores (N,), float64: negative log-likelihoods of the rows `x` (N, D); higher = more anomalous."""
        return -self.log_likelihood(x)

    def to(self, device: torch.device | str) -> "GaussianMixture":
        """Move the fitted model to `device` and return it."""
        kind, *tensors = self.parameters
        self._parameters = Parameters(kind, *(tensor.to(device) for tensor in tensors))
        self._whitening = whiten(self._parameters, self.reg_covar)
        return self

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors, and settings that can be written as JSON: everything that `from_state` needs."""
        tensors = {"weights": self.weights, "means": self.means, "covariances": self.covariances}
        settings = {
            "components": self.components,
            "covariance_type": self.covariance_type,
            "reg_covar": self.reg_covar,
            "max_iter": self.max_iter,
            "tol": self.tol,
            "seed": self.seed,
            "history": self.history,
            "converged": self.converged,
        }
        return tensors, settings

    @classmethod
    def from_state(cls, tensors: dict[str, Tensor], settings: dict[str, Any]) -> "GaussianMixture":
        """Make the fitted model from the result of `state`. Raises `ValueError` if shapes contradict each other."""
        settings = dict(settings)
        history, converged = settings.pop("history"), settings.pop("converged")
        model = cls(settings.pop("components"), settings.pop("covariance_type"), **settings)
        model.history, model.converged = history, converged
        model._parameters = Parameters(
            model.covariance_type, tensors["weights"], tensors["means"], tensors["covariances"]
        )
        expected = Moments.zeros(model.covariance_type, model.means).second.shape
        if model.covariances.shape != expected or model.weights.shape != (model.components,):
            raise ValueError("weights, means and covariances do not fit each other")
        model._whitening = whiten(model._parameters, model.reg_covar)
        return model


def free_parameters(components: int, dimensions: int, covariance_type: str) -> int:
    """Number of free parameters of a mixture: weights (one follows from the others), means and covariances."""
    triangle = dimensions * (dimensions + 1) // 2
    covariances = {
        "full": components * triangle,
        "tied": triangle,
        "diag": components * dimensions,
        "spherical": components,
    }
    return components - 1 + components * dimensions + covariances[covariance_type]
