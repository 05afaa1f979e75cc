"""`difffake demo` on fewer and shorter drawn clips."""

import json
from pathlib import Path

import pytest

from difffake.commands import demo as module
from difffake.commands.main import main
from difffake.data.drawn import DrawnDataset
from difffake.drawn.people import PHONE, STUDIO


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DRAWN_A", DrawnDataset("drawn-a", STUDIO, (4, 2, 2), 1, 6))
    monkeypatch.setattr(module, "DRAWN_B", DrawnDataset("drawn-b", PHONE, (0, 0, 2), 2, 6))


def test_demo_goes_on_where_it_was_stopped_and_ends_with_a_report_and_results(
    small: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "demo"

    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(module, "evaluate", stopped)
        assert main(["demo", "--out", str(out)]) == 130
    assert capsys.readouterr().err.endswith("difffake demo: stopped; run the same command again to continue\n")
    checkpoint = (out / "run" / "best.ckpt").stat()
    assert main(["demo", "--out", str(out), "--seed", "1"]) == 1
    assert "is unfinished, with other settings" in capsys.readouterr().err
    assert main(["demo", "--out", str(out)]) == 0
    assert (out / "run" / "best.ckpt").stat().st_mtime_ns == checkpoint.st_mtime_ns
    results = json.loads((out / "results.json").read_text())
    found = {(row["dataset"], row["level"], row["score"]) for row in results["rows"]}
    levels = [(level, score) for level in ("frame", "video") for score in ("classifier", "anomaly", "fusion")]
    assert found == {(name, *level) for name in ("forged-drawn-a", "forged-drawn-b") for level in levels}
    page = (out / "report.html").read_text()
    assert "drawn-b" in page
    assert "reenact" in page
    assert main(["demo", "--out", str(out)]) == 1  # not overwritten unasked
