"""Writing a report, in any format."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from difffake.evaluation.report.contents import Contents, contents_of
from difffake.evaluation.report.folders import read_folders
from difffake.evaluation.report.formats import as_csv, as_latex, as_markdown
from difffake.evaluation.report.page import as_html
from difffake.files import refuse_existing_file, staged_file

Format = Literal["html", "markdown", "csv", "latex"]
_TEXTS: dict[str, Callable[[Contents], str]] = {"markdown": as_markdown, "csv": as_csv, "latex": as_latex}


def report_text(paths: Sequence[Path], kind: Format = "html", title: str = "") -> str:
    """A report as text.

    Args:
        paths: folders with a results.json (runs), figures.json (pictures), robustness.json or compare.json.
        kind: html, a page; markdown or latex, its tables; or csv, all rows of results.
        title: heading of the page; by default it names the data.

    Raises:
        UserError: a folder has none of these files, or one of them is broken.
    """
    contents = contents_of(read_folders(paths))
    return as_html(contents, title) if kind == "html" else _TEXTS[kind](contents)


def write_report(
    paths: Sequence[Path], out: Path, overwrite: bool = False, kind: Format = "html", title: str = ""
) -> None:
    """Write a report to a file, see `report_text`. The page needs no other file and no network.

    Args:
        paths: folders of the report.
        out: file to write.
        overwrite: replace the file if it exists.
        kind: format of the file.
        title: heading of the page; by default it names the data.

    Raises:
        UserError: as `report_text`, or the file exists.
    """
    refuse_existing_file(out, overwrite, paths)
    text = report_text(paths, kind, title)
    with staged_file(out, overwrite) as partial:
        partial.write_text(text, encoding="utf-8")
