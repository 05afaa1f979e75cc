"""Sharpness-aware minimization (Foret et al., ICLR 2021) over any optimizer."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer


class SAM(Optimizer):
    """Computes gradients at the perturbed weights `w + rho g / ||g||` and applies them to `w`.

    The perturbed weights are, to first order, the worst ones within distance rho. Each step calls its closure, which
    computes loss and gradients, twice. Batch norm statistics are updated in both passes, as in the code that DiffFake
    builds on. The norm is over all parameters.

    Args:
        parameters: parameters to train.
        base: function that makes the optimizer of the step, such as `lambda p: torch.optim.SGD(p, lr=1e-3)`.
        rho: radius of the neighborhood; 0.05 in both papers.
    """

    def __init__(
        self, parameters: Iterable[nn.Parameter], base: Callable[[list[nn.Parameter]], Optimizer], rho: float = 0.05
    ) -> None:
        self.base = base(list(parameters))
        self.rho = rho
        super().__init__(self.base.param_groups, self.base.defaults)
        # State and parameter groups are shared, so schedulers and checkpoints see those of the base optimizer.
        self.param_groups = self.base.param_groups
        self.state = self.base.state
        self.perturbed = False
        """Whether the closure is being called at the perturbed weights. That loss must not be logged."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Make one step. Returns what the closure returned at the unperturbed weights."""
        if closure is None:
            raise ValueError("SAM needs a closure that computes the gradients again")
        with torch.enable_grad():
            loss = closure()
        if loss is None:  # Lightning skips a step in this way
            return None
        moved = self._perturb()
        self.perturbed = True
        try:
            with torch.enable_grad():
                closure()
        finally:
            self.perturbed = False
            for parameter, original in moved:
                parameter.copy_(original)
        self.base.step()
        return loss

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load the state into the base optimizer and share it again."""
        self.base.load_state_dict(state_dict)
        self.param_groups = self.base.param_groups
        self.state = self.base.state

    def _perturb(self) -> list[tuple[nn.Parameter, Tensor]]:
        """Move to `w + rho g / ||g||`. Returns the parameters with copies of `w`, which restore it bit for bit."""
        parameters = [p for group in self.param_groups for p in group["params"] if p.grad is not None]
        # Half-precision gradients would overflow when squared.
        norms = [
            torch.linalg.vector_norm(p.grad, dtype=torch.promote_types(p.grad.dtype, torch.float32)) for p in parameters
        ]
        scale = self.rho / (torch.linalg.vector_norm(torch.stack(norms)) + 1e-12)
        moved = [(p, p.clone()) for p in parameters]
        for parameter in parameters:
            parameter.add_(parameter.grad * scale.to(parameter.dtype))
        return moved
