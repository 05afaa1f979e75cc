"""Published numbers, for comparison with measured ones; they stand in published.yaml."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from difffake.evaluation.results import CLASSIFIER

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


@dataclass(frozen=True)
class PublishedTable:
    """One table of a paper. `rows` has the cells by model and column title; unpublished cells are left out."""

    source: str
    level: str
    metrics: tuple[str, ...]
    columns: dict[str, Column]
    rows: dict[str, dict[str, Numbers]]
    beside: bool
    """Whether `difffake report` shows its numbers beside measured rows."""


@dataclass(frozen=True)
class Published:
    """What one model achieved on what a row of results measures."""

    model: str
    numbers: Numbers
    source: str


@cache
def published_tables() -> dict[str, PublishedTable]:
    """All tables by name."""
    content = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))
    return {name: _table(entry) for name, entry in content.items()}


def published(row: Mapping[str, Any]) -> list[Published]:
    """Published numbers for a result row that measures the same; otherwise empty.

    That is, a row of one of the benchmarks, with all manipulations, at the same level, with the classifier's score.

    >>> row = {"dataset": "celeb_df", "method": "all", "compression": "", "level": "frame", "score": "classifier"}
    >>> [found.numbers["auc"] for found in published(row) if found.model == "ViT-B"]
    [0.7464]
    >>> published(row | {"dataset": "mine"})
    []
    """
    if row["score"] != CLASSIFIER:
        return []
    return [
        Published(model, cells[title], table.source)
        for table in published_tables().values()
        if table.beside and table.level == row["level"]
        for title, column in table.columns.items()
        if column.holds(row)
        for model, cells in table.rows.items()
        if title in cells
    ]


def benchmark(dataset: str) -> str:
    """A data set's name in one spelling. DFDC and Celeb-DF v1 are not the same as DFDC-P and Celeb-DF v2.

    >>> benchmark("Celeb-DF-v2") == benchmark("celeb_df") != benchmark("Celeb-DF-v1")
    True
    """
    name = re.sub(r"[^a-z0-9]", "", dataset.lower())
    return {"celebdfv2": "celebdf", "dfdcpreview": "dfdcp"}.get(name, name)


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
    return PublishedTable(entry["source"], entry["level"], metrics, columns, rows, entry.get("beside", False))
