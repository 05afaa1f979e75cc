"""A one-class support vector machine as the alternative anomaly model."""

from typing import Any

import torch
from torch import Tensor

from difffake.anomaly.moments import check_rows
from difffake.distributed import everyone
from difffake.errors import UsageError, UserError

_KERNEL_ENTRIES = 1 << 22


class OneClassSVM:
    """One-class SVM with radial basis functions, exp(-gamma |x - s|^2); gamma "auto" is 1 / D, as in DiffFake.

    scikit-learn fits it. Scores are computed in torch from the support vectors, so a stored model needs no pickle.
    Fitting takes time and memory of order N^2.
    """

    kind = "one_class_svm"

    def __init__(self, nu: float = 0.5, gamma: float | str = "auto") -> None:
        """Choose the settings.

        Args:
            nu: largest share of the rows that may be outliers, in (0, 1].
            gamma: factor in the kernel, above 0, or "auto".

        Raises:
            UserError: a value is out of its range.
        """
        if not 0 < nu <= 1:
            raise UsageError(f"nu={nu} is out of range: choose from (0, 1]")
        if gamma != "auto" and (isinstance(gamma, str) or not gamma > 0):
            raise UserError(f'gamma={gamma!r} is out of range: choose "auto" or a number above 0')
        self.nu = nu
        self.gamma = gamma
        self._tensors: dict[str, Tensor] | None = None

    @property
    def tensors(self) -> dict[str, Tensor]:
        """`support` (S, D), `coefficients` (S,) and scalar `intercept`, float64. Raises `UserError` before `fit`."""
        if self._tensors is None:
            raise UserError("the one-class SVM is not fitted yet: call fit first")
        return self._tensors

    @torch.no_grad()
    def fit(self, x: Tensor, *, numbers: Tensor | None = None) -> "OneClassSVM":
        """Fit the rows `x` (N, D). With several ranks, every rank collects and fits the rows of all ranks.

        `numbers` is not used. Raises `UserError` if a row has NaN or infinity.
        """
        from sklearn.svm import OneClassSVM as Fitter  # here, because `predict` must start quickly, and fits nothing

        rows = torch.cat(everyone(x.cpu()))
        check_rows(rows)
        fitted = Fitter(gamma=self.gamma, nu=self.nu).fit(rows.double().numpy())
        arrays = {
            "support": fitted.support_vectors_,
            "coefficients": fitted.dual_coef_[0],
            "intercept": fitted.intercept_[0],
        }
        self._tensors = {name: torch.tensor(array, device=x.device) for name, array in arrays.items()}
        return self

    @torch.no_grad()
    def score(self, x: Tensor) -> Tensor:
        """Anomaly scores (N,), float64, on the device of `x` (N, D): minus scikit-learn's `decision_function`.

        Higher = more anomalous; scores outside the boundary are above 0. Raises `UserError` if a row has NaN or
        infinity, or D differs from that of the fitted rows.
        """
        support, coefficients, intercept = self.tensors.values()
        check_rows(x)
        if x.shape[1] != support.shape[1]:
            raise UserError(
                f"the SVM was fitted to rows of {support.shape[1]} dimensions, but these rows have {x.shape[1]}"
            )
        gamma = 1 / support.shape[1] if isinstance(self.gamma, str) else self.gamma
        # Chunks keep the kernel matrix (rows, S) small. Direct differences lose no digits if rows are close together.
        parts = x.split(max(1, _KERNEL_ENTRIES // len(support)))
        scores = [self._outside(part.to(support), support, coefficients, gamma) - intercept for part in parts]
        return torch.cat(scores).to(x.device)

    @staticmethod
    def _outside(rows: Tensor, support: Tensor, coefficients: Tensor, gamma: float) -> Tensor:
        """Minus the weighted sum (n,) of the kernel between `rows` (n, D) and `support` (S, D)."""
        distances = torch.cdist(rows, support, compute_mode="donot_use_mm_for_euclid_dist")
        return -(distances.square_().mul_(-gamma).exp_() @ coefficients)

    def to(self, device: torch.device | str) -> "OneClassSVM":
        """Move the fitted model to `device` and return it."""
        self._tensors = {name: tensor.to(device) for name, tensor in self.tensors.items()}
        return self

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors, and settings that can be written as JSON: everything that `from_state` needs."""
        return self.tensors, {"nu": self.nu, "gamma": self.gamma}

    @classmethod
    def from_state(cls, tensors: dict[str, Tensor], settings: dict[str, Any]) -> "OneClassSVM":
        """Make the fitted model from the result of `state`."""
        model = cls(**settings)
        model._tensors = {name: tensors[name] for name in ("support", "coefficients", "intercept")}
        return model
