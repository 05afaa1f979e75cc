"""`difffake demo` on fewer and shorter drawn clips."""

import json
from pathlib import Path

import pytest

from difffake.commands import demo as module
from difffake.commands.main import main
from difffake.data.drawn import DrawnDataset
from difffake.drawn.people import PHONE, STUDIO


def test_demo_ends_with_a_report_and_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DRAWN_A", DrawnDataset("drawn-a", STUDIO, (4, 2, 2), 1, 6))
    monkeypatch.setattr(module, "DRAWN_B", DrawnDataset("drawn-b", PHONE, (0, 0, 2), 2, 6))
    out = tmp_path / "demo"
    assert main(["demo", "--out", str(out)]) == 0
    results = json.loads((out / "results.json").read_text())
    found = {(row["dataset"], row["level"], row["score"]) for row in results["rows"]}
    levels = [(level, score) for level in ("frame", "video") for score in ("classifier", "anomaly")]
    assert found == {(name, *level) for name in ("forged-drawn-a", "forged-drawn-b") for level in levels}
    page = (out / "report.html").read_text()
    assert "drawn-b" in page
    assert "reenact" in page
    assert main(["demo", "--out", str(out)]) == 1  # not overwritten unasked
