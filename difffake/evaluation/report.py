"""One self-contained HTML page from the results of one or more runs."""

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from difffake.evaluation.page import rendered
from difffake.evaluation.published import Comparable, comparable, training_of, whole_rows
from difffake.evaluation.results import CLASSIFIER, Row, read_results
from difffake.evaluation.run_names import run_names
from difffake.evaluation.tables import NAMES, place, result_tables
from difffake.evaluation.testbed import TESTBEDS
from difffake.files import refuse_existing_file, staged_file
from difffake.metrics import percent
from difffake.plots import DPI, read_caption


def write_report(runs: Sequence[Path], out: Path, overwrite: bool = False) -> None:
    """Write one HTML page with the tables, figures, configs and provenance of runs.

    Args:
        runs: folders with a results.json; figures (*.png) and config.yaml in them are included.
        out: page to write; the page needs no other file and no network.
        overwrite: replace the page if it exists.

    Raises:
        UserError: a results.json is missing or broken, or the page exists.
    """
    refuse_existing_file(out, overwrite)
    sections = [_section(run) for run in runs]
    for section, name in zip(sections, run_names(runs, [section["config"] for section in sections]), strict=True):
        section["name"] = name
    page = rendered(
        "report.html",
        sections=sections,
        comparisons=_comparisons(sections) if len(sections) > 1 else [],
        names=NAMES,
    )
    with staged_file(out, overwrite) as partial:
        partial.write_text(page, encoding="utf-8")


def _section(run: Path) -> dict[str, Any]:
    """Values of one run for the template."""
    rows, provenance = read_results(run)
    testbed = provenance.get("testbed") is True
    drawn = sorted({row["dataset"] for row in rows if testbed or row["dataset"].startswith(TESTBEDS)})
    whole = whole_rows(rows)
    shown = comparable([row for row in rows if row["dataset"] not in drawn], training_of(provenance.get("trained_on")))
    tables = []
    for table in result_tables(rows):
        compared = [row if row in whole and row["dataset"] not in drawn else None for row in table.rows]
        beside = [_beside(shown, row) if row else [] for row in compared]
        lines = list(zip(table.cells, [[text for text, _ in found] for found in beside], strict=True))
        sources = dict.fromkeys(source for found in beside for _, source in found)
        tables.append({"table": table, "lines": lines, "sources": list(sources)})
    config = run / "config.yaml"
    return {
        "testbeds": drawn,
        "tables": tables,
        "whole": whole,
        "figures": [_figure(path) for path in sorted(run.glob("*.png"))],
        "config": config.read_text(encoding="utf-8", errors="replace") if config.is_file() else "",
        "provenance": [(key, _lines(value)) for key, value in provenance.items()],
    }


def _beside(shown: Sequence[Comparable], row: Row) -> list[tuple[str, str]]:
    """Published numbers for a row, each with its source."""
    return [
        (f"{model}: {percent(cells[title].get('auc'))} / {percent(cells[title].get('eer'))}", one.table.source)
        for one in shown
        if one.table.level == row["level"] and row["score"] == CLASSIFIER
        for title, column in one.columns.items()
        if column.holds(row)
        for model, cells in one.rows.items()
        if title in cells
    ]


def _comparisons(sections: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Tables of AUC / EER, one per level and score, with one line per run and one column per data set."""
    cells: dict[tuple[str, str], dict[str, dict[int, str]]] = {}
    for number, section in enumerate(sections):
        for row in sorted(section["whole"], key=place):
            column = f"{row['dataset']} {row['compression']}".strip()
            table = cells.setdefault((row["level"], row["score"]), {})
            table.setdefault(column, {})[number] = f"{percent(row['auc'])} / {percent(row['eer'])}"
    return [
        {
            "title": f"{level.capitalize()} level, {score} score: AUC / EER",
            "columns": list(columns),
            "lines": [
                (section["name"], [column.get(number, percent(None)) for column in columns.values()])
                for number, section in enumerate(sections)
            ],
        }
        for (level, score), columns in cells.items()
    ]


def _figure(path: Path) -> dict[str, Any]:
    data = base64.b64encode(path.read_bytes()).decode("ascii")
    with Image.open(path) as image:
        wide = image.width > 6 * DPI  # inches; narrower ones stand side by side
    # A picture without a caption of `save_figure` is shown with its name.
    caption = read_caption(path) or path.stem.replace("_", " ")
    return {"caption": caption, "wide": wide, "data": f"data:image/png;base64,{data}"}


def _lines(value: Any) -> list[str]:
    """A value of the provenance as lines of text: one line per file, one line for any other value."""
    if isinstance(value, list) and all(isinstance(item, dict) for item in value):
        return ["  ".join(str(part) for part in item.values()) for item in value]
    return [" ".join(map(str, value)) if isinstance(value, list) else str(value)]
