"""The folder of a robustness study: robustness.json, robustness.md and pictures; and its tables for the terminal."""

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from difffake.evaluation.pictures.robustness import robustness_caption, robustness_figure
from difffake.evaluation.results import Row, jsonable
from difffake.files import staged_folder
from difffake.metrics import percent
from difffake.plots import save_figure

ROBUSTNESS = "robustness.json"
_LEVELS = {"frame": "the {} score of one frame or image", "video": "the {} score of a video"}
_STRENGTHS = range(6)


def write_robustness(
    out: Path, rows: Sequence[Row], facts: dict[str, Any], notes: Sequence[str], overwrite: bool = False
) -> None:
    """Write robustness.json, robustness.md and pictures to a folder.

    robustness.png shows the first score, at the video level if there is one. The others are in
    robustness_<score>_<level>.png.

    Args:
        out: folder to write.
        rows: rows of robustness.json.
        facts: provenance for robustness.json.
        notes: lines below the tables of robustness.md.
        overwrite: replace an existing folder.
    """
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row["score"], row["level"]), []).append(row)
    main = min(groups, key=lambda key: (key[0] != rows[0]["score"], key[1] != "video"))
    content = jsonable({"rows": list(rows), "provenance": facts})
    with staged_folder(out, overwrite) as folder:
        text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
        (folder / ROBUSTNESS).write_text(text + "\n", encoding="utf-8")
        (folder / "robustness.md").write_text(markdown(rows, notes), encoding="utf-8")
        for (score, level), part in groups.items():
            name = "robustness" if (score, level) == main else f"robustness_{score}_{level}"
            figure = robustness_figure(part, f"Robustness of the {score} score, {level} level")
            save_figure(figure, folder / f"{name}.png", robustness_caption(_LEVELS[level].format(score)))


def markdown(rows: Sequence[Row], notes: Sequence[str]) -> str:
    """Tables of the AUC in percent with intervals, one per data set, score and level."""
    lines = ["AUC in percent [95 % interval] after degradations at five strengths, the weakest first.", ""]
    for title, part in _tables(rows):
        lines += [f"**{title}**", "", "| degradation | none | 1 | 2 | 3 | 4 | 5 |", "| :-- |" + " --: |" * 6]
        for described, line in _lines(part):
            values = ", ".join(f"{row['value']:g}" for row in line[1:])
            lines.append(f"| {described}: {values} | " + " | ".join(map(_cell, line)) + " |")
        lines.append("")
    return "\n".join([*lines, *(f"{note}\n" for note in notes)])


def print_robustness(rows: Sequence[Row], console: Console) -> None:
    """Print the AUC in percent, one table per data set, score and level."""
    for title, part in _tables(rows):
        table = Table(title=Text(f"AUC, {title}"), box=box.SIMPLE_HEAD, title_justify="left", title_style="bold")
        table.add_column("Degradation")
        for strength in _STRENGTHS:
            table.add_column(str(strength or "None"), justify="right")
        for described, line in _lines(part):
            table.add_row(Text(described), *(percent(row["auc"]) for row in line))
        console.print(table)


def _tables(rows: Sequence[Row]) -> Iterator[tuple[str, list[Row]]]:
    """A title, and the rows of each data set, compression, score and level."""
    tables: dict[str, list[Row]] = {}
    for row in rows:
        name = f"{row['dataset']} {row['compression']}".strip()
        counts = f"{row['n_real']} real, {row['n_fake']} fake"
        tables.setdefault(f"{name}, {row['level']} level, {row['score']} score ({counts})", []).append(row)
    yield from tables.items()


def _lines(rows: Sequence[Row]) -> Iterator[tuple[str, list[Row]]]:
    """Each degradation and its rows, unchanged pictures first."""
    unchanged = [row for row in rows if not row["strength"]]
    for kind in dict.fromkeys(row["kind"] for row in rows if row["strength"]):
        line = sorted((row for row in rows if row["kind"] == kind), key=lambda row: row["strength"])
        unit = f" ({line[0]['unit']})" if line[0]["unit"] else ""
        yield f"{line[0]['title']}, {line[0]['parameter']}{unit}", [*unchanged, *line]


def _cell(row: Row) -> str:
    low, high = row["auc_low"], row["auc_high"]
    interval = "" if math.isnan(low) else f" [{percent(low)}, {percent(high)}]"
    return percent(row["auc"]) + interval
