"""Names of runs in a report: from their folders and the differences of their configs."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from difffake.evaluation.swept_names import swept_names

MOST = 5
"""Largest number of settings in a name; the report contains the full configs."""
_NOT_SETTINGS = ("out", "config", "overwrite", "resume", "trainer.default_root_dir")


def run_names(folders: Sequence[Path], configs: Sequence[str]) -> list[str]:
    """Short distinct names for runs, with the settings that differ between them.

    `lr-3/evaluation` and `lr-4/evaluation` are named `lr-3` and `lr-4`; runs of a sweep by what it varied.

    Args:
        folders: folder (N,) of each run's results.
        configs: config (N,) of each run as YAML, or an empty text.

    Returns:
        Name (N,) of each run.
    """
    if swept := swept_names(folders, seeds=True):
        return swept
    names = _short([folder.resolve().parts for folder in folders])
    settings = [read_settings(config) for config in configs]
    known = list(dict.fromkeys(key for found in settings for key in found if key not in _NOT_SETTINGS))
    differing = [key for key in known if len({str(found.get(key)) for found in settings if found}) > 1]
    ends = Counter(key.rpartition(".")[2] for key in differing)
    labels = {key: end if ends[end := key.rpartition(".")[2]] == 1 else key for key in differing}
    described = []
    for name, found in zip(names, settings, strict=True):
        words = [f"{labels[key]} {found.get(key, '-')}" for key in differing[:MOST]] if found else []
        more = [f"{len(differing) - MOST} more"] if words and len(differing) > MOST else []
        described.append(f"{name} ({', '.join(words + more)})" if words else name)
    return described


def _short(paths: Sequence[tuple[str, ...]]) -> list[str]:
    """Paths without their common first and last folders; for a single path, its last part."""
    if len(set(paths)) == 1:
        return [path[-1] for path in paths]
    begin = end = 0
    while len({path[begin] for path in paths}) == 1:
        begin += 1
        if any(len(path) == begin for path in paths):
            return ["/".join(path[begin - 1 :]) for path in paths]
    while len({path[-1 - end] for path in paths}) == 1 and all(len(path) - end - 1 > begin for path in paths):
        end += 1
    return ["/".join(path[begin : len(path) - end]) for path in paths]


def read_settings(config: str) -> dict[str, Any]:
    """Settings of a config, a text in YAML, by dotted name; none if it is not YAML."""
    try:
        return _flat(yaml.safe_load(config))
    except yaml.YAMLError:
        return {}


def _flat(config: Any, prefix: str = "") -> dict[str, Any]:
    """Settings of a config by dotted name."""
    if not isinstance(config, dict):
        return {prefix: config} if prefix else {}
    return {
        key: value
        for name, inner in config.items()
        for key, value in _flat(inner, f"{prefix}.{name}" if prefix else str(name)).items()
    }
