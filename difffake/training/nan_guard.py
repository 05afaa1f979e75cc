"""Stops a run whose loss has become NaN or infinite, which would otherwise train on for hours."""

from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from difffake.errors import UserError

EVERY = 50
"""Steps from one check to the next on a GPU, because each check waits for the GPU."""


class NanGuard(Callback):
    """Raises `UserError` after a step whose loss was NaN or infinite, with the loss, the step and the learning rate.

    The loss is checked after each step on a CPU and every `EVERY` steps on a GPU. It is also checked before validation
    and before each checkpoint, so no checkpoint is saved after such a step.
    """

    def __init__(self) -> None:
        self._first: Tensor | None = None  # scalar: the first step with such a loss, -1 if there is none

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Record the step, without waiting for the GPU."""
        loss = outputs["loss"].detach() if isinstance(outputs, dict) else outputs.detach()
        if self._first is None:
            self._first = torch.full((), -1, device=loss.device)
        bad = ~torch.isfinite(loss) & (self._first < 0)
        self._first = torch.where(bad, trainer.global_step, self._first)
        if loss.device.type == "cpu" or trainer.global_step % EVERY == 0:
            self._check(trainer, pl_module)

    def on_validation_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Check before validation; the last step may have made the weights NaN."""
        self._check(trainer, pl_module)
        values = [v for v in pl_module.state_dict().values() if v.is_floating_point() and v.numel()]
        if not all(torch.stack([torch.isfinite(value).all() for value in values]).tolist()):
            raise UserError(
                f"the weights became NaN or infinite at step {trainer.global_step}, {_rate(trainer)}: {_ADVICE}"
            )

    def on_save_checkpoint(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Check before a checkpoint is replaced."""
        self._check(trainer, pl_module)

    def _check(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if self._first is None or (step := int(self._first)) < 0:
            return
        means: Any = pl_module.epoch_means
        names = [name.removesuffix("_epoch") for name, value in means.sums.items() if not torch.isfinite(value)]
        parts = [name for name in names if name != "train/loss"] or names or ["train/loss"]
        raise UserError(
            f"the loss became NaN or infinite: {', '.join(parts)} at step {step}, {_rate(trainer)}: {_ADVICE}"
        )


def _rate(trainer: lightning.Trainer) -> str:
    return f"learning rate {trainer.optimizers[0].param_groups[0]['lr']:.3g}"


_ADVICE = "lower --model.optimizer.lr, or give --trainer.gradient_clip_val 1"
