"""Tables of rates at fixed thresholds, and of the summary over test sets."""

from collections.abc import Sequence
from itertools import groupby

from difffake.evaluation.table import NAMES, NONE, ResultTable, Row, place
from difffake.metrics import percent

_RATES = {
    "BACC": "balanced_accuracy",
    "ACC at 0.5": "acc_at_half",
    "False alarms": "false_alarm_rate",
    "Found": "detection_rate",
    "TPR at FPR 1 %": "tpr_at_1_percent_fpr",
    "TPR at FPR 5 %": "tpr_at_5_percent_fpr",
    "ECE": "ece",
    "calibrated ECE": "ece_calibrated",
}
"""Columns of the table of rates, with the keys of their rows."""


def rate_tables(rows: Sequence[Row]) -> list[ResultTable]:
    """One table per level and score with the rates of rows that have both classes, in percent."""
    both = [row for row in rows if row["n_real"] and row["n_fake"] and "balanced_accuracy" in row]
    tables = []
    for _, group in groupby(sorted(both, key=place), key=place):
        found = list(group)
        cells = []
        for row in found:
            names = (str(row[key]) or NONE for key in ("dataset", "method", "compression"))
            brier = (_decimal(row.get(key)) for key in ("brier", "brier_calibrated"))
            cells.append([*names, *(percent(row.get(key)) for key in _RATES.values()), *brier])
        title = f"{str(found[0]['level']).capitalize()} level, {found[0]['score']} score, rates"
        columns = [*NAMES, *_RATES, "Brier", "calibrated Brier"]
        tables.append(ResultTable(title, columns, cells, found))
    return tables


def domain_tables(domains: Sequence[Row]) -> list[ResultTable]:
    """One table per level and score with a line for each data set, and one for all together.

    Without calibration and with a single data set there is none, because it would say nothing new.
    """
    tables = []
    for domain in sorted(domains, key=place):
        sets = domain["sets"]
        rates = [promise["rate"] for promise in sets[0]["promised"]] if sets else []
        if not rates and len(sets) < 2:
            continue
        cells = []
        for one in sets:
            realized = [_interval(promise, "realized") if promise["enough"] else NONE for promise in one["promised"]]
            shift = [percent(one["shift"])] if rates else []
            name = f"{one['dataset']} {one['compression']}".strip()
            cells.append([name, percent(one["auc"]), *shift, percent(one["false_alarm_rate"]), *realized])
        if len(sets) > 1:
            pooled = [
                percent(domain["pooled_auc"]),
                *([NONE] if rates else []),
                percent(domain["pooled_false_alarm_rate"]),
            ]
            cells.append(["all together", *pooled, *(NONE for _ in rates)])
        promises = [f"promised {100 * rate:g} %" for rate in rates]
        title = f"Across data sets, {domain['level']} level, {domain['score']} score"
        columns = ["Data set", "AUC", *(["Shift"] if rates else []), "FPR", *promises]
        tables.append(ResultTable(title, columns, cells, []))
    return tables


def domain_remarks(domains: Sequence[Row]) -> list[str]:
    """Notes for the reader of `domain_tables`."""
    tables = domain_tables(domains)
    if not tables:
        return []
    rates = {percent(one["false_alarm_rate"]) != NONE for domain in domains for one in domain["sets"]}
    where = ", where there is one" if False in rates else ""
    found = [f"FPR: share of the real faces that are called fake at the threshold of the validation data{where}."]
    if True not in rates:
        found = ["There is no FPR, because there is no threshold from validation data."]
    if any("Shift" in table.columns for table in tables):
        found.append(
            "Shift: AUC of a data set's real faces against the real faces that calibrated; 50 is none. Promised: share "
            "of the real faces that are called fake at a threshold that promises at most this share for faces like "
            "those that calibrated."
        )
        promises = [promise for domain in domains for one in domain["sets"] for promise in one["promised"]]
        if too_few := sorted({promise["rate"] for promise in promises if not promise["enough"]}):
            named = " and ".join(f"{100 * rate:g} %" for rate in too_few)
            found.append(
                f"Where too few real faces calibrated to promise {named}, nothing is called fake, and there is no "
                "number."
            )
    return found


def _interval(values: Row, name: str) -> str:
    low, high = percent(values[f"{name}_low"]), percent(values[f"{name}_high"])
    return percent(values[name]) if NONE in (low, high) else f"{percent(values[name])} [{low}, {high}]"


def _decimal(value: float | None) -> str:
    return NONE if percent(value) == NONE or value is None else f"{value:.3f}"
