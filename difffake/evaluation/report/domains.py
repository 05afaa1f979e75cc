"""Tables across data sets: one threshold for all, shifted scores of real faces, and promised false alarms."""

from collections.abc import Sequence

from difffake.evaluation.rate_tables import domain_remarks, domain_tables
from difffake.evaluation.report.folders import Folder
from difffake.evaluation.report.tables import PageTable, with_interval
from difffake.evaluation.table import NAMES, Row, place
from difffake.metrics import percent

_PROMISES = ("Data set", "Promised", "Realized [95 %]", "Fakes found", "Fakes called real", "No verdict")


def across_tables(runs: Sequence[Folder]) -> list[PageTable]:
    """The summary over data sets of each run, and what its promised false-alarm rates came to."""
    found = []
    for run in runs:
        name = f"{run.name}: " if len(runs) > 1 else ""
        for table in domain_tables(run.domains):
            # Promises have a table of their own, with more about them.
            kept = [n for n, column in enumerate(table.columns) if not column.startswith("promised")]
            columns, cells = [table.columns[n] for n in kept], [[line[n] for n in kept] for line in table.cells]
            found.append(PageTable(name + table.title, columns, cells, frozenset(NAMES)))
        for domain in sorted(run.domains, key=place):
            if lines := [_promise(one, promise) for one in domain["sets"] for promise in one["promised"]]:
                title = f"{name}Promised false alarms, {domain['level']} level, {domain['score']} score"
                found.append(PageTable(title, list(_PROMISES), lines, frozenset(_PROMISES[:1])))
    return found


def across_remarks(runs: Sequence[Folder]) -> list[str]:
    """Lines that explain the tables."""
    lines = [line for run in runs for line in domain_remarks(run.domains)]
    if any(one["promised"] for run in runs for domain in run.domains for one in domain["sets"]):
        lines.append(
            "Promised: largest share of real faces that should be called fake, if they are like those that calibrated. "
            "Realized: the share that was. No verdict: faces that the detector cannot tell at this promise."
        )
    return list(dict.fromkeys(lines))


def _promise(one: Row, promise: Row) -> list[str]:
    shares = (percent(promise.get(key)) for key in ("detected", "missed", "cannot_tell"))
    name = f"{one['dataset']} {one['compression']}".strip()
    return [name, percent(promise["rate"]), with_interval(promise, "realized"), *shares]
