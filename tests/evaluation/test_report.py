import base64
import html
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image
from score_table import several_datasets

from difffake.errors import UserError
from difffake.evaluation.figures import write_figures
from difffake.evaluation.provenance import provenance
from difffake.evaluation.published import whole_rows
from difffake.evaluation.report import write_report
from difffake.evaluation.results import result_rows, write_results
from difffake.evaluation.tables import result_tables

VOID = {"meta", "img", "br", "link", "input", "hr"}
PUBLISHED = "EfficientNet-B4 + DiffusionFake: 83.2 / 24.6"
FFPP = [
    {"split": "train", "dataset": "ffpp", "compression": "c23", "method": method, "crops": 9, "videos": 3}
    for method in ("real", "Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures")
]
NOTE = "Not public benchmark numbers."


class Page(HTMLParser):
    """Tags that are opened and closed in order, what is loaded from elsewhere, and the text."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.sources: list[str] = []
        self.text = ""
        self.html = path.read_text()
        self.feed(self.html)
        assert self.open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.sources += [value or "" for name, value in attributes if name in ("src", "href", "srcset", "data")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data if "style" not in self.open else ""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder as `difffake evaluate` leaves it."""
    folder = tmp_path_factory.mktemp("runs") / "guide & <anl>"
    table = several_datasets()
    write_results(folder, result_rows(table, {}, resamples=50), provenance(seed=3) | {"trained_on": FFPP})
    write_figures(table, folder)
    (folder / "config.yaml").write_text("model:\n  name: </pre><script>alert(1)</script>\n")
    return folder


@pytest.fixture
def page(run: Path, tmp_path: Path) -> Page:
    write_report([run], tmp_path / "report.html")
    return Page(tmp_path / "report.html")


def with_results(folder: Path, rows: list[dict], testbed: bool = False) -> Path:
    write_results(folder, rows, provenance(testbed=testbed) | {"trained_on": FFPP})
    return folder


def test_the_page_is_well_formed_and_loads_nothing_from_elsewhere(page: Page) -> None:
    assert page.html.startswith("<!doctype html>")
    assert {"script", "link", "iframe"}.isdisjoint(page.tags)
    assert len(page.sources) == 8  # the figures
    assert all(source.startswith("data:image/png;base64,") for source in page.sources)
    assert "url(" not in page.html
    assert "@import" not in page.html


def test_every_number_of_the_tables_is_on_the_page(run: Path, page: Page) -> None:
    for table in result_tables(result_rows(several_datasets(), {}, resamples=50)):
        assert table.title in page.text
        for cells in table.cells:
            assert re.search(r"\s+".join(re.escape(cell) for cell in cells if cell), page.text)


def test_figures_are_the_files_themselves(run: Path, page: Page) -> None:
    files = [path.read_bytes() for path in sorted(run.glob("*.png"))]
    assert [base64.b64decode(source.partition(",")[2]) for source in page.sources] == files


def test_captions_say_how_a_figure_is_read_and_fall_back_to_the_name_of_the_file(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "run")
    Image.new("RGB", (30, 10)).save(tmp_path / "run" / "of_another_tool.png")
    write_report([tmp_path / "run"], tmp_path / "report.html")
    captions = re.findall("<figcaption>(.*)</figcaption>", (tmp_path / "report.html").read_text())
    assert len(captions) == 9
    assert captions[0] == "of another tool"  # the first by name
    assert captions[1].startswith("ROC curves of the anomaly score of one frame or image, one for each data set.")
    assert [html.unescape(text) for text in captions[1:]] == [
        Image.open(path).text["Description"] for path in sorted(run.glob("*.png"))
    ]


def test_config_provenance_and_name_are_shown_as_text(page: Page) -> None:
    assert "name: </pre><script>alert(1)</script>" in page.text
    assert "guide & <anl>" in page.text
    assert re.search(r"seed\s*3", page.text)


def test_published_numbers_are_beside_the_benchmarks_row_only(page: Page) -> None:
    assert page.text.count(PUBLISHED) == 1  # Celeb-DF, frame level, classifier
    row = next(row for row in page.html.split("<tr>") if PUBLISHED in row)
    assert "Celeb-DF" in row
    assert "trained on FF++ c23, frame level" in page.text


def test_drawn_data_sets_carry_a_note(page: Page) -> None:
    assert page.text.count(NOTE) == 1
    assert re.search(r"drawn-unseen: fakes or faces made by", page.text)


def test_a_testbed_is_never_shown_beside_published_numbers(tmp_path: Path) -> None:
    rows = [row for row in result_rows(several_datasets(), {}, resamples=0) if row["dataset"] == "Celeb-DF"]
    write_report([with_results(tmp_path / "plain", rows)], tmp_path / "plain.html")
    write_report([with_results(tmp_path / "bed", rows, testbed=True)], tmp_path / "bed.html")
    plain, bed = Page(tmp_path / "plain.html").text, Page(tmp_path / "bed.html").text
    assert (PUBLISHED in plain, NOTE in plain) == (True, False)
    assert (PUBLISHED in bed, NOTE in bed) == (False, True)
    assert "Celeb-DF: fakes or faces made by" in bed


def test_several_runs_are_compared_first(run: Path, tmp_path: Path) -> None:
    rows = result_rows(several_datasets(seed=1), {}, resamples=0)
    other = with_results(tmp_path / "other", [row for row in rows if row["dataset"] == "FF++"])
    write_report([run, other], tmp_path / "report.html")
    text = Page(tmp_path / "report.html").text
    compared = text[text.index("Runs compared") : text.index("Not public")]
    whole = next(row for row in rows if row["method"] == "all" and row["level"] == "frame")
    assert f"{100 * whole['auc']:.1f} / {100 * whole['eer']:.1f}" in compared
    assert re.search(r"Run\s*FF\+\+ c23\s*FF\+\+ c40\s*Celeb-DF\s*drawn-unseen", compared)
    assert compared.index("Video level, classifier") < compared.index("Frame level, classifier")
    assert re.search(r"other\s*[\d.]+ / [\d.]+\s*[\d.]+ / [\d.]+\s*--\s", compared)  # not measured: two dashes


def test_a_whole_data_set_is_all_manipulations_or_the_only_one() -> None:
    rows = [row for row in result_rows(several_datasets(), {}, resamples=0) if row["level"] == "frame"]
    whole = {(row["dataset"], row["compression"], row["method"]) for row in whole_rows(rows)}
    assert whole == {
        ("FF++", "c23", "all"), ("FF++", "c40", "Deepfakes"),
        ("Celeb-DF", "", "synthesis"), ("drawn-unseen", "", "blend"),
    }  # fmt: skip


def test_an_existing_page_is_kept_unless_told_otherwise(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    out.write_text("mine")
    with pytest.raises(UserError, match="exists already"):
        write_report([run], out)
    assert out.read_text() == "mine"
    write_report([run], out, overwrite=True)
    assert out.read_text() != "mine"


def test_one_broken_run_is_named_and_no_page_is_written(run: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "results.json").write_text('{"rows": [')
    for runs, message in (
        ([run, broken], r"broken.results\.json is not valid JSON"),
        ([tmp_path], "does not exist"),
    ):
        with pytest.raises(UserError, match=message):
            write_report(runs, tmp_path / "report.html")
    assert list(tmp_path.glob("*.html")) == []


def test_a_run_without_rows_says_so(tmp_path: Path) -> None:
    write_report([with_results(tmp_path / "empty", [])], tmp_path / "report.html")
    assert "This run has no results." in Page(tmp_path / "report.html").text
