"""What a report says, whatever its format: tables and remarks of all its folders."""

from collections.abc import Sequence
from dataclasses import dataclass

from difffake.evaluation.rate_tables import rate_tables
from difffake.evaluation.report import protocol
from difffake.evaluation.report.compared import Compared, compared
from difffake.evaluation.report.domains import across_remarks, across_tables
from difffake.evaluation.report.folders import Folder
from difffake.evaluation.report.robustness import robustness_tables
from difffake.evaluation.report.tables import PageTable, detail_table, headline_tables, published_table
from difffake.evaluation.tables import remarks, result_tables


@dataclass(frozen=True)
class Contents:
    """Tables and remarks of a report."""

    folders: list[Folder]
    runs: list[Folder]
    """The folders that have results of a detector."""
    headline: list[PageTable]
    published: list[PageTable]
    withheld: str
    """Why published numbers are not shown, if there are some."""
    remarks: list[str]
    compared: list[Compared]
    details: list[list[PageTable]]
    """Tables of all numbers of each run."""
    robustness: list[PageTable]
    across: list[PageTable]
    """Summary over data sets, and promised false-alarm rates."""
    across_remarks: list[str]


def contents_of(folders: Sequence[Folder]) -> Contents:
    """Make all tables of a report."""
    runs = [folder for folder in folders if folder.is_run]
    published = {table.source: table for run in runs for table in map(published_table, protocol.beside(run))}
    return Contents(
        list(folders),
        runs,
        headline_tables(runs),
        list(published.values()),
        protocol.withheld(runs),
        list(dict.fromkeys(remark for run in runs for remark in remarks(run.rows))),
        compared(folders),
        [list(map(detail_table, [*result_tables(run.rows), *rate_tables(run.rows)])) for run in runs],
        robustness_tables(folders),
        across_tables(runs),
        across_remarks(runs),
    )
