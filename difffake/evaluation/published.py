"""Published numbers, for comparison with measured ones; they stand in published.yaml."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from difffake.evaluation.measures import CLASSIFIER
from difffake.evaluation.results import ALL, Row
from difffake.readers.item import REAL

_SPELLINGS = {"celebdfv2": "celebdf", "dfdcpreview": "dfdcp", "ff": "ffpp", "faceforensics": "ffpp"}
Numbers = dict[str, float]
"""Metrics by their keys in results.json, in [0, 1]."""


@dataclass(frozen=True)
class Column:
    """What a column of a published table measures. No `method` means all manipulations, no `compression` means any."""

    dataset: str
    method: str = ""
    compression: str = ""

    def holds(self, row: Mapping[str, Any]) -> bool:
        """Whether a row of results.json measures this. Without `method`, the row must stand for its whole data set."""
        same = benchmark(row["dataset"]) == benchmark(self.dataset)
        return same and self.method in ("", row["method"]) and self.compression in ("", row["compression"])


class Training(NamedTuple):
    """What a detector learned from: a benchmark's real faces and the fakes of `methods`, in one compression."""

    dataset: str
    methods: frozenset[str]
    compression: str


@dataclass(frozen=True)
class PublishedTable:
    """One table of a paper. `rows` has the cells by model and column title; unpublished cells are left out."""

    source: str
    level: str
    metrics: tuple[str, ...]
    columns: dict[str, Column]
    rows: dict[str, dict[str, Numbers]]
    trained_on: dict[tuple[str, str], Training]
    """By model and column title."""


@dataclass(frozen=True)
class Comparable:
    """The part of a published table that has the protocol of a run: models and columns by their titles."""

    table: PublishedTable
    columns: dict[str, Column]
    rows: dict[str, dict[str, Numbers]]


@cache
def published_tables() -> dict[str, PublishedTable]:
    """All tables by name."""
    content = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))
    return {name: _table(entry) for name, entry in content.items()}


def comparable(rows: Sequence[Row], training: Training | None) -> list[Comparable]:
    """The published numbers with the protocol of a run: trained on the same, tested on the same, at the same level.

    Args:
        rows: the run's rows of results.json. Only those with the classifier's score count.
        training: what the run was trained on. If it is not known (None), nothing is comparable.
    """
    classified = [row for row in rows if row["score"] == CLASSIFIER]
    whole = whole_rows(classified)
    found = []
    for table in published_tables().values():
        measured = {
            title
            for title, column in table.columns.items()
            for row in (classified if column.method else whole)
            if row["level"] == table.level and column.holds(row)
        }
        cells = {
            model: {
                title: numbers
                for title, numbers in line.items()
                if title in measured and table.trained_on[model, title] == training
            }
            for model, line in table.rows.items()
        }
        shown = {model: line for model, line in cells.items() if line}
        titles = {
            title: column for title, column in table.columns.items() if any(title in line for line in shown.values())
        }
        if shown:
            found.append(Comparable(table, titles, shown))
    return found


def published_anywhere(rows: Sequence[Row]) -> list[str]:
    """Names of the data sets of result rows for which there are published numbers, whatever their protocol."""
    columns = [column for table in published_tables().values() for column in table.columns.values()]
    names = dict.fromkeys(row["dataset"] for row in rows)
    return [name for name in names if any(benchmark(name) == benchmark(column.dataset) for column in columns)]


def training_of(entries: Sequence[Mapping[str, Any]] | None) -> Training | None:
    """What a run was trained on, from its `difffake.data.trained_on`; None if unknown or several sets or compressions.

    >>> entry = {"split": "train", "dataset": "FF++", "compression": "c23", "method": "Deepfakes"}
    >>> training_of([entry, entry | {"method": "real"}]) == training("ffpp/Deepfakes/c23")
    True
    """
    places = {(benchmark(str(entry["dataset"])), str(entry["compression"])) for entry in entries or ()}
    if len(places) != 1:
        return None
    (dataset, compression), *_ = places
    methods = {str(entry["method"]) for entry in entries or () if entry["split"] == "train"}
    return Training(dataset, frozenset(methods - {REAL}), compression)


def training(text: str) -> Training:
    """A training as published.yaml writes it: data set/manipulations joined by +/compression."""
    dataset, methods, compression = text.split("/")
    return Training(benchmark(dataset), frozenset(methods.split("+")), compression)


def whole_rows(rows: Sequence[Row]) -> list[Row]:
    """The rows for a whole data set and compression: those of the method "all", or of the only manipulation."""

    def of(row: Row) -> tuple[str, ...]:
        return row["level"], row["score"], row["dataset"], row["compression"]

    methods = Counter(map(of, rows))
    return [row for row in rows if row["method"] == ALL or methods[of(row)] == 1]


def benchmark(dataset: str) -> str:
    """A data set's name in one spelling. DFDC and Celeb-DF v1 are not the same as DFDC-P and Celeb-DF v2.

    >>> benchmark("Celeb-DF-v2") == benchmark("celeb_df") != benchmark("Celeb-DF-v1")
    True
    """
    name = re.sub(r"[^a-z0-9]", "", dataset.lower())
    return _SPELLINGS.get(name, name)


def _table(entry: dict[str, Any]) -> PublishedTable:
    metrics = tuple(entry["metrics"])
    columns = {title: Column(*text.split("/")) for title, text in entry["columns"].items()}
    rows = {
        str(model): {
            title: dict(zip(metrics, (float(number) / 100 for number in cell.split("/")), strict=True))
            for title, cell in zip(columns, str(cells).split(), strict=True)
            if cell != "-"
        }
        for model, cells in entry["rows"].items()
    }
    told = entry["trained_on"]
    trained_on = {
        (model, title): training(told if isinstance(told, str) else told.get(model) or told[title])
        for model in rows
        for title in columns
    }
    return PublishedTable(entry["source"], entry["level"], metrics, columns, rows, trained_on)
