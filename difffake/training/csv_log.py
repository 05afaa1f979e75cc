"""The log of a run as one CSV table, which a resumed run continues."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers.logger import Logger
from lightning.pytorch.utilities import rank_zero_only

from difffake.files import staged_file


class CSVLog(Logger):
    """Writes metrics.csv: one row per call of `log_metrics`; the first columns are step and epoch.

    Lightning's `CSVLogger` starts an empty file when a run is resumed, and loses unwritten rows when a run is killed.
    Here the rows are part of a checkpoint (`rows`), and a resumed run restores them (`restore`). So the final table is
    the same as that of a run without interruption.

    Args:
        path: file to write.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.rows: list[dict[str, float]] = []
        self._columns: list[str] = []

    @property
    def name(self) -> str:
        """Required by Lightning; not used."""
        return ""

    @property
    def version(self) -> str:
        """Required by Lightning; not used."""
        return ""

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing: the hyperparameters are in config.yaml."""

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Add a row."""
        row = {"step": -1 if step is None else step} | {name: float(value) for name, value in metrics.items()}
        self.rows.append(row)
        known = len(self._columns)
        self._columns += [name for name in row if name not in self._columns]
        if len(self._columns) == known and self.path.exists():
            with self.path.open("a", newline="") as file:
                self._writer(file).writerow(row)
        else:
            self._write()

    def reread(self) -> None:
        """Read the rows of the file, if it exists, so that new rows follow them."""
        if self.path.is_file():
            with self.path.open(newline="") as file:
                rows = [{name: float(cell) for name, cell in row.items() if cell} for row in csv.DictReader(file)]
            self.restore(rows)

    @rank_zero_only
    def restore(self, rows: Sequence[dict[str, float]]) -> None:
        """Replace the content of the file with `rows`, so that new rows follow them."""
        self.rows = [dict(row) for row in rows]
        self._columns = list(dict.fromkeys(name for row in self.rows for name in row))
        self._write()

    def _write(self) -> None:
        """Write the whole file again, because there are new columns."""
        with staged_file(self.path) as partial, partial.open("w", newline="") as file:
            writer = self._writer(file)
            writer.writeheader()
            writer.writerows(self.rows)

    def _writer(self, file: Any) -> "csv.DictWriter[str]":
        return csv.DictWriter(file, ["step", "epoch", *(c for c in self._columns if c not in ("step", "epoch"))])
