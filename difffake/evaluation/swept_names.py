"""Names of the runs of a sweep, from the parameters that the sweep varied."""

import json
from collections.abc import Sequence
from pathlib import Path

from difffake.errors import UserError
from difffake.swept import DONE, SEEDS, Values, text_of, varied_names


def swept_names(folders: Sequence[Path], seeds: bool = False) -> list[str] | None:
    """Names such as `guide` or `lambda 0.5, rank 4`; None if not all folders are of runs of `difffake sweep`.

    Args:
        folders: folder of each run, or a folder in it.
        seeds: add the seeds to names that are otherwise equal.
    """
    runs = [_values(folder) for folder in folders]
    known = [run for run in runs if run is not None]
    if not known or len(known) < len(runs):
        return None
    varied = varied_names(known)
    names = [_name(run, [key for key in varied if key not in SEEDS]) for run in known]
    if seeds and len(set(names)) < len(names):
        names = [
            f"{name}, {_name(run, [key for key in varied if key in SEEDS])}"
            for name, run in zip(names, known, strict=True)
        ]
    return names if all(names) and (not seeds or len(set(names)) == len(names)) else None


def of_settings(folders: Sequence[Path], settings: Sequence[str]) -> list[Path]:
    """The runs of some settings of a sweep, in the order of the settings.

    Args:
        folders: folders of a sweep's runs, or folders in them.
        settings: names of settings, as `swept_names` gives them.

    Raises:
        UserError: a folder is of no sweep, or no run has one of the settings.
    """
    names = swept_names(folders)
    if names is None:
        raise UserError("--settings is for runs of one sweep: give their folders, such as sweeps/guide/*/evaluation")
    if wrong := [setting for setting in settings if setting not in names]:
        raise UserError(f"no run has the setting {wrong[0]}: choose from {', '.join(dict.fromkeys(names))}")
    return [folder for one in settings for folder, name in zip(folders, names, strict=True) if name == one]


def _values(folder: Path) -> Values | None:
    """Parameters of a finished run of a sweep."""
    for place in (folder, *folder.resolve().parents[:1]):
        try:
            found = json.loads((place / DONE).read_text(encoding="utf-8"))["parameters"]
        except (OSError, ValueError, LookupError, TypeError):
            continue
        return found if isinstance(found, dict) else None
    return None


def _name(values: Values, varied: Sequence[str]) -> str:
    """The varied parameters; a study's `setting` without the word."""
    words = {"setting": "", "seed_everything": "seed "}
    return ", ".join(f"{words.get(key, f'{key} ')}{text_of(key, values.get(key))}" for key in varied)
