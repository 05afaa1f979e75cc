"""The model card, README.md of a model folder: Markdown below a head in YAML that the Hub reads.

Every number in it is from the card's rows, the checkpoint or the calibration.
"""

import re
from collections.abc import Sequence

from difffake.evaluation.calibration import RATES, Calibration
from difffake.evaluation.published import whole_rows
from difffake.evaluation.table import NONE, place
from difffake.evaluation.tables import remarks
from difffake.evaluation.testbed import NOTE
from difffake.metrics import percent
from difffake.models.checkpoint import CheckpointInfo
from difffake.predict.card import Card, Row

TAGS = ["deepfake-detection", "face-forgery-detection", "difffake"]
FAKES, FILES = 100, 10_000
"""Fakes among files, for the numbers of right and wrong alarms: one per cent."""


def card_text(card: Card, info: CheckpointInfo, line: str, dtype: str, calibration: Calibration | None) -> str:
    """The text of README.md.

    Args:
        card: facts.
        info: what the checkpoint stores.
        line: the line about training and results, see `measured_line`.
        dtype: type of the weights on disk.
        calibration: the folder's calibration; None without one.
    """
    parts = [
        f"# {card.name}",
        line,
        "A detector of faces that were swapped, reenacted or blended by a machine, for the Python package difffake. It "
        "says how much a face looks like the fakes of its training; it cannot prove that a picture is real or fake.",
        _usage(card.name),
        _uses(),
        _results(card),
        _base_rates(card),
        _training(card, info, dtype),
        _calibration(calibration, card.promised),
        _limits(card),
    ]
    return _head(card) + "\n\n".join(filter(None, parts)) + "\n"


def _head(card: Card) -> str:
    from huggingface_hub import EvalResult, ModelCardData  # a third of a second

    results = [
        EvalResult(
            task_type="image-classification",
            dataset_type=re.sub(r"[^a-z0-9]+", "-", row["dataset"].lower()).strip("-") or "data",
            dataset_name=f"{row['dataset']}, {row['level']} level",
            metric_type="roc_auc",
            metric_value=round(row["auc"], 4),
            metric_name="AUC",
        )
        for row in card.measured
    ]
    data = ModelCardData(
        license=card.license or None,
        library_name="difffake",
        pipeline_tag="image-classification",
        tags=TAGS,
        metrics=["roc_auc", "accuracy"] if results else None,
        model_name=card.name,
        eval_results=results or None,
    )
    return f"---\n{data.to_yaml()}\n---\n\n"


def _usage(name: str) -> str:
    on_hub = "/" in name
    name, where = (name, "the name on the Hub, or this folder") if on_hub else (".", "in this folder")
    return f"""## Use

```bash
pip install difffake
difffake predict --ckpt {name} photo.jpg clip.mp4    # {where}
```

```python
from difffake import Predictor

with Predictor.from_pretrained("{name}") as predictor:
    print(predictor.predict("photo.jpg").verdict)
```"""


def _uses() -> str:
    return """## Intended use and misuse

For research, and as one hint among others for people who check pictures and clips: who look at the source, the context
and other evidence too, and who can read the results below.

Not for decisions about a person: not as evidence that somebody forged or did not forge something, not for removing
content or accounts without a person who decides, not for hiring, insurance, border control or the police. A low score
does not make a picture authentic. Do not use it to improve fakes until they pass."""


def _results(card: Card) -> str:
    if not card.rows:
        return "## Results\n\nNone: this folder was made without results. Nothing is known of how good the detector is."
    notes = []
    if any(row["testbed"] for row in card.measured):
        notes.append(f"{NOTE}\n\n")
    if card.rounded:
        notes.append("The results were measured before the weights were rounded to those of this folder.\n\n")
    notes += [f"{remark}\n\n" for remark in remarks(card.rows)]
    cells = []
    for row in sorted(card.rows, key=place):
        names = [str(row[name]) or NONE for name in ("dataset", "method", "compression", "level", "score")]
        numbers = [_with_interval(row, name) for name in ("auc", "eer", "ap", "false_alarm_rate", "detection_rate")]
        cells.append([*names, str(row["n_real"]), str(row["n_fake"]), *numbers])
    columns = ["Data set", "Manipulation", "Compression", "Level", "Score", "Real", "Fake"]
    table = _table([*columns, "AUC", "EER", "AP", "False alarms", "Fakes found"], cells)
    text = (
        "Rates in percent, with 95 % bootstrap intervals. False alarms and fakes found are at the threshold of the "
        "validation data. The classifier scores one face, the anomaly score compares two images of one person."
    )
    return f"## Results\n\n{text}\n\n{''.join(notes)}{table}"


def _with_interval(row: Row, name: str) -> str:
    value, low, high = (percent(row.get(key)) for key in (name, f"{name}_low", f"{name}_high"))
    return value if NONE in (low, high) else f"{value} [{low}, {high}]"


def _base_rates(card: Card) -> str:
    lines = [_alarms(row) for row in whole_rows(card.rows) if _rate(row, "false_alarm_rate") is not None]
    said = "\n".join(f"- {line}" for line in lines if line)
    text = """## How often an alarm is right

That depends on how many of the checked files are fakes, and mostly few are. With 1 % fakes, a detector that finds all
of them and calls 5 % of the real files fake is wrong in five of six alarms."""
    if said:
        text += f" This detector, at its own threshold, on {FILES:,} files with {FAKES} fakes like those of the tests:"
        text += f"\n\n{said}"
    return text


def _alarms(row: Row) -> str:
    false, found = _rate(row, "false_alarm_rate"), _rate(row, "detection_rate")
    if false is None or found is None or row["score"] != "classifier":
        return ""
    wrong, right = round(false * (FILES - FAKES)), round(found * FAKES)
    where = " ".join(filter(None, [row["dataset"], row["compression"]]))
    return f"{where} ({row['level']} level): {wrong:,} real files and {right} of the fakes are called fake."


def _rate(row: Row, name: str) -> float | None:
    value = row.get(name)
    return float(value) if isinstance(value, int | float) else None


def _training(card: Card, info: CheckpointInfo, dtype: str) -> str:
    parts = ["## Data and protocol"]
    parts += [f"**{heading}.** {text}" for heading, text in card.about if text]
    if info.trained_on:
        columns = ("split", "dataset", "compression", "method", "crops", "videos")
        cells = [[str(entry[name]) or NONE for name in columns] for entry in info.trained_on]
        parts.append(_table(["Split", "Data set", "Compression", "Method", "Crops", "Videos"], cells))
    parts.append(
        "config.json lists the people, videos and crops of training and validation. `difffake evaluate` refuses test "
        "data that share any of them."
    )
    licenses = [f"- {line}" for line in card.data_licenses]
    parts.append("**Licenses of the data.**" + ("\n\n" + "\n".join(licenses) if licenses else " Not given."))
    margin = f"{info.margin:g} times the box of the face" if info.margin else "of unknown margin"
    size = info.config.image_size
    parts.append(f"**Input.** Crops {margin}, scaled to {size} x {size} px. Weights are stored as {dtype}.")
    if card.settings:
        parts.append(f"Settings of augmentation and pseudo-deepfakes:\n\n```yaml\n{card.settings.strip()}\n```")
    return "\n\n".join(parts)


def _calibration(calibration: Calibration | None, promised: Sequence[Row]) -> str:
    if not calibration:
        return "## Calibration\n\nNone: probabilities are not calibrated, and no rate of false alarms is promised."
    fakes = "pseudo-deepfakes" if calibration.fakes == "pseudo" else "fakes"
    cells = []
    for score, levels in calibration.scores.items():
        for level, one in levels.items():
            rates = [f"{100 * rate:g} %" for rate in RATES if one.real.enough(rate)]
            cells.append([score, level, str(one.real.units), str(one.fake.units), ", ".join(rates) or "none"])
    table = _table(["Score", "Level", "Real units", "Fake units", "False alarms that can be promised"], cells)
    text = f"By {calibration.method}, on validation data with {fakes}. A promise holds for files like these data only."
    if not promised:
        return f"## Calibration\n\n{text}\n\n{table}"
    columns = ["Score", "Level", "Data set", "Promised", "Real files called fake"]
    cells = [
        [row["score"], row["level"], " ".join(filter(None, (row["dataset"], row["compression"]))),
         f"{100 * row['rate']:g}", _with_interval(row, "realized")]
        for row in promised
    ]  # fmt: skip
    came = "What became of it on the tests, in percent with 95 % intervals. Where it is more, those files differ."
    return f"## Calibration\n\n{text}\n\n{table}\n\n{came}\n\n{_table(columns, cells)}"


def _limits(card: Card) -> str:
    tested = list(dict.fromkeys(row["dataset"] for row in card.rows))
    known = f"It was tested on {', '.join(tested)} only." if tested else "It was not tested."
    return f"""## Limits

- {known} On forgeries, cameras and compressions that are not in the tables, expect worse.
- It looks at faces. It does not find pictures and clips that are generated as a whole, false sound, or true pictures in
  a false context.
- Small, turned, covered or dark faces, and files that were compressed several times, give scores that mean little.
- Whether it errs more often for some groups of people (age, skin, gender) is not known unless the tables say so.
- Who knows the detector can make fakes that pass it."""


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, [":--"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)
