"""`difffake demo` on fewer and shorter drawn clips."""

import json
from functools import partial
from pathlib import Path

import pytest

from difffake.cli import main
from difffake.data.procedural_people import PHONE, STUDIO
from difffake.deploy import demo as module
from difffake.forge.testbed import DrawnDataset, write_procedural_testbed


def test_demo_ends_with_a_report_and_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sets = (
        DrawnDataset("drawn-a", STUDIO, ("paste", "smooth"), (4, 2, 2), 1, 6),
        DrawnDataset("drawn-b", PHONE, ("poisson", "mouth"), (0, 0, 2), 2, 6),
    )
    monkeypatch.setattr(module, "write_procedural_testbed", partial(write_procedural_testbed, datasets=sets))
    out = tmp_path / "demo"
    assert main(["demo", "--out", str(out)]) == 0
    results = json.loads((out / "results.json").read_text())
    found = {(row["dataset"], row["level"], row["score"]) for row in results["rows"]}
    levels = [(level, score) for level in ("frame", "video") for score in ("classifier", "anomaly")]
    assert found == {(name, *level) for name in ("drawn-a", "drawn-b") for level in levels}
    page = (out / "report.html").read_text()
    assert "drawn-b" in page
    assert "poisson" in page
    assert main(["demo", "--out", str(out)]) == 1  # not overwritten unasked
