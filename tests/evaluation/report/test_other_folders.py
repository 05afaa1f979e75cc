"""Folders of other commands beside runs: pictures and studies."""

import json
import math
from pathlib import Path

import pytest
from PIL import Image

from difffake.errors import UserError
from difffake.evaluation.degradations import DEGRADATIONS
from difffake.evaluation.report.folders import read_folders
from difffake.evaluation.report.robustness import robustness_tables
from difffake.evaluation.report.write import report_text
from difffake.evaluation.robustness_files import write_robustness


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A study of blur and noise, whose AUC falls by one point per strength."""
    common = {"dataset": "dfdc", "compression": "", "method": "fake", "level": "frame", "score": "classifier"}
    rows = [
        common | {"kind": "unchanged", "title": "unchanged", "strength": 0, "parameter": "", "value": None, "unit": ""}
    ]
    for kind in ("blur", "noise"):
        found = DEGRADATIONS[kind]
        head = {"kind": kind, "title": found.title, "parameter": found.parameter, "unit": found.unit}
        rows += [common | head | {"strength": n, "value": value} for n, value in enumerate(found.values, start=1)]
    for row in rows:
        row |= {
            "n_real": 10,
            "n_fake": 20,
            "auc": 0.9 - 0.01 * row["strength"],
            "auc_low": math.nan,
            "auc_high": math.nan,
        }
    facts = {"difffake": "0.1.0", "command": ["difffake", "robustness"]}
    write_robustness(tmp_path / "robustness", rows, facts, [])
    return tmp_path / "robustness"


def test_a_robustness_study_has_a_line_per_degradation(study: Path) -> None:
    (table,) = robustness_tables(read_folders([study]))
    assert table.title == "Frame level, classifier score: AUC on degraded dfdc (10 real, 20 fake)"
    assert [line[0] for line in table.cells] == [DEGRADATIONS[kind].title for kind in ("blur", "noise")]
    assert [line[2:] for line in table.cells] == [["90.0", "89.0", "88.0", "87.0", "86.0", "85.0"]] * 2
    assert ", ".join(f"{value:g}" for value in DEGRADATIONS["blur"].values) in table.cells[0][1]


def test_a_study_alone_is_a_page_with_its_pictures_and_command(study: Path) -> None:
    page = report_text([study])
    assert page.count("<img ") == len(list(study.glob("*.png"))) == 1
    assert '<h2 id="robustness">' in page
    assert '<h2 id="results">' not in page
    assert "difffake robustness" in page


def test_a_study_stands_beside_a_run(run: Path, study: Path) -> None:
    page = report_text([run, study])
    assert page.index('<h2 id="results">') < page.index('<h2 id="robustness">') < page.index('<h2 id="pictures">')
    assert "## Robustness" in report_text([run, study], "markdown")


def test_figures_alone_are_a_page(tmp_path: Path) -> None:
    (tmp_path / "figures.json").write_text(json.dumps({"provenance": {"seed": 7}}))
    Image.new("RGB", (9, 9)).save(tmp_path / "weights.png")
    page = report_text([tmp_path])
    assert page.count("<img ") == 1
    assert "<figcaption>weights</figcaption>" in page
    assert "<dt>seed</dt><dd>7</dd>" in page


@pytest.mark.parametrize("content", ["{", "[]"])
def test_a_broken_file_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "figures.json").write_text(content)
    with pytest.raises(UserError, match=r"figures\.json is not"):
        report_text([tmp_path])


@pytest.mark.parametrize(
    ("name", "content", "wrong"),
    [
        ("robustness.json", {"rows": [{"a": 1}]}, "row 0 of rows has no valid dataset"),
        ("compare.json", {"comparisons": [{"dataset": "x"}]}, "row 0 of comparisons has no valid compression"),
        ("results.json", {"rows": [], "domains": [{"x": 1}]}, "row 0 of domains has no valid level"),
        ("figures.json", {"a": 1}, "has no pictures"),
    ],
)
def test_files_of_another_kind_are_named(tmp_path: Path, name: str, content: dict, wrong: str) -> None:
    (tmp_path / name).write_text(json.dumps(content))
    with pytest.raises(UserError, match=wrong):
        report_text([tmp_path])


def test_a_list_instead_of_a_rate_is_named(run: Path, tmp_path: Path) -> None:
    found = json.loads((run / "results.json").read_text())
    found["rows"][1]["ece"] = [0.1]
    (tmp_path / "results.json").write_text(json.dumps(found))
    with pytest.raises(UserError, match=r"results\.json: row 1 of rows has no valid ece"):
        report_text([tmp_path])


def test_a_broken_picture_is_left_out_and_named(run: Path, study: Path) -> None:
    picture = study / "cut.png"
    Image.effect_noise((99, 99), 50).save(picture)
    picture.write_bytes(picture.read_bytes()[:2000])
    page = report_text([run, study])
    assert "robustness/cut.png is broken and left out." in page
    assert page.count("<img ") == len([*run.glob("*.png"), *study.glob("*.png")]) - 1


def test_a_folder_without_any_of_the_files_is_named_with_all_that_count(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"has none of results\.json, figures\.json, robustness\.json, compare\.json"):
        report_text([tmp_path])
