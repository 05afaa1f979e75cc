"""Where a detector's file is, and what config.json of a model folder says. This module needs no torch."""

import json
from pathlib import Path
from typing import Any

from difffake.errors import UserError
from difffake.files import absent, sha256

CONFIG = "config.json"
WEIGHTS = "model.safetensors"


def checkpoint_file(path: Path) -> Path:
    """The file of a detector: config.json of a model folder, best.ckpt of a run folder, or the path itself."""
    if not path.is_dir():
        return path
    return path / CONFIG if (path / CONFIG).is_file() else path / "best.ckpt"


def read_config(config: Path) -> dict[str, Any]:
    """Content of a model folder's config.json. Raises `UserError` if it is broken or of another program."""
    try:
        found = json.loads(config.read_text(encoding="utf-8"))
        if isinstance(found["detector"], dict) and isinstance(found["weights"]["sha256"], str):
            return dict(found)
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        pass
    raise UserError(f"{config} is broken or not from difffake: name a folder that `difffake publish` wrote")


def model_weights(config: Path, content: dict[str, Any]) -> Path:
    """The file of a model folder's weights.

    Args:
        config: its config.json.
        content: what that says, from `read_config`.

    Raises `UserError` if the file is missing, or its SHA-256 is another than config.json says.
    """
    path = config.parent / WEIGHTS
    mend = "download or publish the folder again"
    if not path.is_file():
        raise UserError(f"{path} {absent(path)}: {mend}")
    if sha256(path) != content["weights"]["sha256"]:
        raise UserError(f"{path} was changed or is damaged: its SHA-256 is not that of {config.name}: {mend}")
    return path
