"""Reading a trained detector back from a checkpoint, without Lightning and without running code from the file."""

import pickle
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from difffake.errors import UserError
from difffake.models.detector import Detector, DetectorConfig, build_detector
from difffake.models.lean_timm import lean_timm
from difffake.models.weights import KEY, weights_file

PREFIX = "detector."
"""Of the detector's weights in the training module's state dict; everything else in it is for training only."""


@dataclass(frozen=True)
class CheckpointInfo:
    """What a checkpoint says of its detector."""

    config: DetectorConfig
    threshold: float | None
    """Logit threshold of the validation data for ACC (Youden's point)."""
    training_keys: frozenset[str]
    """Identities, videos, sources and targets of training and validation, for the leak check of test data."""
    seed: int
    margin: float | None = None
    """Of the crops of the training data, as a multiple of the face's box; None where its manifest does not say."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as `from_dict` reads them."""
        return {
            "config": self.config.to_dict(),
            "threshold": self.threshold,
            "training_keys": sorted(self.training_keys),
            "seed": self.seed,
            "margin": self.margin,
        }

    @staticmethod
    def from_dict(values: dict[str, Any]) -> "CheckpointInfo":
        """The inverse of `to_dict`."""
        return CheckpointInfo(
            DetectorConfig.from_dict(values["config"]),
            values["threshold"],
            frozenset(values["training_keys"]),
            values["seed"],
            values["margin"],
        )


def load_detector(
    path: Path, device: torch.device | str = "cpu", imports: Sequence[str] = ()
) -> tuple[Detector, CheckpointInfo]:
    """Detector in eval mode, and what the checkpoint says of it.

    Args:
        path: checkpoint of `difffake fit`.
        device: where the detector is put.
        imports: packages outside difffake whose code may run, for an encoder of your own.

    Raises `UserError` if the file is missing, broken or not a checkpoint of `difffake fit`, or needs code of a package
    that is not named in `imports`.
    """
    checkpoint = read_checkpoint(Path(path))
    try:
        info = CheckpointInfo.from_dict(checkpoint[KEY])
        # What was frozen in training need not be: a map of what the detector looks at wants gradients.
        with lean_timm(info.config.name):
            detector = build_detector(replace(info.config, trainable="all"), imports=imports)
        detector.load_state_dict(weights_below(checkpoint, PREFIX))
    except (RuntimeError, ValueError, LookupError, TypeError) as error:
        raise UserError(f"{path} is not a complete checkpoint of `difffake fit` ({type(error).__name__})") from error
    return detector.eval().to(device), info


def inherited_keys(weights: str) -> frozenset[str]:
    """Training keys of the checkpoint of `difffake fit` that training starts from: what its detector has seen.

    `weights` is `--model.weights`; anything but such a checkpoint has none.
    """
    path = weights_file(weights)
    if not path.is_file() or path.suffix == ".safetensors":
        return frozenset()
    return frozenset(read_checkpoint(path).get(KEY, {}).get("training_keys", ()))


def checkpoint_file(path: Path) -> Path:
    """The checkpoint that a path names: best.ckpt of a run folder, else the file itself."""
    return weights_file(str(path))


def read_checkpoint(path: Path) -> dict[str, Any]:
    """A checkpoint as it is, its weights mapped: those that are not used, such as a guide's, are not read.

    `path` may be a run folder. Raises `UserError` if the file is missing or broken.
    """
    path = checkpoint_file(path)
    if not path.is_file():
        raise UserError(f"{path} does not exist: name a checkpoint of `difffake fit`, such as runs/NAME/best.ckpt")
    try:
        found = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        if not isinstance(found, dict):
            raise TypeError(f"{type(found)} is no checkpoint")
        return found
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, OSError, LookupError, TypeError) as error:
        raise UserError(f"{path} is not a complete checkpoint of `difffake fit` ({type(error).__name__})") from error


def weights_below(checkpoint: dict[str, Any], prefix: str) -> dict[str, Tensor]:
    """Those weights of a checkpoint whose names begin with `prefix`, without it."""
    return {k.removeprefix(prefix): v for k, v in checkpoint["state_dict"].items() if k.startswith(prefix)}
