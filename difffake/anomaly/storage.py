"""Anomaly models as safetensors files: numbers and JSON, never code."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from difffake.anomaly.density import Density, density_class, density_kind
from difffake.errors import UserError
from difffake.files import staged_file


def save_anomaly(path: Path, model: Density, metadata: dict[str, Any]) -> None:
    """Write the fitted `model` and `metadata`, anything that JSON can hold, to `path`, whole or not at all.

    Raises `UserError` if the model is not fitted or the metadata is not JSON.
    """
    tensors, settings = model.state()
    try:
        header = {"kind": density_kind(model), "settings": settings, "metadata": metadata}
        # One entry, because safetensors writes several in another order each time.
        text = json.dumps(header, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise UserError(
            f"the metadata for {path} is not JSON ({error}): use text, finite numbers, lists and dicts"
        ) from None
    with staged_file(Path(path)) as partial:
        save_file({name: tensor.contiguous().cpu() for name, tensor in tensors.items()}, partial, {"anomaly": text})


def load_anomaly(path: Path, imports: Sequence[str] = ()) -> tuple[Density, dict[str, Any]]:
    """Read the model, on the CPU, and the metadata that `save_anomaly` wrote to `path`.

    `imports` are the packages outside difffake whose code may run, for a model of your own. Raises `UserError` if there
    is no such file, it is broken or another kind of file, or it needs code of a package that is not in `imports`.
    """
    if not Path(path).is_file():
        raise UserError(f"{path} does not exist: fit an anomaly model first")
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {})["anomaly"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        model = density_class(header["kind"], imports).from_state(tensors, header["settings"])
        return model, header["metadata"]
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    except (SafetensorError, KeyError, ValueError, TypeError, IndexError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path} is not a whole anomaly model ({reason}): fit it again or name another file") from None
