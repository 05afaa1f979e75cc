"""Tables of a robustness study, from robustness.json."""

from collections.abc import Sequence

from difffake.evaluation.report.folders import Folder
from difffake.evaluation.report.tables import PageTable
from difffake.evaluation.results import Row
from difffake.evaluation.table import NONE
from difffake.metrics import percent

ROBUSTNESS = "robustness.json"
_COLUMNS = ("Degradation", "Strengths", "None", "1", "2", "3", "4", "5")


def robustness_tables(folders: Sequence[Folder]) -> list[PageTable]:
    """AUC in percent after each degradation, the weakest first; one table per data set, score and level."""
    studies = [folder for folder in folders if ROBUSTNESS in folder.contents]
    found: dict[str, dict[str, dict[int, Row]]] = {}
    for folder in studies:
        name = f" ({folder.name})" if len(studies) > 1 else ""
        for row in folder.contents[ROBUSTNESS].get("rows") or []:
            place = f"{row['dataset']} {row['compression']}".strip()
            faces = f"{place} ({row['n_real']:,} real, {row['n_fake']:,} fake)"
            title = f"{row['level'].capitalize()} level, {row['score']} score: AUC on degraded {faces}{name}"
            kind = row["title"][:1].upper() + row["title"][1:]
            found.setdefault(title, {}).setdefault(kind, {})[int(row["strength"])] = row
    return [_table(title, kinds) for title, kinds in found.items()]


def _table(title: str, kinds: dict[str, dict[int, Row]]) -> PageTable:
    """`kinds` has the rows of each degradation by strength; unchanged faces have the strength 0."""
    unchanged = next((rows[0] for rows in kinds.values() if 0 in rows), None)
    cells = []
    for kind, rows in kinds.items():
        degraded = {strength: row for strength, row in rows.items() if strength}
        if degraded:
            values = ", ".join(f"{degraded[strength]['value']:g}" for strength in sorted(degraded))
            first = next(iter(degraded.values()))
            unit = f" {first['unit']}" if first.get("unit") else ""
            described = f"{first.get('parameter', '')} {values}{unit}".strip()
            line = [unchanged, *(degraded.get(strength) for strength in range(1, 6))]
            cells.append([kind, described, *(percent(row["auc"]) if row else NONE for row in line)])
    return PageTable(title, list(_COLUMNS), cells, frozenset(_COLUMNS[:2]))
