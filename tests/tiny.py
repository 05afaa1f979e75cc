"""What the fixtures `tiny_run` and `guided_run` give."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class TinyRun:
    """A whole small run on drawn faces: two data sets, a trained detector and its anomaly model."""

    seen: Path
    unseen: Path
    folder: Path

    @property
    def ckpt(self) -> Path:
        """The checkpoint with the best validation AUC."""
        return self.folder / "best.ckpt"


@dataclass(frozen=True)
class GuidedRun(TinyRun):
    """A detector trained with a guide on the same data sets, without an anomaly model."""

    diffusion: Path
    """The frozen model that taught, small and with random weights."""
