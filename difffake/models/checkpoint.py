"""Reading a trained detector back from a checkpoint, without Lightning and without running code from the file."""

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from difffake.errors import UserError
from difffake.models.detector import Detector, DetectorConfig, build_detector
from difffake.models.guide import Guide, GuideConfig
from difffake.models.latent_diffusion import LatentDiffusion
from difffake.models.load_diffusion import DiffusionConfig, load_diffusion

KEY = "difffake"
"""Entry of a Lightning checkpoint that holds a `dict` for `CheckpointInfo`."""
GUIDE_KEY = "guide"
"""Entry of the checkpoint of a guided run that holds a `dict` for `GuideInfo`."""
PREFIX = "detector."
"""Of the detector's weights in the training module's state dict; everything else in it is for training only."""
GUIDE_PREFIX = "guide."
"""Likewise of the guide's."""


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


@dataclass(frozen=True)
class GuideInfo:
    """What the checkpoint of a guided run says of guide and frozen model."""

    guide: GuideConfig
    diffusion: DiffusionConfig
    fingerprint: str
    """Of the frozen model."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as `from_dict` reads them."""
        return {"guide": vars(self.guide), "diffusion": vars(self.diffusion), "fingerprint": self.fingerprint}

    @staticmethod
    def from_dict(values: dict[str, Any]) -> "GuideInfo":
        """The inverse of `to_dict`."""
        return GuideInfo(GuideConfig(**values["guide"]), DiffusionConfig(**values["diffusion"]), values["fingerprint"])


def load_detector(path: Path, device: torch.device | str = "cpu") -> tuple[Detector, CheckpointInfo]:
    """Detector in eval mode, and what the checkpoint says of it.

    Raises `UserError` if the file is missing, broken or not a checkpoint of `difffake fit`.
    """
    checkpoint = read_checkpoint(Path(path))
    try:
        info = CheckpointInfo.from_dict(checkpoint[KEY])
        detector = build_detector(info.config)
        detector.load_state_dict(_weights(checkpoint, PREFIX))
    except (RuntimeError, ValueError, LookupError, TypeError) as error:
        raise UserError(f"{path} is not a whole checkpoint of `difffake fit` ({type(error).__name__})") from error
    return detector.eval().to(device), info


def load_guide(
    path: Path, detector: Detector, diffusion: DiffusionConfig | None = None, device: torch.device | str = "cpu"
) -> tuple[Guide, LatentDiffusion]:
    """The guide of a guided run, and the frozen model that taught it, which is loaded by the name in the checkpoint.

    `diffusion` says where the model is now, if it has moved. Raises `UserError` for the checkpoint of a run without a
    guide, or another frozen model.
    """
    checkpoint = read_checkpoint(Path(path))
    if GUIDE_KEY not in checkpoint:
        raise UserError(f"{path} was trained without a guide: name a checkpoint of a run with --model.guide")
    try:
        info = GuideInfo.from_dict(checkpoint[GUIDE_KEY])
        frozen = load_diffusion(diffusion or info.diffusion, checkpoint[KEY]["seed"])
        if frozen.fingerprint() != info.fingerprint:
            raise UserError(f"{path} was taught by another diffusion model than the one named {frozen.name} now is")
        guide = Guide(frozen, detector.encoder.channels, info.guide)
        guide.load_state_dict(_weights(checkpoint, GUIDE_PREFIX))
    except (RuntimeError, ValueError, LookupError, TypeError) as error:
        raise UserError(f"{path} is not a whole checkpoint of `difffake fit` ({type(error).__name__})") from error
    return guide.eval().to(device), frozen.to(device)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """A checkpoint as it is, its weights mapped: those that are not used, such as a guide's, are not read.

    Raises `UserError` if the file is missing or broken.
    """
    if not path.is_file():
        raise UserError(f"{path} does not exist: name a checkpoint of `difffake fit`, such as runs/NAME/best.ckpt")
    try:
        return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, OSError, LookupError, TypeError) as error:
        raise UserError(f"{path} is not a whole checkpoint of `difffake fit` ({type(error).__name__})") from error


def _weights(checkpoint: dict[str, Any], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in checkpoint["state_dict"].items() if k.startswith(prefix)}
