"""The log of a run as one CSV table, which a resumed run continues."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers.logger import Logger
from lightning.pytorch.utilities import rank_zero_only

from difffake.files import staged_file


class CSVLog(Logger):
    """Writes metrics.csv: a row for each call of `log_metrics`, first the columns step and epoch.

    Lightning's `CSVLogger` begins its file anew when a run is resumed, and loses what it has not written yet when one
    is killed. Here the rows are part of a checkpoint (`rows`), and a resumed run takes up those that there were
    (`restore`): in the end the table is that of a run without interruption.

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
        """None is needed."""
        return ""

    @property
    def version(self) -> str:
        """None is needed."""
        return ""

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """They are in config.yaml."""

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
        """Go on after what is in the file, if there is one."""
        if self.path.is_file():
            with self.path.open(newline="") as file:
                rows = [{name: float(cell) for name, cell in row.items() if cell} for row in csv.DictReader(file)]
            self.restore(rows)

    @rank_zero_only
    def restore(self, rows: Sequence[dict[str, float]]) -> None:
        """Go on after `rows`, whatever is in the file."""
        self.rows = [dict(row) for row in rows]
        self._columns = list(dict.fromkeys(name for row in self.rows for name in row))
        self._write()

    def _write(self) -> None:
        """The whole file, because columns are new."""
        with staged_file(self.path) as partial, partial.open("w", newline="") as file:
            writer = self._writer(file)
            writer.writeheader()
            writer.writerows(self.rows)

    def _writer(self, file: Any) -> "csv.DictWriter[str]":
        return csv.DictWriter(file, ["step", "epoch", *(c for c in self._columns if c not in ("step", "epoch"))])
