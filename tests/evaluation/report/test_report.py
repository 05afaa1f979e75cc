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
from difffake.evaluation.provenance import provenance
from difffake.evaluation.report.write import write_report
from difffake.evaluation.results import result_rows, write_results
from difffake.evaluation.tables import result_tables

VOID = {"meta", "img", "br", "link", "input", "hr"}
PUBLISHED = re.compile(r"EfficientNet-B4 \+ DiffusionFake\s*83\.2 / 24\.6")
NOTE = "Not public benchmark numbers."
FFPP = [
    {"split": "train", "dataset": "ffpp", "compression": "c23", "method": method, "crops": 9000, "videos": 720}
    for method in ("real", "Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures")
]


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
        self.text += data if {"style", "script"}.isdisjoint(self.open) else ""


@pytest.fixture
def page(run: Path, tmp_path: Path) -> Page:
    write_report([run], tmp_path / "report.html")
    return Page(tmp_path / "report.html")


def with_results(folder: Path, rows: list[dict], **facts: object) -> Path:
    write_results(
        folder,
        rows,
        provenance(testbed=bool(facts.get("testbed")), command=["x"]) | {"trained_on": FFPP, "split": "test"} | facts,
    )
    return folder


def text_of(folder: Path, *others: Path) -> str:
    write_report([folder, *others], folder / "report.html", overwrite=True)
    return Page(folder / "report.html").text


def celeb_df() -> list[dict]:
    return [row for row in result_rows(several_datasets(), {}, resamples=0) if row["dataset"] == "Celeb-DF"]


def test_the_page_is_well_formed_and_loads_nothing_from_elsewhere(page: Page) -> None:
    assert page.html.startswith("<!doctype html>")
    assert page.tags.count("script") == 1
    assert "iframe" not in page.tags
    images = [
        source for source in page.sources if source.startswith(("data:image/png;base64,", "data:image/svg+xml;base64,"))
    ]
    assert len(images) == 9  # the figures
    assert all(source.startswith(("data:", "#")) for source in page.sources)
    assert "url(" not in page.html
    assert "@import" not in page.html
    assert "default-src 'none'" in page.html


def test_every_number_of_the_tables_is_on_the_page(run: Path, page: Page) -> None:
    for table in result_tables(result_rows(several_datasets(), {}, resamples=50)):
        assert table.title in page.text
        for cells in table.cells:
            assert re.search(r"[\s-]*".join(re.escape(cell) for cell in cells if cell not in ("", "-")), page.text)


def test_figures_are_the_files_themselves(run: Path, page: Page) -> None:
    files = {min(path.read_bytes(), path.with_suffix(".svg").read_bytes(), key=len) for path in run.glob("*.png")}
    images = [source for source in page.sources if source.startswith("data:image")]
    assert {base64.b64decode(source.partition(",")[2]) for source in images} == files


def test_captions_say_how_a_figure_is_read_and_fall_back_to_the_name_of_the_file(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "run")
    Image.new("RGB", (30, 10)).save(tmp_path / "run" / "of_another_tool.png")
    write_report([tmp_path / "run"], tmp_path / "report.html")
    captions = re.findall("<figcaption>(.*)</figcaption>", (tmp_path / "report.html").read_text())
    assert len(captions) == 10
    assert "of another tool" in captions
    assert captions[0].startswith("ROC curves of the classifier score of a video")  # the most important one
    assert {html.unescape(text) for text in captions} - {"of another tool"} == {
        Image.open(path).text["Description"] for path in run.glob("*.png")
    }


def test_config_provenance_and_name_are_shown_as_text(page: Page) -> None:
    assert 'diffusion: {name: "<img src=x onerror=alert(1)>"}' in page.text
    assert "guide & <anl>" in page.text
    assert re.search(r"seed\s*3", page.text)
    assert (
        "difffake fit --config config.yaml --out RUN\ndifffake evaluate --out 'a b'" in page.text
    )  # as a shell takes it


def test_what_was_asked_and_how_is_in_words(page: Page) -> None:
    for sentence in (
        "How well does a detector that was trained on ffpp tell fakes from real faces on FF++, Celeb-DF and "
        "drawn-unseen? Not a training set: Celeb-DF and drawn-unseen. "
        "Manipulations that training did not have: synthesis and blend.",
        "efficientnet_b4 on images of 224 px, from the weights of its timm tag, of which only normalization layers and "
        "head were trained; linear head.",
        "On ffpp c23: 9,000 real faces from 720 videos, fakes: 9,000 of Deepfakes, 9,000 of Face2Face",
        "12 epochs, batches of 32, sam, learning rate 0.001, schedule cosine, precision bf16-mixed.",
        "Regularizers: guide (lambda_source 0.7), taught by the frozen diffusion model",
        "Split test.",
    ):
        assert sentence in page.text


def test_splits_are_counted(page: Page) -> None:
    assert re.search(r"training\s*ffpp\s*c23\s*Deepfakes\s*720\s*9,000", page.text)
    assert re.search(r"test\s*Celeb-DF\s*-\s*synthesis\s*8\s*32", page.text)
    assert re.search(r"test\s*FF\+\+\s*c23\s*real\s*6\s*24", page.text)


def test_published_numbers_have_a_table_of_their_own(page: Page) -> None:
    assert len(PUBLISHED.findall(page.text)) == 1  # Celeb-DF, frame level
    assert "trained on FF++ c23, frame level" in page.text
    tables = [part.partition("</table>")[0] for part in page.html.split('<div class="table')[1:]]
    assert all(("Published, not measured" in table) == table.startswith(" published") for table in tables)
    assert [("ViT-B" in table) for table in tables].count(True) == 1


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"trained_on": None}, "the results do not say what the detector was trained on"),
        ({"trained_on": FFPP[:3]}, "the protocol differs"),
        ({"split": "val"}, "the protocol differs"),
        ({"methods": ["synthesis"]}, "the protocol differs"),
    ],
)
def test_published_numbers_of_another_protocol_are_not_shown(tmp_path: Path, facts: dict, reason: str) -> None:
    assert PUBLISHED.search(text_of(with_results(tmp_path / "plain", celeb_df())))
    text = text_of(with_results(tmp_path / "other", celeb_df(), **facts))
    assert not PUBLISHED.search(text)
    assert "There are published numbers for Celeb-DF" in text
    assert f"They are not shown, because {reason}." in text


def test_drawn_data_sets_carry_a_note(page: Page) -> None:
    assert page.text.count(NOTE) == 1
    assert re.search(r"drawn-unseen: fakes or faces made by", page.text)


def test_a_testbed_is_never_shown_beside_published_numbers(tmp_path: Path) -> None:
    assert NOTE not in text_of(with_results(tmp_path / "plain", celeb_df()))
    bed = text_of(with_results(tmp_path / "bed", celeb_df(), testbed=True))
    assert (PUBLISHED.search(bed), NOTE in bed, "published" in bed) == (None, True, False)
    assert "Celeb-DF: fakes or faces made by" in bed


def test_only_the_testbeds_of_a_run_are_called_testbeds(tmp_path: Path) -> None:
    rows = [row for row in result_rows(several_datasets(), {}, resamples=0) if row["dataset"] != "FF++"]
    text = text_of(with_results(tmp_path / "both", rows, testbed=True))
    assert f"{NOTE} drawn-unseen: fakes or faces made by" in text


def test_the_question_counts_detectors_and_says_only_what_is_known(tmp_path: Path) -> None:
    same = {"files": [{"file": "runs/a/best.ckpt", "sha256": "aa"}]}
    first, again = (with_results(tmp_path / name, celeb_df(), **same) for name in ("first", "again"))
    assert "How well does a detector that was trained on ffpp tell" in text_of(first, again)
    other = with_results(tmp_path / "other", celeb_df(), files=[{"file": "runs/b/best.ckpt", "sha256": "bb"}])
    assert "How well do 2 detectors that were trained on ffpp tell" in text_of(first, again, other)
    scores = with_results(tmp_path / "scores", celeb_df(), trained_on=None)
    assert "How well do 2 detectors tell fakes from real faces on Celeb-DF?" in text_of(first, scores)


def test_several_runs_are_lines_of_one_table(run: Path, tmp_path: Path) -> None:
    rows = result_rows(several_datasets(seed=1), {}, resamples=0)
    other = with_results(tmp_path / "other", [row for row in rows if row["dataset"] == "FF++"])
    text = text_of(other, run)
    headline = text[text.index("Results\n") : text.index("Method\n")]
    whole = next(row for row in rows if row["method"] == "all" and row["level"] == "frame")
    assert f"{100 * whole['auc']:.1f} / {100 * whole['eer']:.1f}" in headline
    assert re.search(r"Run\s*FF\+\+ c23\s*FF\+\+ c40\s*Celeb-DF\s*drawn-unseen", headline)
    assert headline.index("Video level, classifier") < headline.index("Frame level, classifier")
    assert re.search(r"other\s*[\d.]+ / [\d.]+\s*[\d.]+ / [\d.]+\s*--\s", headline)  # not measured: two dashes


def test_old_results_without_newer_keys_give_a_page(tmp_path: Path) -> None:
    newer = ("detection_rate", "false_alarm_rate", "acc_at_half", "units_real", "units_fake", "resampled_by", "auc_low")
    rows = [{key: value for key, value in row.items() if key not in newer} | {"auc_low": None} for row in celeb_df()]
    write_results(tmp_path / "old", rows, {"difffake": "0.1.0"})
    text = text_of(tmp_path / "old")
    assert "How well does a detector tell fakes from real faces on Celeb-DF?" in text


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
        ([tmp_path], r"has none of results\.json"),
    ):
        with pytest.raises(UserError, match=message):
            write_report(runs, tmp_path / "report.html")
    assert list(tmp_path.glob("*.html")) == []


def test_a_run_without_rows_says_so(tmp_path: Path) -> None:
    assert "This run has no results." in text_of(with_results(tmp_path / "empty", []))
