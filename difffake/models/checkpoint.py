"""Loading a trained detector from a checkpoint, without Lightning and without running code from the file."""

import pickle
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from difffake.data.pseudo import PseudoConfig
from difffake.errors import UserError
from difffake.models.detector import Detector, DetectorConfig, build_detector
from difffake.models.lean_timm import lean_timm
from difffake.models.model_config import CONFIG, checkpoint_file
from difffake.models.model_folder import read_model
from difffake.models.weights import KEY

PREFIX = "detector."
"""Prefix of the detector's weights in the training module's state dict; other entries are for training only."""


@dataclass(frozen=True)
class CheckpointInfo:
    """What a checkpoint stores about its detector."""

    config: DetectorConfig
    threshold: float | None
    """Threshold of the logit for ACC, from validation data (Youden's point)."""
    training_keys: frozenset[str]
    """Identities, videos, sources and targets of training and validation, for the leak check of test data."""
    validation_keys: frozenset[str]
    """Those of them that only the validation data have: a calibration may use these data."""
    seed: int
    margin: float | None = None
    """Side of the training data's crops as a multiple of the side of the face's box; None if unknown."""
    trained_on: list[dict[str, Any]] | None = None
    """Counts of the data that training used, see `difffake.data.trained_on`; None if unknown."""
    pseudo: PseudoConfig = PseudoConfig()  # frozen, so it can be shared
    """Settings of the pseudo-deepfakes of the run; those of other stages are made in the same way."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values for `from_dict`."""
        return {
            "config": self.config.to_dict(),
            "threshold": self.threshold,
            "training_keys": sorted(self.training_keys),
            "validation_keys": sorted(self.validation_keys),
            "seed": self.seed,
            "margin": self.margin,
            "trained_on": self.trained_on,
            "pseudo": asdict(self.pseudo),
        }

    @staticmethod
    def from_dict(values: dict[str, Any]) -> "CheckpointInfo":
        """The inverse of `to_dict`, also after JSON, which has lists for tuples."""
        return CheckpointInfo(
            DetectorConfig.from_dict(_tuples(values["config"])),
            values["threshold"],
            frozenset(values["training_keys"]),
            frozenset(values["validation_keys"]),
            values["seed"],
            values["margin"],
            values["trained_on"],
            PseudoConfig(**_tuples(values["pseudo"])),
        )


def _tuples(values: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}


def load_detector(
    path: Path, device: torch.device | str = "cpu", imports: Sequence[str] = ()
) -> tuple[Detector, CheckpointInfo]:
    """Load a detector in eval mode, and the information that the checkpoint stores about it.

    Args:
        path: checkpoint of `difffake fit`, or config.json of a model folder; or the run folder or model folder.
        device: device of the detector.
        imports: packages outside difffake whose code may run, for an encoder of your own.

    Raises:
        UserError: the file is missing, broken or not a checkpoint of `difffake fit`, or it needs code from a package
            that is not in `imports`.
    """
    checkpoint = read_checkpoint(Path(path))
    try:
        info = CheckpointInfo.from_dict(checkpoint[KEY])
        # Nothing is frozen here, also if it was in training: a saliency map by gradients may be needed.
        with lean_timm(info.config.name):
            detector = build_detector(replace(info.config, trainable="all"), imports=imports)
        detector.load_state_dict(weights_below(checkpoint, PREFIX))
    except (RuntimeError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise UserError(f"{path} is not a complete checkpoint of `difffake fit` ({type(error).__name__})") from error
    return detector.eval().to(device), info


def inherited_keys(weights: str) -> frozenset[str]:
    """Training keys of the checkpoint from which training starts, because its detector was trained on these data too.

    Args:
        weights: value of `--model.weights`. If it is not a checkpoint of `difffake fit`, there are no keys.
    """
    return frozenset(_inherited(weights).get("training_keys", ()))


def inherited_data(weights: str) -> list[dict[str, Any]] | None:
    """What the checkpoint from which training starts was trained on, see `difffake.data.trained_on`.

    Args:
        weights: value of `--model.weights`. If it is not a checkpoint of `difffake fit`, the list is empty. If the
            checkpoint does not say it, the result is None.
    """
    before = _inherited(weights)
    return before.get("trained_on") if before else []


def _inherited(weights: str) -> dict[str, Any]:
    path = checkpoint_file(Path(weights))
    if not path.is_file() or path.suffix == ".safetensors":
        return {}
    found: dict[str, Any] = read_checkpoint(path).get(KEY, {})
    return found


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint. Its weights are memory-mapped, so weights that are not used, such as a guide's, are not read.

    `path` may be a run folder or a model folder, which has the same entries about the detector, and no others. Raises
    `UserError` if the file is missing or broken.
    """
    path = checkpoint_file(path)
    if not path.is_file():
        raise UserError(f"{path} does not exist: give a checkpoint of `difffake fit`, such as runs/NAME/best.ckpt")
    if path.name == CONFIG:
        model = read_model(path)
        weights = {PREFIX + name: value for name, value in model.weights.items()}
        return {KEY: model.config["detector"], "state_dict": weights}
    try:
        found = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        if not isinstance(found, dict):
            raise TypeError(f"{type(found)} is no checkpoint")
        return found
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, OSError, LookupError, TypeError) as error:
        raise UserError(f"{path} is not a complete checkpoint of `difffake fit` ({type(error).__name__})") from error


def weights_below(checkpoint: dict[str, Any], prefix: str) -> dict[str, Tensor]:
    """The weights of a checkpoint whose names begin with `prefix`; the prefix is removed."""
    return {k.removeprefix(prefix): v for k, v in checkpoint["state_dict"].items() if k.startswith(prefix)}
