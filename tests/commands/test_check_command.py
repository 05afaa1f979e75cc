"""The command `check`: exit statuses, lines and the page."""

from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from masked import write_masked_testbed

from difffake.commands.main import main
from difffake.data.manifest import Manifest
from difffake.evaluation.check_page import SAMPLES
from difffake.faces.images import read_image, write_png


def check(*arguments: object) -> int:
    return main(["check", *map(str, arguments), "--workers", "1"])


def changed(manifest: Manifest, folder: Path, **columns: object) -> Path:
    """A copy of a manifest with other columns, of the same crops."""
    folder.mkdir()
    table = manifest.table.assign(path=[manifest.file(row).as_posix() for row in range(len(manifest))], **columns)
    Manifest(table, folder).write(folder / "manifest.parquet")
    return folder


def test_a_clean_set_gives_0_and_a_leak_or_a_lost_file_1(
    manifest: Manifest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clean = changed(manifest, tmp_path / "clean")
    assert check(clean) == 0
    assert "fault" not in capsys.readouterr().out
    split = np.where(np.arange(len(manifest)) % 2, "train", "test")
    assert check(changed(manifest, tmp_path / "leak", split=split)) == 1
    assert "fault: target leak: train and test share" in capsys.readouterr().out
    lost = changed(manifest, tmp_path / "lost")
    table = Manifest.read(lost).table
    Manifest(pd.concat([table, table.iloc[:1].assign(path="gone.png")]), lost).write(lost / "manifest.parquet")
    assert check(lost) == 1
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("fault")]
    assert "missing files: 1 of 16 crops do not exist" in line
    assert "(gone.png)" in line
    assert check(tmp_path / "nothing") == 1
    assert "does not exist" in capsys.readouterr().err


class Page(HTMLParser):
    """The parts of a page that tests look at."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.sources: list[str] = []
        self.texts: list[str] = []
        self.about: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.sources += [values[name] or "" for name in ("src", "href") if name in values]
        if tag == "img":
            self.about.append(values["alt"] or "")

    def handle_data(self, data: str) -> None:
        self.texts.append(data.strip())


def test_the_page_needs_no_file_and_shows_each_class_and_method(tmp_path: Path) -> None:
    out = tmp_path / "check.html"
    write_masked_testbed(tmp_path, outside_noise=6)
    assert check(tmp_path, "--shortcuts", "--outside-mask", "--out", out) == 0
    page = Page(out.read_text())
    assert all(source.startswith("data:image/jpeg;base64,") for source in page.sources)
    assert len(page.about) == 2 * SAMPLES
    assert sum(about.startswith("m") and ": m, test" in about for about in page.about) == SAMPLES
    assert {"Findings", "Samples", "Rows", "forged-d, real", "forged-d, m", "m c23", "too high"} <= set(page.texts)
    assert not any("Duplicates" in text for text in page.texts)
    before = out.read_bytes()
    assert check(tmp_path, "--out", out) == 1  # not unasked
    assert out.read_bytes() == before


def test_the_page_shows_duplicates_and_small_faces(manifest: Manifest, tmp_path: Path) -> None:
    folder = changed(manifest, tmp_path / "same")
    table = Manifest.read(folder).table
    copy = table.iloc[:1].assign(path="copy.png", target="another", split="val", margin=2.0)
    write_png(folder / "copy.png", read_image(Path(table["path"].iat[0])))
    Manifest(pd.concat([table, copy]), folder).write(folder / "manifest.parquet")
    assert check(folder, "--out", tmp_path / "page.html") == 1
    page = Page((tmp_path / "page.html").read_text())
    assert {"Duplicates", "equal, train and val", "Faces under 64 px", "exact duplicates leak"} <= set(page.texts)
    assert any("face of 48 px" in about for about in page.about)


def test_audits_that_cannot_be_made_are_said(
    manifest: Manifest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    real = manifest.select(label=0)
    folder = changed(real, tmp_path / "real", landmarks=None)
    assert check(folder, "--shortcuts", "--outside-mask") == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("warning: shortcuts: not audited: ") for line in lines)
    assert any(line.startswith("warning: outside the mask: not audited: nothing has a mask") for line in lines)
