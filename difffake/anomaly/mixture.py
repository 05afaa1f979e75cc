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
    maximisation,
    over_ranks,
    scratch,
    spread,
    whiten,
)
from difffake.errors import UserError


class GaussianMixture:
    """Gaussian mixture fitted by expectation maximisation, in float64, on the device of the rows.

    The steps, the regularisation and the stopping rule are those of scikit-learn's `GaussianMixture`: from one start
    both give the same parameters after the same number of iterations. The defaults are DiffFake's (WACVW 2025:
    3 components, full covariance, k-means start, at most 250 iterations).

    Memory beyond the rows: a few numbers a row at the start, a buffer (4 MiB, at least 512 rows) and sums of the
    covariances' size for each CPU thread (256 MiB and once on a GPU), and about 5 more arrays of that size (77 MB
    for 3 full covariances of 1792 dimensions).

    Degenerate rows. One row alone, duplicated rows, constant columns and more dimensions than rows give a finite
    model, its variances at least about `reg_covar`; a component without rows keeps its place with a weight near 0.
    `UserError`: fewer rows than components, NaN or infinite rows, and covariances that are singular in spite of
    `reg_covar` (the message names one that suffices; it is never raised silently, since it changes every score).
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
        """Choose the model.

        Iteration ends, `converged`, once the mean log-likelihood of a row changes by less than `tol` (nats).
        `reg_covar` is added to all variances. `seed` fixes the k-means start.
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
        """Mean log-likelihood of a row at the E step of each iteration."""
        self.converged = False
        self._parameters: Parameters | None = None
        self._whitening: Whitening | None = None

    @property
    def parameters(self) -> Parameters:
        """The fitted parameters; `UserError` before `fit`."""
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
        """Fit the rows `x` (N, D), float32 or float64, from `start`, by default from k-means clusters.

        On several ranks each gives its own rows and gets the mixture of all: sums are exchanged, never rows (but for
        the few that k-means starts from). It is the same on any number of ranks, up to rounding, if `numbers` (N,)
        says which row of the whole each one is.

        Raises `UserError` as described for the class.
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
            parameters = maximisation(moments, self.reg_covar)
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
        """Parameters of the k-means clusters of the rows `x` (N, D): each row belongs to its cluster alone."""
        labels, centres = kmeans(x, self.components, self.seed, numbers)
        moments, buffer = Moments.zeros(self.covariance_type, centres), scratch(centres)
        for part in chunks(x):
            members = torch.nn.functional.one_hot(labels[part], self.components).double()
            add_rows(moments, x[part], members, buffer)
        return maximisation(over_ranks(moments), self.reg_covar)

    @torch.no_grad()
    def log_likelihood(self, x: Tensor) -> Tensor:
        """Log-likelihood (N,), nats, float64 on the device of `x`, of each row of `x` (N, D).

        Raises `UserError` if a row holds NaN or infinity, or D is not that of the fitted rows.
        """
        means, whitening = self.means, cast(Whitening, self._whitening)
        check_rows(x)
        if x.shape[1] != means.shape[1]:
            raise UserError(f"the mixture was fitted on {means.shape[1]} dimensions, these rows have {x.shape[1]}")
        found = means.new_empty(len(x))

        def score_chunks(parts: list[slice]) -> None:
            buffer = scratch(means)
            for part in parts:
                rows = x[part].detach().to(means.device)
                found[part] = log_densities(rows, whitening, buffer).logsumexp(dim=1)

        spread(score_chunks, list(chunks(x, means.device)), means.device)
        return found.to(x.device)

    def score(self, x: Tensor) -> Tensor:
        """Anomaly score (N,), float64: the negative log-likelihood of the rows `x` (N, D); higher = more anomalous."""
        return -self.log_likelihood(x)

    def to(self, device: torch.device | str) -> "GaussianMixture":
        """Move the fitted model to `device`, where scores are then computed."""
        kind, *tensors = self.parameters
        self._parameters = Parameters(kind, *(tensor.to(device) for tensor in tensors))
        self._whitening = whiten(self._parameters, self.reg_covar)
        return self

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors, and settings that JSON can hold; together all that `from_state` needs."""
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
        """The fitted model that `state` described; `ValueError` if the shapes contradict each other."""
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
    """How many numbers a mixture learns: weights (one follows from the others), means and covariances."""
    triangle = dimensions * (dimensions + 1) // 2
    covariances = {
        "full": components * triangle,
        "tied": triangle,
        "diag": components * dimensions,
        "spherical": components,
    }
    return components - 1 + components * dimensions + covariances[covariance_type]
