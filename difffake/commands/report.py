"""The command `report`: a page about one or more runs, or its tables as text."""

import sys
from pathlib import Path

from difffake.evaluation.report.write import Format, report_text, write_report
from difffake.progress import console

EXAMPLES = (
    "difffake report results/ --out report.html",
    "difffake report sweeps/lambdas/*/evaluation figures/ robustness/ --out lambdas.html",
    "difffake report results/ --format latex > table.tex",
)


def report(
    folders: list[Path],
    /,
    out: Path | None = None,
    format: Format = "html",
    title: str = "",
    overwrite: bool = False,
) -> None:
    """Write one HTML page about runs, for a reviewer, or its tables as Markdown, LaTeX or CSV.

    The page has the question and how it was asked, results with intervals, published numbers with the same protocol,
    data and splits, tests of differences between several runs, all numbers, pictures, configs, commands, versions and
    hashes. Its tables sort and filter. It needs no other file and no network, and is smaller than 10 MB.

    Args:
        folders: folders with results.json (of difffake evaluate), figures.json (of difffake figures), robustness.json
            or compare.json; their figures (*.png, *.svg) and config.yaml are included.
        out: file to write. By default, the page is report.html, and all else is printed.
        format: html, a page; markdown or latex (with booktabs), its tables; csv, all rows of the results with rates in
            [0, 1]. No value is bold: tests say which runs differ from the first by more than chance.
        title: heading of the page; by default it names the data.
        overwrite: replace the file if it exists.
    """
    if out is None and format != "html":
        sys.stdout.write(report_text(folders, format))
        return
    out = out or Path("report.html")
    write_report(folders, out, overwrite, format, title)
    console.print(f"wrote {out}")
