"""The numbers of docs/limits.md: computed, or those of docs/results.md."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
TEXT = (DOCS / "limits.md").read_text()


def section(title: str) -> str:
    return TEXT.split(f"\n## {title}\n")[1].split("\n## ")[0]


def percentages(text: str) -> list[float]:
    return [float(number) / 100 for number in re.findall(r"([\d.]+) %", text)]


def test_false_alarms_by_base_rate() -> None:
    """Of all alarms, the share of those for real videos (Bayes' rule)."""
    text = section("Base rates")
    header, _, *rows = [line.strip("| ").split("|") for line in text.splitlines() if line.startswith("|")]
    columns = [percentages(cell) for cell in header[1:]]
    shares = [percentages(row[0])[0] for row in rows]
    assert (shares, [rate for rate, _ in columns]) == ([0.001, 0.01, 0.1, 0.5], [0.01, 0.01, 0.05, 0.05])
    for share, (_, *cells) in zip(shares, rows, strict=True):
        for (alarms, found), cell in zip(columns, cells, strict=True):
            false, true = (1 - share) * alarms, share * found
            assert float(cell) == pytest.approx(100 * false / (false + true), abs=0.05)
    assert "of 10,000 videos, 100 are fake" in text.lower()
    assert "also alarms for 495 real ones" in " ".join(text.split())  # 5 % of 9,900
    assert round(495 / (495 + 100) * 6) == 5  # five of six


def test_measured_numbers_are_those_of_the_results() -> None:
    results = (DOCS / "results.md").read_text()
    own = re.sub(r"(?m)^\| [\d.]+ % \|.*$", "", TEXT)  # the table of base rates
    own = re.sub(r"\[[^]]*\]\(http[^)]*\)", "", own)
    numbers = set(re.findall(r"(?<![\d.])\d\d?\.\d(?=[ |%])", own)) - {"0.8", "10.7"}  # a scale, a paper's finding
    assert len(numbers) > 10
    assert [
        number for number in sorted(numbers) if not re.search(rf"(?<![\d.]){re.escape(number)}(?!\d)", results)
    ] == []
