"""Tables across data sets: one threshold for all, shifted scores of real faces, and promised false alarms."""

from collections.abc import Sequence
from itertools import groupby

from difffake.evaluation.rate_tables import domain_remarks, domain_tables
from difffake.evaluation.report.folders import Folder
from difffake.evaluation.report.tables import PageTable, with_interval
from difffake.evaluation.table import NONE, Row, place
from difffake.metrics import percent

_SUMMARY = ("Score", "Data set", "AUC", "Shift", "FPR")
_PROMISES = ("Score", "Data set", "Promised", "Realized [95 %]", "Fakes found", "Fakes called real", "No verdict")


def across_tables(runs: Sequence[Folder]) -> list[PageTable]:
    """The summary over data sets of each run, and what its promised false-alarm rates came to.

    One table of each per level, with the lines of all scores. A rate that could not be promised, because too few faces
    calibrated, is left out.
    """
    found = []
    for run in runs:
        name = f"{run.name}: " if len(runs) > 1 else ""
        for level, group in groupby(sorted(run.domains, key=place), key=lambda domain: domain["level"]):
            of_level = list(group)
            of_scores = [(domain["score"], table) for domain in of_level for table in domain_tables([domain])]
            # Promises have a table of their own, with more about them. Only calibrated scores have a shift.
            used = {column for _, table in of_scores for column in table.columns}
            columns = [column for column in _SUMMARY if column == "Score" or column in used]
            cells = []
            for score, table in of_scores:
                lines = [dict(zip(table.columns, line, strict=True)) | {"Score": score} for line in table.cells]
                cells += [[line.get(column, NONE) for column in columns] for line in lines]
            promises = [
                [domain["score"], *_promise(one, promise)]
                for domain in of_level
                for one in domain["sets"]
                for promise in one["promised"]
                if promise["enough"]
            ]
            texts = frozenset(("Score", "Data set"))
            for title, heads, rows in (
                (f"{level.capitalize()} level: AUC, shift and false alarms", columns, cells),
                (f"{level.capitalize()} level: promised false alarms", list(_PROMISES), promises),
            ):
                if rows:
                    found.append(PageTable(name + title, heads, rows, texts))
    return found


def across_remarks(runs: Sequence[Folder]) -> list[str]:
    """Lines that explain the tables."""
    lines = [line for run in runs for line in domain_remarks(run.domains)]
    promises = (
        promise for run in runs for domain in run.domains for one in domain["sets"] for promise in one["promised"]
    )
    if any(promise["enough"] for promise in promises):
        lines.append(
            "Promised: largest share of real faces that should be called fake, if they are like those that calibrated. "
            "Realized: the share that was. No verdict: faces that the detector cannot tell at this promise."
        )
    return list(dict.fromkeys(lines))


def _promise(one: Row, promise: Row) -> list[str]:
    shares = (percent(promise.get(key)) for key in ("detected", "missed", "cannot_tell"))
    name = f"{one['dataset']} {one['compression']}".strip()
    return [name, percent(promise["rate"]), with_interval(promise, "realized"), *shares]
