"""What a sweep varies: parameters of its runs, and their names in tables."""

import json
from collections.abc import Sequence
from typing import Any

Values = dict[str, Any]
"""Parameters of one run by name."""

DONE = "done.json"
"""File in the folder of a finished run, with its parameters."""
SEEDS = ("seed_everything", "anomaly.seed", "evaluate.seed")
"""Parameters that only repeat a setting with another seed."""


def varied_names(runs: Sequence[Values]) -> list[str]:
    """Names of the parameters that are not the same in all runs."""
    names = dict.fromkeys(name for values in runs for name in values)
    return [name for name in names if len({text_of(name, values.get(name)) for values in runs}) > 1]


def text_of(name: str, value: Any) -> str:
    """A parameter's value as tables show it; for a `setting`, only its name."""
    text = value if isinstance(value, str) else json.dumps(value)
    return text.partition(": ")[0] if name == "setting" else text
