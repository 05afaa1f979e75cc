"""The file config.json of a model folder. This module needs no torch."""

import json
from pathlib import Path
from typing import Any

from difffake.errors import UserError

CONFIG = "config.json"


def read_config(config: Path) -> dict[str, Any]:
    """Content of a model folder's config.json. Raises `UserError` if it is broken or of another program."""
    try:
        found = json.loads(config.read_text(encoding="utf-8"))
        if isinstance(found["detector"], dict) and isinstance(found["weights"]["sha256"], str):
            return dict(found)
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        pass
    raise UserError(f"{config} is broken or not from difffake: name a folder that `difffake publish` wrote")
