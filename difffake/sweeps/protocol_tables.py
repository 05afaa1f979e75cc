"""Tables that show what a protocol measured beside the published numbers."""

from collections.abc import Sequence

from difffake.evaluation.measures import CLASSIFIER
from difffake.evaluation.published import Column, PublishedTable, whole_rows
from difffake.evaluation.results import Row
from difffake.metrics import percent
from difffake.sweeps.collect import RunResult
from difffake.sweeps.summary import SweepTable, spread
from difffake.swept import text_of

TESTED_ON = ", tested on "
"""In the name of a setting: what comes before is the row of the published table."""


def beside_published(results: Sequence[RunResult], table: PublishedTable) -> list[SweepTable]:
    """One table per metric of a published table.

    Each setting has a line with the mean and standard deviation over its runs, and below it the published line of that
    name; published lines of other models come last.
    """
    measured: dict[str, list[RunResult]] = {}
    for result in results:
        name = text_of("setting", result.values.get("setting", "")).partition(TESTED_ON)[0]
        measured.setdefault(name, []).append(result)
    found = []
    for metric in table.metrics:
        cells = []
        for name in [*measured, *(model for model in table.rows if model not in measured)]:
            if name in measured:
                rows = [_values(measured[name], table.level, column, metric) for column in table.columns.values()]
                cells.append([name, "measured", *map(spread, rows)])
            if name in table.rows:
                numbers = (table.rows[name].get(title, {}).get(metric) for title in table.columns)
                cells.append([name, "published", *map(percent, numbers)])
        title = f"{metric.upper().replace('_', ' ')} in percent. Published: {table.source}"
        found.append(SweepTable(title, table.level, ["setting", "numbers"], list(table.columns), cells))
    return found


def _values(results: Sequence[RunResult], level: str, column: Column, metric: str) -> list[float | None]:
    """A metric of all runs for a column."""
    found: list[float | None] = []
    for result in results:
        rows = [row for row in result.rows if (row["level"], row["score"]) == (level, CLASSIFIER)]
        chosen: Sequence[Row] = rows if column.method else whole_rows(rows)
        found += [row.get(metric) for row in chosen if column.holds(row)]
    return found
