"""The table of a sweep."""

import io

import pytest
from rich.console import Console

from difffake.sweeps.collect import print_summary


@pytest.mark.parametrize("width", [50, 80, 200])
def test_every_value_is_readable_in_a_terminal_of_any_width(width: int) -> None:
    """Seven settings, each with its number and deviation in full."""
    values = [[f"{10 * setting + metric}.5 ± 10.{setting}" for metric in (1, 2)] for setting in range(7)]
    rows = [[f"{0.1 * setting:.1f}", "3", *values[setting]] for setting in range(7)]
    name = "forged-drawn-a alpha_swap c23, frame, classifier"
    file = io.StringIO()
    print_summary([["model.guide.lambda", "runs", "val/auc", name], *rows], Console(file=file, width=width))
    said = file.getvalue()
    assert all(len(line) <= width for line in said.splitlines())
    assert all(f"{number}: model.guide.lambda={row[0]} (3 runs)" in said for number, row in enumerate(rows, 1))
    assert all(value in said for setting in values for value in setting)
