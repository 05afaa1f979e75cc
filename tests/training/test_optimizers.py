"""SAM against the formula, and schedules."""

from copy import deepcopy
from typing import Literal

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from difffake.errors import UserError
from difffake.training.optimizers import OptimizerConfig, build_optimizer, schedule_factor
from difffake.training.sam import SAM


def test_sam_follows_the_paper() -> None:
    """Five steps on a quadratic, computed by hand in NumPy: w' = w - lr (momentum v + g(w + rho g / |g|))."""
    matrix = np.array([[3.0, 1.0], [1.0, 2.0]])
    weights = np.array([1.0, -2.0])
    parameter = nn.Parameter(torch.tensor(weights))
    optimizer = SAM([parameter], lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9), rho=0.1)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = 0.5 * parameter @ torch.tensor(matrix) @ parameter
        loss.backward()
        return loss

    velocity = np.zeros(2)
    for _ in range(5):
        loss = optimizer.step(closure)
        assert loss.item() == pytest.approx(0.5 * weights @ matrix @ weights)  # the loss before the step
        gradient = matrix @ weights
        worst = weights + 0.1 * gradient / np.linalg.norm(gradient)
        velocity = 0.9 * velocity + matrix @ worst
        weights = weights - 0.05 * velocity
        np.testing.assert_allclose(parameter.detach().numpy(), weights, rtol=1e-12)


def test_sam_resumes_from_its_state() -> None:
    def make() -> tuple[nn.Linear, SAM]:
        torch.manual_seed(0)
        model = nn.Linear(3, 1)
        return model, SAM(model.parameters(), lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9))

    def step(model: nn.Linear, optimizer: SAM) -> None:
        def closure() -> Tensor:
            optimizer.zero_grad()
            loss = model(torch.ones(1, 3)).square().mean()
            loss.backward()
            return loss

        optimizer.step(closure)

    model, optimizer = make()
    step(model, optimizer)
    other, resumed = make()
    other.load_state_dict(model.state_dict())
    resumed.load_state_dict(deepcopy(optimizer.state_dict()))
    for _ in range(3):
        step(model, optimizer)
        step(other, resumed)
    torch.testing.assert_close(model.weight, other.weight, rtol=0, atol=0)


def test_schedulers_reach_sams_step() -> None:
    parameter = nn.Parameter(torch.ones(1))
    optimizer = build_optimizer([parameter], OptimizerConfig("sam", lr=1.0, momentum=0.0))
    torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 0.0)

    def closure() -> Tensor:
        parameter.grad = torch.ones(1)
        return parameter.sum()

    optimizer.step(closure)
    assert parameter.item() == 1.0  # learning rate 0


@pytest.mark.parametrize(
    ("schedule", "warmup", "expected"),
    [
        ("constant", 0.0, {0: 1, 50: 1, 99: 1}),
        ("linear_tail", 0.0, {0: 1, 74: 1, 75: 1, 80: 0.8, 90: 0.4, 100: 0}),
        ("cosine", 0.0, {0: 1, 50: 0.5, 100: 0}),
        ("constant", 0.1, {0: 1 / 11, 4: 5 / 11, 10: 1, 99: 1}),
    ],
)
def test_schedules(
    schedule: Literal["constant", "linear_tail", "cosine"], warmup: float, expected: dict[int, float]
) -> None:
    factor = schedule_factor(OptimizerConfig(schedule=schedule, warmup=warmup), steps=100)
    assert {step: factor(step) for step in expected} == pytest.approx(expected)


def test_wrong_settings_are_explained() -> None:
    with pytest.raises(UserError, match="lr and rho must be positive"):
        OptimizerConfig(lr=0)
