"""Progress where there is no terminal: a line now and then."""

import re

import pytest

from difffake import progress


def test_no_terminal_gets_lines_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = iter(range(0, 1000, 6))  # each item takes six seconds
    monkeypatch.setattr(progress.time, "monotonic", lambda: float(next(clock)))
    assert list(progress.track(iter("abcdefgh"), "faces", total=8)) == list("abcdefgh")
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "faces: 3 of 8, 0.2/s, 0:30 left",
        "faces: 6 of 8, 0.2/s, 0:12 left",
        "faces: 8 of 8, 0.2/s, 0:00 left",
    ]


def test_quick_work_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(progress.track([1, 2], "faces")) == [1, 2]
    assert not re.search("faces", capsys.readouterr().err)
