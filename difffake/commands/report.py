"""The command `report`: one self-contained HTML page from the results of one or more runs."""

from pathlib import Path

from difffake.evaluation.report import write_report
from difffake.progress import console

EXAMPLES = (
    "difffake report results/ --out report.html",
    "difffake report sweeps/lambdas/*/evaluation --out lambdas.html",
)


def report(runs: list[Path], /, out: Path = Path("report.html"), overwrite: bool = False) -> None:
    """Write one HTML page with the tables, figures, configs and provenance of runs.

    Args:
        runs: folders with a results.json; figures (*.png) and config.yaml in them are included.
        out: page to write; the page needs no other file and no network.
        overwrite: replace the page if it exists.
    """
    write_report(runs, out, overwrite)
    console.print(f"wrote {out}")
