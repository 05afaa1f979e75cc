"""The protocol: what a detector was trained and tested on, and how its results can be repeated."""

import shlex
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from difffake.data.trained_on import PSEUDO
from difffake.evaluation.published import Comparable, comparable, published_anywhere
from difffake.evaluation.report.folders import Folder
from difffake.evaluation.report.tables import PageTable
from difffake.evaluation.results import ALL
from difffake.evaluation.table import NONE
from difffake.readers.item import REAL

_VERSIONS = ("difffake", "python", "torch", "numpy", "platform", "date")
_SPLITS = {"train": "training", "val": "validation", "test": "test"}


def split_table(run: Folder) -> PageTable:
    """Counts of the faces that the detector was trained, selected and tested on."""
    lines = []
    for entry in run.trained_on:
        used = _SPLITS.get(str(entry["split"]), str(entry["split"]))
        counts = (f"{int(entry[key]):,}" if entry[key] else NONE for key in ("videos", "crops"))
        fake = "pseudo-deepfakes (new ones in every epoch)" if entry["method"] == PSEUDO else entry["method"]
        lines.append([used, *(str(text) or NONE for text in (entry["dataset"], entry["compression"], fake)), *counts])
    counted: dict[tuple[str, str, str], dict[str, int]] = {}
    for row in run.rows:
        if row["score"] == run.rows[0]["score"]:
            for method, key in ((REAL, "n_real"), (row["method"], "n_fake")):
                if method not in (ALL, REAL) or key == "n_real":
                    place = (row["dataset"], row["compression"], method)
                    counted.setdefault(place, {})[row["level"]] = int(row[key])
    for place, found in counted.items():
        if any(found.values()):
            counts = (f"{found[level]:,}" if found.get(level) else NONE for level in ("video", "frame"))
            lines.append(["test", *(text or NONE for text in place), *counts])
    columns = ["Used for", "Data set", "Compression", "Faces", "Videos", "Crops"]
    return PageTable("Data", columns, lines, frozenset(columns[:4]))


def split_tables(runs: Sequence[Folder]) -> list[PageTable]:
    """Tables of the data of runs, each once, with the names of its runs where they differ."""
    names: dict[tuple[tuple[str, ...], ...], list[str]] = {}
    tables = {}
    for run in runs:
        table = split_table(run)
        key = tuple(map(tuple, table.cells))
        names.setdefault(key, []).append(run.name)
        tables[key] = table
    if len(tables) == 1:
        return [table for table in tables.values() if table.cells]
    return [replace(table, title=f"Data of {', '.join(names[key])}") for key, table in tables.items() if table.cells]


def beside(run: Folder) -> list[Comparable]:
    """Published numbers with the protocol of a run: never beside drawn or forged data, or a part of a test set."""
    facts = run.provenance
    if facts.get("methods") or facts.get("split") not in ("test", "all"):
        return []
    return comparable([row for row in run.rows if row["dataset"] not in run.testbeds], run.training)


def withheld(runs: Sequence[Folder]) -> str:
    """Why there are no published numbers for benchmarks that were measured; empty if there are."""
    lacking = [run for run in runs if not beside(run)]
    names = published_anywhere([row for run in lacking for row in run.rows if row["dataset"] not in run.testbeds])
    if not names:
        return ""
    unknown = all(run.training is None and not run.trained_on for run in lacking)
    why = "the results do not say what the detector was trained on" if unknown else "the protocol differs"
    return (
        f"There are published numbers for {', '.join(names)}, for detectors with a known protocol (docs/protocols.md). "
        f"They are not shown, because {why}."
    )


def commands(run: Folder) -> list[str]:
    """Commands that repeat a run: training with its config, then the command that measured."""
    found = []
    command = run.provenance.get("command")
    if run.config and isinstance(command, list) and command[1:2] == ["evaluate"]:
        found.append("difffake fit --config config.yaml --out RUN")
    if isinstance(command, list) and command:
        program = "difffake" if command[0] == "__main__.py" else command[0]  # started as python -m difffake
        found.append(shlex.join(map(str, [program, *command[1:]])))
    return found


def versions(run: Folder) -> list[tuple[str, str]]:
    """Versions, platform and date."""
    return [(key, str(run.provenance[key])) for key in _VERSIONS if key in run.provenance]


def hashes(run: Folder) -> list[tuple[str, str]]:
    """Files that the results depend on, with their SHA-256."""
    files = run.provenance.get("files")
    known = [file for file in files if isinstance(file, dict)] if isinstance(files, list) else []
    return [(str(file.get("file", "")), str(file.get("sha256", ""))) for file in known]


def other_facts(run: Folder) -> list[tuple[str, str]]:
    """All else in the provenance."""
    shown = {*_VERSIONS, "files", "command", "trained_on", "not_scored"}
    return [
        (key, _text(value)) for key, value in run.provenance.items() if key not in shown and value not in (None, [], {})
    ]


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_text(inner)}" for key, inner in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
