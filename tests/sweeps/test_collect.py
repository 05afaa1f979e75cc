"""The table of a sweep."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from difffake.sweeps.collect import print_summary, write_summary


def test_a_run_with_a_broken_log_is_named_and_the_others_are_in_the_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logs = {"good": "val/auc\n0.5\n0.75\n", "text": "val/auc\n0.5\nbad\n", "empty": ""}
    for name, content in logs.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "metrics.csv").write_text(content)
    runs = [({"lr": number}, tmp_path / name) for number, name in enumerate(logs)]
    cells = write_summary(tmp_path, runs, "val/auc", "maximize")
    assert cells == [["lr", "runs", "val/auc"], ["0", "1", "75.0"], ["1", "1", "-"], ["2", "1", "-"]]
    said = "".join(capsys.readouterr().err.split())
    assert "text/metrics.csvisleftout" in said
    assert "empty/metrics.csvisleftout" in said
    assert write_summary(tmp_path, runs, "val/auk", "maximize")[0] == ["lr", "runs"]
    assert "no run has logged val/auk" in " ".join(capsys.readouterr().err.split())


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
