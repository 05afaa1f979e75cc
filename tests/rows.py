"""Manifests that are made by hand, row by row."""

from pathlib import Path
from typing import Any

import pandas as pd

from difffake.data.manifest import Manifest


def row(path: str, **columns: Any) -> dict[str, Any]:
    """A real face of the training split, with `columns` changed."""
    base = dict.fromkeys(("video", "identity", "source", "target", "compression"), "")
    fixed = {"dataset": "d", "split": "train", "label": 0, "method": "real", "frame": 0, "box": None, "landmarks": None}
    return {"path": path, **base, **fixed, **columns}


def fake(path: str, **columns: Any) -> dict[str, Any]:
    """A fake of the training split, with `columns` changed."""
    return row(path, **{"label": 1, "method": "x", **columns})


def manifest_of(*rows: dict[str, Any], root: Path = Path("root")) -> Manifest:
    """A manifest with these rows."""
    return Manifest(pd.DataFrame(rows), root)
