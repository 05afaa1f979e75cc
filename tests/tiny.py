"""What the fixture `tiny_run` gives."""

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
