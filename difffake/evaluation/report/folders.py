"""What the folders of a report contain: results, pictures, a robustness study, a comparison."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from difffake.errors import UserError
from difffake.evaluation.measures import CLASSIFIER
from difffake.evaluation.published import Training, training_of
from difffake.evaluation.results import RESULTS, Row, checked_rows, read_results
from difffake.evaluation.run_names import run_names
from difffake.evaluation.testbed import TESTBEDS
from difffake.files import shortened

_TEXTS = ("dataset", "compression", "method", "level", "score")
_ROWS = {
    "robustness.json": ("rows", (*_TEXTS, "kind", "title"), ("strength", "n_real", "n_fake", "auc")),
    "compare.json": (
        "comparisons",
        (*_TEXTS, "run", "baseline", "baseline_score", "resampled_by", "seeds_test"),
        (
            "n_real",
            "n_fake",
            "auc_baseline",
            "auc",
            "difference",
            "low",
            "high",
            "p",
            "p_holm",
            "p_delong",
            "p_seeds",
            "seeds_baseline",
            "seeds",
            "sd_baseline",
            "sd",
        ),
    ),
}
"""List of rows in a file, with their keys of texts and of numbers."""
OTHERS = ("figures.json", *_ROWS)
"""Files of `difffake figures`, `robustness` and `compare`."""


@dataclass
class Folder:
    """One folder of a report. What the folder does not have is empty."""

    path: Path
    name: str = ""
    """Short name that tells it from the other folders of the report."""
    rows: list[Row] = field(default_factory=list)
    domains: list[Row] = field(default_factory=list)
    provenance: dict[str, Any] = field(default_factory=dict)
    config: str = ""
    """Text of config.yaml."""
    contents: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What is in the other files, by their names."""

    @property
    def is_run(self) -> bool:
        """Whether the folder has results of a detector."""
        return (self.path / RESULTS).is_file()

    @property
    def settings(self) -> dict[str, Any]:
        """The config as a dictionary; empty if it is missing or broken."""
        try:
            found = yaml.safe_load(self.config)
        except yaml.YAMLError:
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def training(self) -> Training | None:
        """What the detector was trained on, if the results say so."""
        return training_of(self.trained_on)

    @property
    def trained_on(self) -> list[dict[str, Any]]:
        """Counts of the training data, see `difffake.data.trained_on`; empty if unknown."""
        found = self.provenance.get("trained_on")
        return found if isinstance(found, list) else []

    @property
    def testbeds(self) -> list[str]:
        """Data sets of the results that are drawn faces or forgeries of this project."""
        names = {row["dataset"] for row in self.rows}
        found = sorted(name for name in names if name.startswith(TESTBEDS))
        # Results that say so, but have no such name, are all of a testbed.
        return found or (sorted(names) if self.provenance.get("testbed") is True else [])

    @property
    def pictures(self) -> list[Path]:
        """PNG files: those of the classifier first, then ROC curves, then of videos."""

        def place(path: Path) -> tuple[bool, bool, bool, str]:
            name = path.stem
            return CLASSIFIER not in name, not name.startswith("roc"), not name.endswith("video"), name

        return sorted(self.path.glob("*.png"), key=place)


def read_folders(paths: Sequence[Path]) -> list[Folder]:
    """Read the folders of a report and name them.

    Args:
        paths: folders, each with results.json, figures.json, robustness.json or compare.json.

    Raises:
        UserError: a folder has none of these files, or one of them is broken.
    """
    folders = [_read(path) for path in paths]
    names = run_names(paths, [folder.config for folder in folders])
    for folder, name in zip(folders, names, strict=True):
        folder.name = name
    return folders


def _read(path: Path) -> Folder:
    folder = Folder(path)
    for name in OTHERS:
        if (path / name).is_file():
            folder.contents[name] = _content(path / name)
    if not folder.is_run and not folder.contents:
        names = ", ".join((RESULTS, *OTHERS))
        raise UserError(f"{path} has none of {names}: give folders of evaluate, demo, figures, robustness or compare")
    if folder.is_run:
        folder.rows, folder.domains, folder.provenance = read_results(path)
    else:
        found = next(iter(folder.contents.values())).get("provenance")
        folder.provenance = found if isinstance(found, dict) else {}
    config = path / "config.yaml"
    if config.is_file():
        # As in the provenance, a report does not name the folders of a machine.
        lines = config.read_text(encoding="utf-8", errors="replace").split("\n")
        folder.config = "\n".join(map(shortened, lines))
    return folder


def _content(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path} is not valid JSON ({error}): write it again") from error
    if not isinstance(found, dict):
        raise UserError(f"{path} is not an object: write it again")
    if path.name in _ROWS:
        name, texts, numbers = _ROWS[path.name]
        checked_rows(found, name, path, texts, numbers, "write it again")
    elif not any(path.parent.glob("*.png")):
        raise UserError(f"{path.parent} has no pictures: run `difffake figures` again")
    return found
