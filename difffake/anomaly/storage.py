"""Anomaly models as safetensors files, which contain numbers and JSON, never code."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from difffake.anomaly.density import Density, density_class, density_kind
from difffake.anomaly.file import BROKEN, COMBINATION, broken, read_file
from difffake.anomaly.learned import LearnedCombination
from difffake.errors import UserError
from difffake.files import staged_file


def save_anomaly(
    path: Path, model: Density, metadata: dict[str, Any], combination: LearnedCombination | None = None
) -> None:
    """Write a fitted model; the file appears only when it is complete.

    Args:
        path: file to write.
        model: the fitted model.
        metadata: other entries; they must be JSON.
        combination: network that combines the embeddings of a pair, if there is one.

    Raises:
        UserError: the model is not fitted, or the metadata cannot be written as JSON.
    """
    tensors, settings = model.state()
    own = combination.state_dict() if combination else {}
    tensors = tensors | {COMBINATION + name: value for name, value in own.items()}
    try:
        header = {"kind": density_kind(model), "settings": settings, "metadata": metadata}
        # One entry, because safetensors writes several in another order each time.
        text = json.dumps(header, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise UserError(
            f"the metadata for {path} is not JSON ({error}): use text, finite numbers, lists and dicts"
        ) from None
    with staged_file(Path(path)) as partial:
        # save_file would hide the file from other users.
        kept = {name: tensor.contiguous().cpu() for name, tensor in tensors.items()}
        partial.write_bytes(save(kept, {"anomaly": text}))


def load_anomaly(path: Path, imports: Sequence[str] = ()) -> tuple[Density, dict[str, Any]]:
    """Read a model to the CPU, and its metadata.

    Args:
        path: file that `save_anomaly` wrote.
        imports: packages outside difffake whose code may run, for a model of your own.

    Raises:
        UserError: the file does not exist, is broken or of another kind, or needs code of a package that is not in
            `imports`.
    """
    tensors, header = read_file(Path(path), "pt")
    try:
        return density_class(header["kind"], imports).from_state(tensors, header["settings"]), header["metadata"]
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    except BROKEN as error:
        raise broken(path, error) from None


def load_combination(path: Path) -> LearnedCombination:
    """Read the network that combines the embeddings of a pair. Raises `UserError` if it is missing or broken."""
    try:
        with safe_open(path, framework="pt") as file:
            names = [name for name in file.keys() if name.startswith(COMBINATION)]  # noqa: SIM118 (not a dict)
            state = {name.removeprefix(COMBINATION): file.get_tensor(name) for name in names}
        return LearnedCombination.from_state(state)
    except (SafetensorError, KeyError, RuntimeError, OSError) as error:
        raise UserError(f"{path} has no complete learned combination: fit it again or give another file") from error


def rebind_anomaly(path: Path, checkpoint: str, out: Path, new: str) -> None:
    """Copy a model that was fitted to a checkpoint's embeddings, for the same checkpoint in another file.

    Args:
        path: file that `save_anomaly` wrote.
        checkpoint: SHA-256 of the checkpoint that it must belong to.
        out: file to write.
        new: SHA-256 of the other file.

    Raises:
        UserError: the file is broken, or belongs to another checkpoint.
    """
    _, header = read_file(path, "pt")
    if header["metadata"].get("checkpoint") != checkpoint:
        raise UserError(f"{path} was fitted to embeddings of another checkpoint: run fit-anomaly again")
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    header["metadata"]["checkpoint"] = new
    with staged_file(out) as partial:
        partial.write_bytes(save(tensors, {"anomaly": json.dumps(header, allow_nan=False)}))
