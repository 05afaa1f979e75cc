"""Runs to compare, from folders of `difffake evaluate`: their scores, and which differ only in their seeds."""

import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from difffake.errors import UserError
from difffake.evaluation.differences import Contender, contender
from difffake.evaluation.results import CLASSIFIER, COLUMNS, RESULTS
from difffake.evaluation.run_names import read_settings, run_names
from difffake.evaluation.swept_names import swept_names

SCORES = "scores.parquet"
_SEED = "seed_everything"
_PLACES = ("out", "config", "overwrite", "resume", "trainer.default_root_dir", "trainer.logger")
"""Settings that say where a run is written, or their beginnings."""
_FACTS = ("split", "methods", "compressions", "pairs", "encoder")
"""Entries of an evaluation's provenance that must be equal in runs that differ only in their seeds."""


@dataclass(frozen=True)
class ScoredRun:
    """An evaluation: its folder, score table, config as text, and the provenance of its results.json."""

    folder: Path
    scores: pd.DataFrame
    config: str
    facts: dict[str, Any]

    @property
    def seed(self) -> Any:
        """Seed of the training; None if it is unknown."""
        return self.facts.get("training_seed", read_settings(self.config).get(_SEED))

    @property
    def names(self) -> list[str]:
        """Names of the scores, the classifier first."""
        return sorted(self.scores["score"].unique(), key=lambda name: name != CLASSIFIER)


@dataclass(frozen=True)
class Group:
    """Runs that differ only in their seeds."""

    name: str
    runs: list[ScoredRun]

    def contender(self, score: str) -> Contender:
        """One score of these runs."""
        return contender(self.name, score, [run.scores for run in self.runs], [run.seed for run in self.runs])

    def has(self, score: str) -> bool:
        """Whether every run has this score."""
        return all(score in run.names for run in self.runs)


def scores_file(folder: Path) -> Path:
    """The score table in the folder of an evaluation, or in the folder `evaluation` in it.

    Raises:
        UserError: there is none.
    """
    for place in (folder, folder / "evaluation"):
        if (place / SCORES).is_file():
            return place / SCORES
    raise UserError(f"{folder}/{SCORES} does not exist: give a folder that `difffake evaluate` wrote")


def read_run(folder: Path) -> ScoredRun:
    """Read an evaluation from its folder, or from the folder `evaluation` in it.

    Raises:
        UserError: scores.parquet is missing or is not a score table.
    """
    place = scores_file(folder).parent
    return ScoredRun(place, read_scores(place / SCORES), _text(place / "config.yaml"), _facts(place / RESULTS))


def read_scores(path: Path) -> pd.DataFrame:
    """Read a score table. Raises `UserError` if the file is not one."""
    try:
        scores = pd.read_parquet(path)
    except (OSError, ValueError) as error:  # pyarrow's errors are ValueErrors
        raise UserError(
            f"{path} cannot be read ({' '.join(str(error).split())}): run `difffake evaluate` again"
        ) from error
    if missing := [column for column in COLUMNS if column not in scores]:
        raise UserError(f"{path} lacks the column(s) {', '.join(missing)}: run `difffake evaluate` again")
    return scores


def groups_of(runs: Sequence[ScoredRun]) -> list[Group]:
    """Group runs that differ only in their seeds, in the order of their first runs.

    Such runs have a config.yaml that is equal except for the seed and the names of output folders, the same choice of
    test data, and different seeds. Runs without config.yaml, or with the same seed, are groups of their own.
    """
    found: dict[Any, list[ScoredRun]] = {}
    for number, run in enumerate(runs):
        key: Any = _setting(run) if run.config and run.seed is not None else number
        if any(run.seed == other.seed for other in found.get(key, [])):
            key = number
        found.setdefault(key, []).append(run)
    # The folder of a run's evaluation is often called so; the run has the name.
    folders = [run.folder.parent if run.folder.name == "evaluation" else run.folder for run in runs]
    for names in (swept_names(folders), run_names(folders, [_without_seed(run.config) for run in runs])):
        name_of = {run.folder: name for run, name in zip(runs, names or (), strict=False)}
        groups = [Group(_joint([name_of.get(run.folder, "") for run in group]), group) for group in found.values()]
        if names and len({group.name for group in groups}) == len(groups):
            break
    return groups


def chosen_pairs(groups: Sequence[Group], scores: Sequence[str] = ()) -> list[tuple[Contender, Contender]]:
    """Which scores of which runs are compared with which.

    Without `scores`: each score of the first group with the same score of all others; if there is one group, its first
    score with its others. With `scores`: the first of them in the first group is the baseline of all named scores of
    all groups.

    Raises:
        UserError: a score does not exist, or there is nothing to compare with.
    """
    first, *others = groups
    known = list(dict.fromkeys(name for group in groups for run in group.runs for name in run.names))
    if wrong := [name for name in scores if name not in known]:
        raise UserError(f"no run has the score {wrong[0]}: choose from {', '.join(known)}")
    if not others and len(scores or known) < 2:
        raise UserError(
            f"{first.name} is the only run, and one score is to be compared: give a second run, or two names with "
            f"--scores (it has {', '.join(known)})"
        )
    if scores or not others:
        names = list(dict.fromkeys(scores or known))
        if not first.has(names[0]):
            raise UserError(f"{first.name}, the baseline, has no score {names[0]}: choose from {', '.join(known)}")
        base = first.contender(names[0])
        rest = [(group, name) for group in groups for name in names if group.has(name)]
        return [(base, group.contender(name)) for group, name in rest if (group, name) != (first, names[0])]
    return list(_same_scores(first, others))


def _same_scores(first: Group, others: Sequence[Group]) -> Iterator[tuple[Contender, Contender]]:
    names = [name for name in first.runs[0].names if first.has(name)]
    bases = {name: first.contender(name) for name in names}
    for group in others:
        shared = [name for name in names if group.has(name)]
        if not shared:
            raise UserError(
                f"{group.name} has the scores {', '.join(group.runs[0].names)}, but the baseline {first.name} has "
                f"{', '.join(names)}: name the two to compare with --scores, the baseline's first"
            )
        for name in shared:
            yield bases[name], group.contender(name)


def _setting(run: ScoredRun) -> str:
    """A run's settings without seeds and output folders, as text."""
    settings = {
        key: value for key, value in read_settings(run.config).items() if key != _SEED and not key.startswith(_PLACES)
    }
    return json.dumps([settings, {key: run.facts.get(key) for key in _FACTS}], sort_keys=True, default=str)


def _without_seed(config: str) -> str:
    """A config without its seed, which does not belong into the name of a group."""
    return "\n".join(line for line in config.split("\n") if not line.startswith(f"{_SEED}:"))


def _joint(names: Sequence[str]) -> str:
    """Name of a group: what its runs' names have in common.

    >>> _joint(["guided-0", "guided-1"]), _joint(["guided-0"]), _joint(["ab", "cd", "ef"])
    ('guided (2 seeds)', 'guided-0', 'ab and others (3 seeds)')
    """
    if len(names) == 1:
        return names[0]
    if len(set(names)) == 1:
        return f"{names[0]} ({len(names)} seeds)"
    alike = itertools.takewhile(lambda letters: len(set(letters)) == 1, zip(*names, strict=False))
    common = "".join(letters[0] for letters in alike).rstrip("-_/. (0123456789")
    return f"{common or f'{names[0]} and others'} ({len(names)} seeds)"


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def _facts(path: Path) -> dict[str, Any]:
    """Provenance of a results.json; nothing if the file is missing or broken, since only scores are needed."""
    try:
        found = json.loads(_text(path) or "{}")["provenance"]
    except (ValueError, LookupError, TypeError):
        return {}
    return found if isinstance(found, dict) else {}
