"""The one-class SVM's scores in torch against scikit-learn's decision function."""

import numpy as np
import pytest
import torch
from sklearn.svm import OneClassSVM as Reference

from difffake.anomaly.one_class_svm import OneClassSVM
from difffake.errors import UserError


@pytest.fixture(scope="module")
def rows() -> torch.Tensor:
    return torch.randn(300, 20, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize(("nu", "gamma"), [(0.5, "auto"), (0.1, "auto"), (0.1, 0.3)])
def test_minus_the_decision_function(rows: torch.Tensor, nu: float, gamma: float | str) -> None:
    train, test = rows[:200], rows[200:] * 1.5
    reference = Reference(nu=nu, gamma=gamma).fit(train.numpy())
    score = OneClassSVM(nu, gamma).fit(train).score(test)
    np.testing.assert_allclose(score, -reference.decision_function(test.numpy()), rtol=1e-9, atol=1e-12)


def test_far_rows_are_more_anomalous(rows: torch.Tensor) -> None:
    model = OneClassSVM().fit(rows)
    assert model.score(rows.float() * 3).mean() > model.score(rows.float()).mean()


def test_mistakes_are_named(rows: torch.Tensor) -> None:
    with pytest.raises(UserError, match=r"nu=1.5"):
        OneClassSVM(nu=1.5)
    with pytest.raises(UserError, match="gamma='scale'"):
        OneClassSVM(gamma="scale")
    with pytest.raises(UserError, match="not fitted"):
        OneClassSVM().score(rows)
    with pytest.raises(UserError, match="300 of 300 rows"):
        OneClassSVM().fit(rows * np.nan)
    with pytest.raises(UserError, match="20 dimensions, but these rows have 10"):
        OneClassSVM().fit(rows).score(rows[:, :10])
