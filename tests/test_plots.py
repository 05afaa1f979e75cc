"""Sheets, captions, and histograms of two classes."""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from difffake.faces.images import write_png
from difffake.plots import bin_edges, read_caption, save_figure, sheet, two_class_panels, wrapped


def test_a_sheet_shows_a_rows_pictures_under_their_names_and_its_caption_in_full() -> None:
    pictures = tuple(np.full((64, 64, 3), level, np.uint8) for level in (10, 20, 30))
    caption = "What it shows. " * 20
    figure = sheet(("a", "b", "c"), [("row", pictures)], "title", caption)
    assert [axes.get_title() for axes in figure.axes] == ["a", "b", "c"]
    assert [np.unique(axes.images[0].get_array()).tolist() for axes in figure.axes] == [[10], [20], [30]]
    assert figure.axes[0].get_ylabel() == "row"
    assert figure.get_supxlabel().split() == caption.split()


def test_all_text_of_a_sheet_is_inside_it_and_overlaps_no_picture() -> None:
    picture = np.zeros((64, 64), np.uint8)
    figure = sheet(("a", "b"), [("one row\nof two lines", (picture, picture))] * 2, "title", "A caption. " * 30)
    figure.draw_without_rendering()  # lays it out
    page = figure.bbox
    texts = [text.get_window_extent() for text in figure.texts]
    pictures = [axes.get_window_extent() for axes in figure.axes]
    assert len(texts) == 2  # title and caption
    for box in texts:
        assert page.x0 <= box.x0 < box.x1 <= page.x1
        assert page.y0 <= box.y0 < box.y1 <= page.y1
        assert not any(box.overlaps(other) for other in pictures)


def test_a_caption_is_kept_in_the_file_and_other_files_have_none(tmp_path: Path) -> None:
    figure = Figure()
    save_figure(figure, tmp_path / "a.png", "What is shown: 50 % of it, näturally.")
    assert read_caption(tmp_path / "a.png") == "What is shown: 50 % of it, näturally."
    save_figure(figure, tmp_path / "b.png")
    save_figure(figure, tmp_path / "b.jpg", "lost", vector=False)
    write_png(tmp_path / "c.png", np.zeros((8, 8, 3), np.uint8))
    assert [read_caption(tmp_path / name) for name in ("b.png", "b.jpg", "c.png")] == ["", "", ""]


def test_an_svg_file_lies_beside_the_png_file_with_the_caption_and_is_the_same_each_time(tmp_path: Path) -> None:
    for name in ("a", "b"):
        figure = Figure(layout="constrained")
        axes = figure.add_subplot()
        axes.fill_between([0, 1], [0, 1], [1, 2], hatch="//", label="filled")
        axes.legend()
        save_figure(figure, tmp_path / f"{name}.png", "What is shown: 50 % & <more>.")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "a.svg", "b.png", "b.svg"]
    root = ElementTree.parse(tmp_path / "a.svg").getroot()
    assert "What is shown: 50 % & <more>." in {element.text for element in root.iter()}
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    save_figure(Figure(), tmp_path / "c.png", vector=False)
    assert not (tmp_path / "c.svg").exists()


def test_names_break_at_dashes_and_slashes() -> None:
    assert wrapped("forged-drawn-a c23", 12) == "forged-\ndrawn-a c23"
    assert wrapped("videos/a long name/7.png", 12) == "videos/a\nlong name/\n7.png"
    assert wrapped("short/name", 12) == "short/name"


def test_bins_are_as_narrow_as_freedman_and_diaconis_ask_for_the_class_that_needs_it_most() -> None:
    wide, narrow = np.linspace(0, 10, 1000), np.linspace(4, 6, 1000)
    # 2 IQR / n^(1/3) = 2 * 1 / 10 of the narrow one, so 10 / 0.2 bins; the wide one alone needs 10 / 1.
    assert len(bin_edges([wide, narrow], (0, 10))) == 51
    assert len(bin_edges([wide, wide[:0]], (0, 10))) == 12  # Sturges: log2(1000) + 1 = 10.97 bins
    np.testing.assert_allclose(np.diff(bin_edges([wide, narrow], (0, 10))), 0.2)


def test_values_at_two_points_have_a_few_bins_and_outliers_not_too_many() -> None:
    assert len(bin_edges([np.full(9, 3.0)], (2.5, 3.5))) == 6
    assert len(bin_edges([np.r_[np.zeros(500), 1e-12, 1.0]], (0, 1))) <= 51


def panel(real: np.ndarray, fake: np.ndarray, limits: tuple[float, float] | None = None) -> Axes:
    label, value = np.repeat([0, 1], [len(real), len(fake)]), np.concatenate([real, fake])
    return two_class_panels({"a set": (label, value)}, "title", "score", "faces", limits).axes[0]


def test_each_class_is_drawn_as_shares_of_its_own_number() -> None:
    axes = panel(np.array([0.05, 0.15, 0.15, 0.95]), np.full(40, 0.95), (0.0, 1.0))
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["real (n = 4)", "fake (n = 40)"]
    real, fake = (axes.patches[number].get_data() for number in (0, 2))  # each is filled, then outlined
    np.testing.assert_array_equal(real.edges, fake.edges)
    first = np.searchsorted(real.edges, 0.15, "right") - 1
    assert real.values.sum() == pytest.approx(1)
    assert (real.values[-1], fake.values[-1]) == (0.25, 1)
    assert real.values[: first + 1].sum() == 0.75
    assert axes.get_ylim()[0] == 0
    assert axes.get_ylim()[1] > 1
    assert axes.yaxis.get_major_formatter()(0.25) == "25 %"


def test_far_away_values_are_counted_in_the_outermost_bins() -> None:
    values = np.arange(1000.0)
    values[998] = 1e9
    real = panel(values, values).patches[0].get_data()
    assert real.edges[-1] < 1000
    assert real.values.sum() == pytest.approx(1)
    assert real.values[-1] == pytest.approx((values >= real.edges[-2]).mean())


def test_values_that_are_all_the_same_and_a_class_without_any_have_a_panel_too() -> None:
    axes = panel(np.full(4, 3.0), np.empty(0))
    outline = axes.patches[0].get_data()
    assert (outline.edges[0], outline.edges[-1]) == (2.5, 3.5)
    assert outline.values.max() == 1
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["real (n = 4)"]
