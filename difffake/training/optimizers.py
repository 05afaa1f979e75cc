"""The papers' optimizers and learning-rate schedules, chosen by name."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import cos, pi
from typing import Literal

import torch
from torch import nn
from torch.optim import Optimizer

from difffake.errors import UsageError
from difffake.training.sam import SAM


@dataclass(frozen=True)
class OptimizerConfig:
    """The optimizer and its learning-rate schedule.

    DiffFake uses SAM over SGD with rate 1e-3, momentum 0.9, rho 0.05 and `linear_tail`. DiffusionFake uses Adam with
    rate 1e-5 (AdamW in its code).

    Args:
        name: sam (over SGD), sgd or adamw.
        lr: learning rate.
        momentum: momentum of SGD, also under SAM; adamw does not use it.
        weight_decay: strength of weight decay; decoupled for adamw.
        rho: radius of the neighborhood in which SAM perturbs the weights.
        schedule: constant, linear_tail (constant, then linear to 0 over the last quarter) or cosine (to 0).
        warmup: share of the run, in [0, 1), over which the learning rate rises from 0.
    """

    name: Literal["sam", "sgd", "adamw"] = "sam"
    lr: float = 1e-3
    momentum: float = 0.9
    weight_decay: float = 0.0
    rho: float = 0.05
    schedule: Literal["constant", "linear_tail", "cosine"] = "linear_tail"
    warmup: float = 0.0

    def __post_init__(self) -> None:
        if self.lr <= 0 or self.rho <= 0 or not 0 <= self.warmup < 1:
            raise UsageError("optimizer: lr and rho must be positive, and warmup at least 0 and under 1")


def build_optimizer(parameters: Iterable[nn.Parameter], config: OptimizerConfig, *, fused: bool = True) -> Optimizer:
    """Make the optimizer of a config.

    Args:
        parameters: parameters to train.
        config: name and settings of the optimizer.
        fused: use the fused kernel of AdamW. Lightning cannot clip its gradients in 16-bit mixed precision.
    """

    def sgd(parameters: Iterable[nn.Parameter]) -> Optimizer:
        return torch.optim.SGD(parameters, lr=config.lr, momentum=config.momentum, weight_decay=config.weight_decay)

    if config.name == "sam":
        return SAM(parameters, sgd, config.rho)
    if config.name == "sgd":
        return sgd(parameters)
    return torch.optim.AdamW(parameters, lr=config.lr, weight_decay=config.weight_decay, fused=fused)


def schedule_factor(config: OptimizerConfig, steps: int) -> Callable[[int], float]:
    """Function from a step (from 0) to the learning rate as a share of `config.lr`, for a run of `steps` steps."""
    warmup = round(config.warmup * steps)

    def factor(step: int) -> float:
        rise = min(1.0, (step + 1) / (warmup + 1))
        progress = min(1.0, step / max(1, steps))
        if config.schedule == "linear_tail":
            return rise * min(1.0, (1 - progress) / 0.25)
        if config.schedule == "cosine":
            return rise * (1 + cos(pi * progress)) / 2
        return rise

    return factor
