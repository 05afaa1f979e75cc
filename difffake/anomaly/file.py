"""The file of an anomaly model: safetensors, which contain numbers and JSON, never code. It needs no torch."""

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from difffake.errors import UserError
from difffake.files import absent, sha256

FILE = "anomaly.safetensors"
"""Name of the file beside its checkpoint."""
COMBINATION = "learned combination."
"""Prefix of the tensors of a learned combination."""
BROKEN = (SafetensorError, KeyError, ValueError, TypeError, IndexError, RuntimeError)
"""Errors while a broken file is read."""


def read_file(path: Path, framework: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read the arrays of a model, without those of a learned combination, and its header.

    Args:
        path: file that `difffake.anomaly.storage.save_anomaly` wrote.
        framework: `pt` for tensors of torch, `np` for arrays of NumPy.

    Returns:
        The arrays by name; and a dict with the model's `kind`, its `settings` and the `metadata`.

    Raises:
        UserError: the file does not exist, is broken or of another kind.
    """
    if not path.is_file():
        raise UserError(f"{path} {absent(path)}: fit an anomaly model first, or name its file")
    try:
        with safe_open(path, framework=framework) as file:
            header: dict[str, Any] = json.loads((file.metadata() or {})["anomaly"])
            names = [name for name in file.keys() if not name.startswith(COMBINATION)]  # noqa: SIM118 (not a dict)
            arrays = {name: file.get_tensor(name) for name in names}
        return arrays, {key: header[key] for key in ("kind", "settings", "metadata")}
    except BROKEN as error:
        raise broken(path, error) from None


def broken(path: Path, error: Exception) -> UserError:
    """The message about a file that is not complete."""
    reason = " ".join(str(error).split())
    return UserError(f"{path} is not a complete anomaly model ({reason}): fit it again or give another file")


def check_checkpoint(path: Path, metadata: dict[str, Any], ckpt: Path, known: str | None = None) -> None:
    """Raise `UserError` if a model was fitted to embeddings of another checkpoint.

    Args:
        path: file of the model.
        metadata: its metadata.
        ckpt: the checkpoint, or a file that was made of it.
        known: SHA-256 of the checkpoint; by default, that of the file `ckpt`.
    """
    if metadata["checkpoint"] != (known or sha256(ckpt)):
        raise UserError(f"{path} was fitted to embeddings of another checkpoint than {ckpt}: run fit-anomaly again")
