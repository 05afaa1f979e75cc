"""Reading a trained detector back from a checkpoint, without Lightning and without running code from the file."""

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from difffake.errors import UserError
from difffake.models.detector import Detector, DetectorConfig, build_detector

KEY = "difffake"
"""Entry of a Lightning checkpoint that holds a `dict` for `CheckpointInfo`."""
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

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as `from_dict` reads them."""
        return {
            "config": vars(self.config),
            "threshold": self.threshold,
            "training_keys": sorted(self.training_keys),
            "seed": self.seed,
        }

    @staticmethod
    def from_dict(values: dict[str, Any]) -> "CheckpointInfo":
        """The inverse of `to_dict`."""
        return CheckpointInfo(
            DetectorConfig(**values["config"]),
            values["threshold"],
            frozenset(values["training_keys"]),
            values["seed"],
        )


def load_detector(path: Path, device: torch.device | str = "cpu") -> tuple[Detector, CheckpointInfo]:
    """Detector in eval mode, and what the checkpoint says of it.

    Raises `UserError` if the file is missing, broken or not a checkpoint of `difffake fit`.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path} does not exist: name a checkpoint of `difffake fit`, such as runs/NAME/best.ckpt")
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        info = CheckpointInfo.from_dict(checkpoint[KEY])
        state = {k.removeprefix(PREFIX): v for k, v in checkpoint["state_dict"].items() if k.startswith(PREFIX)}
        detector = build_detector(info.config)
        detector.load_state_dict(state)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, OSError, LookupError, TypeError) as error:
        raise UserError(f"{path} is not a whole checkpoint of `difffake fit` ({type(error).__name__})") from error
    return detector.eval().to(device), info
