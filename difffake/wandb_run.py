"""One Weights & Biases run per detector, for training, anomaly model and evaluation.

The package wandb is optional; it is imported only if a run uses it.
"""

import json
import netrc
import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from difffake.errors import UserError
from difffake.files import staged_file
from difffake.progress import console

NOTE = "wandb.json"
"""File in a run folder with the id of its W&B run."""


def run_id(resumed: Path | None) -> str:
    """Id of the W&B run: from the run folder that is resumed, or from W&B's agent, or new."""
    if resumed and (resumed / NOTE).is_file():
        return str(_read(resumed / NOTE)["id"])
    return os.environ.get("WANDB_RUN_ID") or uuid.uuid4().hex[:8]


def prepare(identity: str) -> None:
    """Let wandb continue the run `identity` if it exists; offline if nobody is logged in."""
    os.environ["WANDB_RUN_ID"] = identity
    os.environ["WANDB_RESUME"] = "allow"
    if "WANDB_MODE" not in os.environ and not _logged_in():
        os.environ["WANDB_MODE"] = "offline"
        console.print("nobody is logged in to W&B: the run is kept in wandb/, and `wandb sync` uploads it later")


@contextmanager
def reached() -> Iterator[None]:
    """Turn errors of W&B's server into `UserError`; on the nodes of a cluster, the server is often not reachable."""
    import wandb

    try:
        yield
    except wandb.errors.Error as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(
            f"no W&B run ({reason}): set WANDB_MODE=offline, and upload it later with `wandb sync`"
        ) from error


def note_run(folder: Path, identity: str, project: str, entity: str | None) -> None:
    """Write the id, project and entity of the W&B run into a run folder."""
    with staged_file(folder / NOTE) as partial:
        partial.write_text(json.dumps({"id": identity, "project": project, "entity": entity}) + "\n")


def add_to_run(ckpt: Path, values: Mapping[str, float], table: tuple[str, Sequence[Mapping[str, Any]]] | None) -> None:
    """Add results to the W&B run that trained a checkpoint, if there is one.

    Args:
        ckpt: the checkpoint.
        values: numbers by name, for the run's summary.
        table: name and rows of a table, or None.
    """
    note = ckpt.parent / NOTE
    if not note.is_file():
        return
    try:
        import wandb
    except ImportError:
        console.print(f"{note}: wandb is not installed, so the W&B run gets no results")
        return
    found = _read(note)
    prepare(found["id"])
    try:
        _add(found, values, table)
    except wandb.errors.Error as error:
        # No error: the results have been written to files already.
        console.print(f"the W&B run {found['id']} gets no results: {str(error).splitlines()[0]}")


def _add(
    found: dict[str, Any], values: Mapping[str, float], table: tuple[str, Sequence[Mapping[str, Any]]] | None
) -> None:
    import wandb

    with wandb.init(project=found["project"], entity=found["entity"], id=found["id"], resume="allow") as run:
        for name, value in values.items():
            run.summary[name] = value
        if table:
            name, rows = table
            columns: list[str | int] = list(dict.fromkeys(key for row in rows for key in row))
            cells: list[Any] = [[row.get(str(column)) for column in columns] for row in rows]
            run.log({name: wandb.Table(columns=columns, data=cells)})


def _read(note: Path) -> dict[str, Any]:
    try:
        found = json.loads(note.read_text())
        return {"id": found["id"], "project": found["project"], "entity": found["entity"]}
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{note} is broken: delete it to start a new W&B run") from error


def _logged_in() -> bool:
    """Whether an API key exists where wandb looks for it. Calling wandb would fix its mode already."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    host = urlparse(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")).hostname
    try:
        found = netrc.netrc(os.environ.get("NETRC") or Path.home() / ".netrc")
    except (OSError, netrc.NetrcParseError):
        return False
    return host is not None and found.authenticators(host) is not None
