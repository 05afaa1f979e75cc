"""The LightningModule: loss weighting, logging and optimizers around a plain detector."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any, NoReturn

import lightning
import numpy as np
import torch
from jsonargparse.typing import register_type
from torch import Tensor
from torch.nn import functional

from difffake.data.batches import Batch, to_unit
from difffake.data.pseudo import PseudoConfig
from difffake.data.trained_on import trained_on
from difffake.diffusion.load import DiffusionConfig
from difffake.diffusion.teacher import Teacher
from difffake.errors import UsageError, UserError
from difffake.metrics import auc, eer, youden_threshold
from difffake.models.checkpoint import KEY, CheckpointInfo, inherited_data, inherited_keys
from difffake.models.class_path import EncoderClass, read_encoder_class
from difffake.models.detector import DetectorConfig, build_detector
from difffake.models.encoder import Encoder, channels
from difffake.models.head import HeadName
from difffake.models.saliency import coverage
from difffake.randomness import generator
from difffake.recorded import Recorded
from difffake.regularizers.base import Regularizer
from difffake.regularizers.run import Regularizers
from difffake.regularizers.saved import REGULARIZERS, Saved, refuse_changes
from difffake.training.datamodule import FaceData
from difffake.training.epoch_means import EpochMeans
from difffake.training.extras import provide_extras, provide_twins
from difffake.training.optimizers import OptimizerConfig, build_optimizer, schedule_factor
from difffake.training.sam import SAM

# Without this, jsonargparse takes a dataclass of this form for the class path of one of its subclasses.
register_type(EncoderClass, asdict, read_encoder_class, fail_already_registered=False)


class DetectorTraining(Recorded, lightning.LightningModule):
    """Trains a detector on batches of real faces and forgeries with cross-entropy.

    The best checkpoint is chosen by `val/auc` on the validation split of the training data set. The Trainer sets the
    precision (`--trainer.precision bf16-mixed`).

    Args:
        encoder: timm name with the tag of its weights, such as tf_efficientnet_b4.ap_in1k; or, for a
            torch.nn.Module of your own, {class_path: my_package.MyEncoder, init_args: {...}}.
        weights: initial weights of the encoder: none (random); timm (those of the tag, downloaded);
            package:efficientnet-lite0 (or -lite1, -lite2); a file; or a run folder, whose best detector's encoder is
            trained further.
        image_size: side of the images in pixels.
        mean: number that is subtracted from the channels of images in [0, 1]; one number or one per channel. By default
            as the weights were trained.
        std: number by which the channels are divided after that; one number or one per channel. By default as the
            weights were trained.
        dropout: probability that a number of the embedding is set to zero before the head.
        drop_path: rate of stochastic depth in a timm network; by default timm's rate for that network.
        bn_momentum: weight of a new batch in batch norm's running statistics, in [0, 1]; by default that of the
            network.
        head: linear, or cosine (embedding and weights have length 1, with a learned scale, as in GenD).
        trainable: the parts of the encoder that are trained: all; norm (only normalization layers); head (nothing of
            the encoder); or last_blocks N (the last N blocks). The head is always trained.
        feature_stride: pixels per position, along each axis, of the feature map that regularizers and heat maps use,
            such as 16 for an earlier, finer map of a convolutional network; by default that of its last map. The
            classification does not depend on it.
        optimizer: optimizer and schedule of the learning rate.
        regularizers: losses in addition to the classification loss. Each has a name, a class and settings, such as
            {guide: {class_path: Guide, init_args: {lambda_source: 0.7}}}. null removes one (ablation).
        diffusion: the frozen diffusion model; loaded only if a regularizer needs it.
        compile: run torch.compile on the detector, the regularizers' large networks and the frozen U-Net. Compiling
            takes minutes; later steps on a GPU are faster.
        seed: random seed of the run; saved in checkpoints.
    """

    def __init__(
        self,
        encoder: EncoderClass | str = "tf_efficientnet_b4.ap_in1k",
        weights: str = "timm",
        image_size: int = 224,
        mean: float | list[float] | None = None,
        std: float | list[float] | None = None,
        dropout: float = 0.0,
        drop_path: float | None = None,
        bn_momentum: float | None = None,
        head: HeadName = "linear",
        trainable: str = "all",
        feature_stride: int | None = None,
        optimizer: OptimizerConfig = OptimizerConfig(),  # noqa: B008  # frozen, so it can be shared
        regularizers: dict[str, Callable[[Encoder, Teacher], Regularizer] | None] | None = None,
        diffusion: DiffusionConfig = DiffusionConfig(),  # noqa: B008
        compile: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__()
        channel_mean, channel_std = channels("--model.mean", mean), channels("--model.std", std)
        config = DetectorConfig(
            encoder,
            image_size,
            channel_mean,
            channel_std,
            dropout,
            drop_path,
            bn_momentum,
            head,
            trainable,
            feature_stride,
        )
        # A class that the run's config names may be imported: its user chose it.
        self.detector = build_detector(config, weights, imports=config.packages)
        self.inherited_keys, self.inherited_data = inherited_keys(weights), inherited_data(weights)
        self.optimizer_config = optimizer
        self.seed = seed
        self.threshold: float | None = None
        self.training_keys: frozenset[str] = frozenset()
        self.validation_keys: frozenset[str] = frozenset()
        self.margin: float | None = None  # margin of the training data's crops
        self.trained_on: list[dict[str, Any]] | None = None
        self.pseudo = PseudoConfig()  # of the training data's pseudo-deepfakes
        self.epoch_means = EpochMeans()
        self._loss = torch.zeros(())
        self._scores: list[tuple[np.ndarray, ...]] = []
        self.teacher = Teacher(diffusion, seed)
        self.regularizers = Regularizers(regularizers or {}, self.detector.encoder, self.teacher)
        if compile:
            # Compile in place, so that the names of weights in the checkpoint do not change.
            frozen = [self.teacher.diffusion.unet] if self.teacher.loaded else []
            for part in (self.detector, *frozen, *(net for _, r in self.regularizers.each() for net in r.heavy_parts)):
                part.compile()

    @classmethod
    def load_from_checkpoint(cls, checkpoint_path: Any, *rest: Any, **settings: Any) -> NoReturn:
        """Not supported: Lightning would download weights of the default encoder, then fail on those of another.

        Raises `UserError` with the function to use instead.
        """
        raise UserError(
            "DetectorTraining cannot be loaded from a checkpoint: load the detector with "
            "difffake.models.checkpoint.load_detector, or resume the run with `difffake fit --resume`"
        )

    def setup(self, stage: str) -> None:
        """Move the frozen model to the run's device and prepare what regularizers need, before loaders are made."""
        self.teacher.to(self.trainer.strategy.root_device)
        data = self.trainer.datamodule  # type: ignore[attr-defined]  # set when fitting with a data module
        if isinstance(data, FaceData):
            provide_twins(data, self.trainer)
        if isinstance(data, FaceData) and len(self.regularizers):
            provide_extras(data, self.regularizers, self.teacher, self.trainer)

    def on_fit_start(self) -> None:
        """Record the people, videos and crops of the training data, to check later test data for leaks."""
        data = self.trainer.datamodule  # type: ignore[attr-defined]  # set when fitting with a data module
        if isinstance(data, FaceData):
            train, val = (frozenset(data.keys(split)) for split in ("train", "val"))
            self.training_keys = train | val | self.inherited_keys
            self.validation_keys = val - train - self.inherited_keys
            self.margin, self.pseudo = data.manifest.margin, data.pseudo
            if self.inherited_data is not None:  # else it is not known what the starting weights were trained on
                self.trained_on = [*self.inherited_data, *trained_on(data.manifest.table, data.fakes)]
        if str(self.trainer.precision).endswith("-true") and self.trainer.precision != "32-true":
            raise UsageError(f"--trainer.precision {self.trainer.precision} is not supported: use bf16-mixed or 32")
        clipped = self.trainer.precision == "16-mixed" and self.trainer.gradient_clip_val
        if clipped and self.optimizer_config.name == "adamw":
            raise UserError("16-mixed cannot clip gradients of the fused adamw: use bf16-mixed, or no clipping")
        if self.optimizer_config.name == "sam" and self.trainer.precision == "16-mixed":
            raise UserError("SAM does not work with 16-mixed, whose loss scaling skips steps: use bf16-mixed, or adamw")
        if self.optimizer_config.name == "sam" and self.trainer.accumulate_grad_batches != 1:
            raise UserError("SAM cannot accumulate gradients: use --trainer.accumulate_grad_batches 1, or adamw")

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        """Cross-entropy of one batch plus the weighted losses of regularizers; SAM calls it twice per step."""
        images = to_unit(batch["image"])
        batches = self.regularizers.batches(batch, images, self.teacher)
        output = self.detector(self.regularizers.change_images(batches, images, self.teacher))
        loss = functional.binary_cross_entropy_with_logits(output.logit.float(), batch["label"])
        losses = {"train/classification": loss}
        for name, (value, weight) in self.regularizers.losses(output, batches, self.teacher).items():
            losses[f"train/{name}"] = value
            loss = loss + weight * value
        optimizer = self.optimizers(use_pl_optimizer=False)
        if not (isinstance(optimizer, SAM) and optimizer.perturbed):
            self.log("train/loss", loss, prog_bar=True, logger=False, batch_size=len(batch["label"]))
            self.epoch_means.add({"train/loss_epoch": loss} | (losses if len(losses) > 1 else {}))
            self._loss = loss.detach()
        return loss

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Log losses and learning rate every `log_every_n_steps` steps."""
        if isinstance(optimizer, SAM) and optimizer.perturbed:
            return
        every = self.trainer.log_every_n_steps  # type: ignore[attr-defined]  # set by a mixin
        if (self.global_step + 1) % every == 0:
            self._log_row({"train/loss_step": float(self._loss), "lr": optimizer.param_groups[0]["lr"]})

    def on_train_batch_start(self, batch: Batch, batch_index: int) -> None:
        """Seed torch's generator (for dropout and the like) by step and rank, so that a resumed run draws the same."""
        batches = self.trainer.current_epoch * int(self.trainer.num_training_batches) + batch_index
        torch.manual_seed(int(generator(self.seed, batches, self.global_rank).integers(2**63)))

    def on_train_epoch_end(self) -> None:
        """Log the epoch's mean losses over all ranks."""
        if means := self.epoch_means.means():
            self._log_row(means)

    def _log_row(self, values: dict[str, float]) -> None:
        """Write one row to each logger. `self.log` would write rows late or twice if a run is interrupted."""
        for logger in self.loggers:
            logger.log_metrics(values | {"epoch": self.current_epoch}, step=self.global_step)

    def validation_step(self, batch: Batch, batch_index: int) -> None:
        """Keep logits and coverage until the end of the epoch, because AUC needs all of them."""
        output = self.detector(to_unit(batch["image"]))
        columns = (batch["label"], output.logit.double(), coverage(output.features))
        self._scores.append(tuple(column.cpu().numpy() for column in columns))

    def on_validation_epoch_end(self) -> None:
        """Log AUC, EER, threshold and mean coverage over the samples of all ranks; each sample counts once."""
        label, score, covered = (np.concatenate(part) for part in zip(*self._scores, strict=True))
        self._scores.clear()
        if self.trainer.world_size > 1:
            # Ranks may hold different numbers of samples, which tensor gathering would pad.
            parts: list[Any] = [None] * self.trainer.world_size
            torch.distributed.all_gather_object(parts, (label, score, covered))
            label, score, covered = (np.concatenate(part) for part in zip(*parts, strict=True))
        loss = functional.binary_cross_entropy_with_logits(torch.from_numpy(score), torch.from_numpy(label).double())
        self.threshold = youden_threshold(label, score)
        values = {"val/auc": auc(label, score), "val/eer": eer(label, score), "val/loss": float(loss)}
        values["val/coverage"] = float(covered.mean())
        # All ranks have the same value already, so nothing is averaged.
        self.log_dict(values, prog_bar=True, logger=False, rank_zero_only=False, sync_dist=False)
        if not self.trainer.sanity_checking:
            self._log_row(values)

    def configure_optimizers(self) -> Any:
        """Make the optimizer, and a learning-rate schedule that changes at every step."""
        clipped = bool(self.trainer.gradient_clip_val)
        optimizer = build_optimizer(
            (p for p in self.parameters() if p.requires_grad), self.optimizer_config, fused=not clipped
        )
        steps = int(self.trainer.estimated_stepping_batches)
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, schedule_factor(self.optimizer_config, steps))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add what `load_detector` needs."""
        keys = (self.training_keys, self.validation_keys)
        info = CheckpointInfo(
            self.detector.config, self.threshold, *keys, self.seed, self.margin, self.trained_on, self.pseudo
        )
        checkpoint[KEY] = info.to_dict()
        if len(self.regularizers):
            # The frozen model is not saved, only its name and a fingerprint to recognize it.
            checkpoint[REGULARIZERS] = vars(Saved.of(self.regularizers, self.teacher))

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Raise `UserError` if the run to resume had other settings, regularizers or another frozen model."""
        if KEY not in checkpoint:
            raise UserError("the checkpoint to resume from was not written by difffake fit: leave out --resume")
        before = vars(CheckpointInfo.from_dict(checkpoint[KEY]).config)
        for name, value in vars(self.detector.config).items():
            if before[name] != value:
                raise UserError(
                    f"the run to resume had --model.{name} {before[name]}, not {value}: give the same value"
                )
        kept = checkpoint.get(REGULARIZERS, {"parts": {}, "diffusion": None})
        refuse_changes(Saved(**kept), self.regularizers, self.teacher)
