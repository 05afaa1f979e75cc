"""Differential features, against values worked out by hand."""

import numpy as np
import pytest
import torch

from difffake.anomaly.combine import COMBINATIONS, combine
from difffake.errors import UserError

A = torch.tensor([[1.0, 4.0, 2.0]])
B = torch.tensor([[2.0, 2.0, 2.0]])


@pytest.mark.parametrize(
    ("combination", "raw"),
    [
        ("abs", [1, 2, 0]),
        ("sub", [-1, 2, 0]),
        ("square", [1, 4, 0]),
        ("cube", [-1, 8, 0]),
        ("concat", [1, 4, 2, 2, 2, 2]),
        ("single", [2, 2, 2]),
    ],
)
def test_formula_then_unit_length(combination: str, raw: list[int]) -> None:
    expected = np.array(raw) / np.sqrt(np.square(raw).sum())
    np.testing.assert_allclose(combine(A, B, combination)[0], expected, rtol=1e-6)


def test_square_is_the_default() -> None:
    assert torch.equal(combine(A, B), combine(A, B, "square"))


@pytest.mark.parametrize("combination", COMBINATIONS)
def test_zero_rows_stay_zero(combination: str) -> None:
    zero = torch.zeros(2, 3)
    assert torch.equal(combine(zero, zero, combination), torch.zeros(2, 6 if combination == "concat" else 3))


@pytest.mark.parametrize("combination", ["abs", "sub", "square", "cube"])
def test_tiny_differences_do_not_underflow(combination: str) -> None:
    """(1e-20)^3 is zero in float32, its direction is not."""
    rows = combine(B * 0, (A - B) * 1e-20, combination)
    np.testing.assert_allclose(rows, combine(B * 0, A - B, combination), rtol=1e-5)


def test_unknown_name_lists_the_known() -> None:
    with pytest.raises(UserError, match=r"'mul' is unknown.*abs, sub, square, cube, concat, single"):
        combine(A, B, "mul")


def test_unequal_shapes() -> None:
    with pytest.raises(UserError, match=r"\(1, 3\) and \(1, 2\)"):
        combine(A, B[:, :2])
