"""Sweep files in W&B's format: their runs, and the command of each run."""

import hashlib
import itertools
import json
import math
import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from difffake.errors import UserError
from difffake.randomness import generator
from difffake.swept import SEEDS, Values, text_of, varied_names

_DEFAULT_COMMAND = ("${env}", "${interpreter}", "${program}", "${args}")
_DISTRIBUTIONS = (
    "constant", "categorical", "uniform", "int_uniform", "q_uniform", "log_uniform", "log_uniform_values", "normal",
    "log_normal",
)  # fmt: skip
_KNOWN = {
    "program", "method", "metric", "name", "description", "parameters", "command", "run_cap", "project", "entity",
    "baseline",
}  # fmt: skip


@dataclass(frozen=True)
class Sweep:
    """The content of a sweep file."""

    path: Path
    method: str
    parameters: dict[str, dict[str, Any]]
    command: tuple[str, ...]
    program: str
    run_cap: int | None
    metric: str
    goal: str
    baseline: Values | None = None
    """Parameters of the setting that all others are compared with; None for the first setting."""


def read_sweep(path: Path) -> Sweep:
    """Read a sweep file. Raises `UserError` for mistakes, and for features that need W&B's server."""
    try:
        content = yaml.safe_load(path.read_text())
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}: give a sweep file, such as experiments/components.yaml") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    return sweep_of(content, path)


def sweep_of(content: Any, path: Path) -> Sweep:
    """The sweep that a file's content plans; messages name `path`. Raises `UserError` as `read_sweep` does."""
    if not isinstance(content, dict) or not isinstance(content.get("parameters"), dict) or not content["parameters"]:
        raise UserError(f"{path} is not a sweep file: it needs `method` and `parameters`, as in W&B's format")
    method = content.get("method")
    if unknown := content.keys() - _KNOWN:
        raise UserError(f"{path}: {', '.join(sorted(unknown))} is not supported: use {', '.join(sorted(_KNOWN))}")
    if method is None:
        raise UserError(f"{path}: method is missing: write method: grid, or method: random")
    if method not in ("grid", "random"):
        raise UserError(f"{path}: method {method} needs W&B's server: run `wandb sweep {path}`, or use grid or random")
    for name, entry in content["parameters"].items():
        if not isinstance(entry, dict):
            raise UserError(f"{path}: parameter {name} needs value, values or a distribution: {{values: [1, 2]}}")
        if "parameters" in entry:
            raise UserError(f"{path}: parameter {name} is nested: write it with a dot, {name}.option")
    metric = content.get("metric") or {}
    if not isinstance(metric, dict) or metric.get("goal", "maximize") not in ("minimize", "maximize"):
        raise UserError(f"{path}: metric {metric} is wrong: give a name, and maximize or minimize as its goal")
    command = content.get("command") or _DEFAULT_COMMAND
    if isinstance(command, str):
        raise UserError(f"{path}: command must be a list, such as [bash, train.sh, ${{args}}]")
    if "${program}" in command and not content.get("program"):
        raise UserError(f"{path}: program is missing, but command uses it")
    cap = content.get("run_cap")
    if cap is not None and (not isinstance(cap, int) or cap < 1):
        raise UserError(f"{path}: run_cap {cap} must be a whole number of at least 1")
    try:
        json.dumps(content["parameters"])
    except TypeError as error:
        raise UserError(f"{path}: a parameter's value is neither text nor number ({error}): quote it") from error
    return Sweep(
        path,
        method,
        {str(name): entry for name, entry in content["parameters"].items()},
        tuple(map(str, command)),
        str(content.get("program", "")),
        cap,
        str(metric.get("name", "val/auc")),
        str(metric.get("goal", "maximize")),
        _baseline(content.get("baseline"), path),
    )


def runs_of(sweep: Sweep, count: int | None = None, seed: int = 0) -> list[Values]:
    """Parameters of every run: the combinations of a grid, or random combinations.

    Args:
        sweep: the sweep file.
        count: number of random combinations, or of the grid's first ones; by default the file's run_cap.
        seed: random seed of random combinations.
    """
    count = sweep.run_cap if count is None else count
    if sweep.method == "grid":
        names = list(sweep.parameters)
        choices = [_choices(sweep, name) for name in names]
        grid = [dict(zip(names, chosen, strict=True)) for chosen in itertools.product(*choices)]
        return grid[:count]
    if not count:
        raise UserError(f"{sweep.path}: method random has no end: give --runs, or run_cap in the file")
    return [
        {name: _drawn(sweep, name, generator(seed, number, place)) for place, name in enumerate(sweep.parameters)}
        for number in range(count)
    ]


def run_id(values: Values) -> str:
    """Eight characters that identify a run's parameters.

    >>> run_id({"seed": 1}) == run_id({"seed": 1}) != run_id({"seed": 2})
    True
    """
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:8]


def baseline_run(sweep: Sweep, runs: Sequence[Values]) -> Values:
    """Parameters of a run of the baseline setting: of the first run that has the file's `baseline`, else of the first.

    Raises:
        UserError: no run has it, or runs of several settings have it.
    """
    wanted = {name: text_of(name, value) for name, value in (sweep.baseline or {}).items()}
    found = [run for run in runs if all(text_of(name, run.get(name)) == text for name, text in wanted.items())]
    named = ", ".join(f"{name} {text}" for name, text in wanted.items())
    if not found:
        raise UserError(f"{sweep.path}: no run has the baseline's {named}: name values of its parameters")
    several = [name for name in varied_names(found) if name not in SEEDS]
    if wanted and several:
        raise UserError(f"{sweep.path}: several settings have the baseline's {named}: add {', '.join(several)}")
    return found[0]


def command_of(sweep: Sweep, values: Values, environment: Mapping[str, str] = os.environ) -> list[str]:
    """The command of a run, with its macros replaced as W&B's agent does."""
    plain = [f"{name}={value}" for name, value in values.items()]
    flags = [f"--{text}" for text in plain]
    macros = {
        "env": ["/usr/bin/env"],
        "interpreter": [sys.executable],
        "program": [sweep.program],
        "args": flags,
        "args_no_hyphens": plain,
        "args_no_boolean_flags": [
            f"--{name}" if value is True else flag
            for (name, value), flag in zip(values.items(), flags, strict=True) if value is not False
        ],
        "args_json": [json.dumps(values)],
    }  # fmt: skip
    found = []
    for part in sweep.command:
        part = re.sub(r"\$\{envvar:([A-Za-z0-9_]+)\}", lambda match: environment.get(match[1], match[1]), part)
        macro = re.fullmatch(r"\$\{(\w+)\}", part)
        if macro and macro[1] not in macros:
            raise UserError(f"{sweep.path}: {part} in command is unknown: use {', '.join(macros)} or envvar:NAME")
        found += macros[macro[1]] if macro else [part]
    return found


def _baseline(entry: Any, path: Path) -> Values | None:
    """The entry `baseline`; a text is the name of a `setting`."""
    if isinstance(entry, str):
        return {"setting": entry}
    if entry is not None and (not isinstance(entry, dict) or not entry):
        raise UserError(f"{path}: baseline must be the name of a setting, or parameters: {{lr: 0.1}}")
    return entry


def _choices(sweep: Sweep, name: str) -> list[Any]:
    entry = sweep.parameters[name]
    if "value" in entry:
        return [entry["value"]]
    values = entry.get("values")
    if not isinstance(values, list) or not values:
        raise UserError(f"{sweep.path}: parameter {name} has no values for a grid: give `values`, or method: random")
    return values


def _drawn(sweep: Sweep, name: str, random: np.random.Generator) -> Any:
    """A random value of a parameter; numbers have Python's types, which print without a type name."""
    entry = sweep.parameters[name]
    kind = entry.get("distribution") or _kind(entry)
    if kind not in _DISTRIBUTIONS:
        raise UserError(
            f"{sweep.path}: distribution {kind} of {name} is not supported: use {', '.join(_DISTRIBUTIONS)}"
        )
    try:
        if kind == "constant":
            return entry["value"]
        if kind == "categorical":
            return entry["values"][int(random.choice(len(entry["values"]), p=entry.get("probabilities")))]
        if kind in ("normal", "log_normal"):
            drawn = float(random.normal(entry.get("mu", 0), entry.get("sigma", 1)))
            return drawn if kind == "normal" else float(np.exp(drawn))
        low, high = entry["min"], entry["max"]
        if kind == "int_uniform":
            return int(random.integers(low, high, endpoint=True))
        if kind == "uniform":
            return float(random.uniform(low, high))
        if kind == "q_uniform":
            step = entry.get("q", 1)
            return float(np.round(random.uniform(low, high) / step) * step)
        if kind == "log_uniform_values":
            return float(np.exp(random.uniform(math.log(low), math.log(high))))
        return float(np.exp(random.uniform(low, high)))  # log_uniform: W&B's bounds are exponents
    except (KeyError, ValueError, TypeError, ArithmeticError) as error:
        raise UserError(f"{sweep.path}: parameter {name} ({kind}) is incomplete or wrong ({error})") from error


def _kind(entry: dict[str, Any]) -> str:
    if "value" in entry:
        return "constant"
    if "values" in entry:
        return "categorical"
    whole = all(isinstance(entry.get(end), int) for end in ("min", "max"))
    return "int_uniform" if whole else "uniform"
