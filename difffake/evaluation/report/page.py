"""One self-contained HTML page from the results of one or more runs."""

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from difffake.evaluation.page import read_text, rendered
from difffake.evaluation.report import protocol
from difffake.evaluation.report.about import methods, question
from difffake.evaluation.report.contents import Contents
from difffake.evaluation.report.folders import Folder
from difffake.evaluation.report.pictures import Picture, embedded
from difffake.evaluation.report.tables import DRAWN

_SCRIPT = "report/report.js"
_ALL = "All runs"
LIMIT = 10_000_000
"""Largest size of a page in bytes; pictures are compressed and then left out to keep it."""


def as_html(contents: Contents, title: str = "") -> str:
    """The page, for a reviewer: question, results, protocol, all numbers, pictures, and how to repeat them.

    Args:
        contents: tables of the report.
        title: heading of the page; by default it names the data.
    """
    size = len(_rendered(contents, title, [], "").encode())
    with TemporaryDirectory() as place:
        files = {folder.name: folder.pictures for folder in contents.folders}
        if len(contents.runs) > 1:
            from difffake.evaluation.pictures.heat_maps import write_heat_maps  # only here matplotlib is needed

            runs = {run.name: (run.rows, run.trained_on) for run in contents.runs}
            files = {_ALL: write_heat_maps(runs, Path(place))} | files
        pictures, dropped = embedded([path for paths in files.values() for path in paths], LIMIT - size)
    shown = [(name, [pictures[path] for path in paths if path in pictures]) for name, paths in files.items()]
    return _rendered(contents, title, [(name, found) for name, found in shown if found], dropped)


def _rendered(contents: Contents, title: str, pictures: list[tuple[str, list[Picture]]], dropped: str) -> str:
    script = read_text(_SCRIPT)
    return rendered(
        "report/report.html",
        title=title or _title(contents.runs) or "Pictures",
        question=question(contents.runs),
        contents=contents,
        drawn=DRAWN,
        methods=methods(contents.runs),
        splits=protocol.split_tables(contents.runs),
        protocol=protocol,
        testbeds=sorted({name for run in contents.runs for name in run.testbeds}),
        pictures=pictures,
        dropped=dropped,
        script=script,
        # Only this script may run, and nothing may be loaded, whatever names and texts the results contain.
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii"),
    )


def _title(runs: Sequence[Folder]) -> str:
    """The data that were tested on, and trained on if known."""
    tested = dict.fromkeys(row["dataset"] for run in runs for row in run.rows)
    trained = dict.fromkeys(str(entry["dataset"]) for run in runs for entry in run.trained_on)
    on = ", ".join(tested) if len(tested) <= 3 else f"{len(tested)} data sets"
    start = f"Trained on {', '.join(trained)}, tested on " if trained else "Results on "
    return f"{start}{on}" if tested else ""
