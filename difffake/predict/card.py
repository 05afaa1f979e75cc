"""What is known of a published detector: how it was trained, and what was measured. It is kept in config.json.

`difffake.predict.card_text` makes the model card of it, and `measured_line` the line below every answer.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from difffake.errors import UsageError, UserError

if TYPE_CHECKING:  # it needs torch
    from difffake.models.checkpoint import CheckpointInfo

Row = dict[str, Any]
TEST = "Test"
"""Heading of the sentences about a test."""


@dataclass(frozen=True)
class Card:
    """Facts of a model card; texts are single lines."""

    name: str
    license: str = ""
    """Of the weights, as the Hub writes it, such as cc-by-4.0; empty if not given."""
    data_licenses: tuple[str, ...] = ()
    """One line for each data set of the training, as the publisher gave them."""
    about: tuple[tuple[str, str], ...] = ()
    """Headings and sentences about detector, training and tests."""
    settings: str = ""
    """Settings of augmentation and pseudo-deepfakes, as YAML."""
    rows: tuple[Row, ...] = ()
    """Rows of results.json."""
    measured: tuple[Row, ...] = ()
    """Of each data set, the row of the classifier for all of it: `dataset`, `level`, `testbed`, `auc`, `auc_low` and
    `auc_high`."""
    promised: tuple[Row, ...] = ()
    """Of each score and data set, what became of each promised false-alarm rate: `score`, `level`, `dataset`,
    `compression`, `rate`, `realized`, `realized_low` and `realized_high`."""
    rounded: bool = False
    """Whether the results were measured with more exact weights than those of the folder."""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z0-9][a-z0-9.-]*|", self.license):
            raise UsageError(f"--license {self.license} is not written as on the Hub: write cc-by-4.0, apache-2.0, ...")

    def to_dict(self) -> dict[str, Any]:
        """Plain values for `from_dict`."""
        return asdict(self)

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> "Card":
        """The inverse of `to_dict`."""
        return Card(**{name: _frozen(value) for name, value in values.items()})


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def training_facts(ckpt: Path, info: "CheckpointInfo") -> tuple[list[tuple[str, str]], str]:
    """Sentences about detector and training, from a checkpoint and config.yaml beside it; and settings as YAML."""
    import yaml

    from difffake.evaluation.report.about import about
    from difffake.evaluation.report.folders import Folder
    from difffake.files import shortened

    config = ckpt.parent / "config.yaml"
    text = config.read_text(encoding="utf-8", errors="replace") if config.is_file() else ""
    known = {"trained_on": info.trained_on, "encoder": info.config.name, "training_seed": info.seed}
    run = Folder(ckpt.parent, provenance=known, config="\n".join(map(shortened, text.split("\n"))))
    data = run.settings.get("data") or {}
    parts = ["augment"] if data.get("fakes") == "manifest" else ["augment", "pseudo"]
    chosen = {name: data[name] for name in parts if name in data}
    return about(run), yaml.safe_dump(chosen, sort_keys=False, default_flow_style=None, width=100) if chosen else ""


def results_facts(
    results: Sequence[Path], checkpoints: Mapping[str, str], dtype: str
) -> tuple[list[tuple[str, str]], dict[str, Any]]:
    """What folders of results say.

    Args:
        results: folders with results.json.
        checkpoints: SHA-256 of the detector's files, those it was made of too, each with the type of its weights.
        dtype: type of the weights of the new folder.

    Returns:
        Sentences for `Card.about`, and the card's `rows`, `measured`, `promised` and `rounded`.

    Raises:
        UserError: a folder has no results, or those of another checkpoint.
    """
    from difffake.evaluation.measures import CLASSIFIER
    from difffake.evaluation.published import whole_rows
    from difffake.evaluation.report.about import about
    from difffake.evaluation.report.folders import read_folders
    from difffake.evaluation.report.protocol import hashes

    sentences: list[tuple[str, str]] = []
    rows: list[Row] = []
    promised: list[Row] = []
    measured: dict[str, Row] = {}
    rounded = False
    for path, folder in zip(results, read_folders(results) if results else (), strict=True):
        used = {digest for _, digest in hashes(folder)} & set(checkpoints)
        if not folder.rows or not used:
            reason = "are of another checkpoint" if folder.rows else "have no rows"
            raise UserError(f"the results in {path} {reason}: run difffake evaluate with this one")
        rounded |= dtype == "float16" and all(checkpoints[digest] == "float32" for digest in used)
        text = dict(about(folder)).get("Test", "")
        sentences.append((f"{TEST} on {', '.join(dict.fromkeys(row['dataset'] for row in folder.rows))}", text))
        rows += folder.rows
        promised += [one for domain in folder.domains for one in _promised(domain)]
        # A later row of a data set replaces an earlier one: whole videos count more than frames.
        for row in sorted(whole_rows(folder.rows), key=lambda row: str(row["level"])):
            if row["score"] == CLASSIFIER and row["auc"] is not None:
                kept = {name: row.get(name) for name in ("dataset", "level", "auc", "auc_low", "auc_high")}
                measured[row["dataset"]] = kept | {"testbed": row["dataset"] in folder.testbeds}
    fields = {"rows": rows, "measured": measured.values(), "promised": promised}
    return sentences, {name: tuple(values) for name, values in fields.items()} | {"rounded": rounded}


def _promised(domain: Row) -> Iterator[Row]:
    """What became of the promises of one score, where enough real faces calibrated."""
    for tested in domain["sets"]:
        for promise in tested.get("promised") or ():
            if promise["fake_above"] is not None and promise.get("realized") is not None:
                where = {"score": domain["score"], "level": domain["level"]}
                where |= {name: tested[name] for name in ("dataset", "compression")}
                yield where | {
                    name: promise.get(name) for name in ("rate", "realized", "realized_low", "realized_high")
                }


def measured_line(config: Mapping[str, Any], subject: str = "") -> str:
    """One line that says what a detector was trained on and how good it was; empty if its config.json has no card.

    Args:
        config: content of config.json.
        subject: what to call the detector; by default its name.
    """
    try:
        card = Card.from_dict(config["card"])
        trained_on = [str(entry["dataset"]) for entry in config["detector"]["trained_on"] or ()]
        parts = [_auc(row) for row in card.measured]
    except (LookupError, TypeError, ValueError, AttributeError, UserError):
        return ""
    text = subject or f"The detector {card.name}"
    if trained_on:
        text += f" was trained on {' and '.join(dict.fromkeys(trained_on))}"
    if parts:
        text += f"{' and' if trained_on else ''} reaches an AUC of {', of '.join(parts)} (50 % is chance)."
        text += _broken_promises(card)
    else:
        text += f"{' and' if trained_on else ''} comes without results: nothing says how good it is."
    return "".join(letter for letter in " ".join(text.split()) if letter.isprintable())


def _broken_promises(card: Card) -> str:
    """A sentence on the data sets where more real faces were called fake than the 5 % that `predict` promises."""
    broken = [
        f"{100 * row['realized']:.0f} % of {row['dataset']}'s"
        for row in card.promised
        if (row["score"], row["level"], row["rate"]) == ("classifier", "frame", 0.05) and row["realized"] > row["rate"]
    ]
    return f" At most 5 % of real faces should be called fake; {' and '.join(broken)} were." if broken else ""


def _auc(row: Row) -> str:
    value = f"{100 * row['auc']:.1f} %"
    if row["auc_low"] is not None and row["auc_high"] is not None:
        value += f" [{100 * row['auc_low']:.1f}, {100 * row['auc_high']:.1f}]"
    return f"{value} on {row['dataset']}{', which difffake forged itself' if row['testbed'] else ''}"
