"""Boxes of weights and histograms of distances show the numbers that they are given."""

import numpy as np
import pandas as pd
import pytest

from difffake.data.faces_to_draw import by_set, limited
from difffake.regularizers.guide.figures import distance_figure, weights_figure
from difffake.regularizers.guide.measures import summary


def faces(dataset: str = "a", split: str = "test", count: int = 40) -> pd.DataFrame:
    """`count` faces of each manipulation, the real ones last, whose weights are 0.01 apart."""
    rng = np.random.default_rng(0)
    tables = []
    for number, method in enumerate(("swap", "mouth", "real")):
        table = pd.DataFrame({"method": [method] * count, "label": int(method != "real")})
        table["source_weight"] = 0.1 * (number + 1) + np.arange(count) / 1000
        table["target_weight"] = table["source_weight"] + 0.5
        table["source_similarity"] = np.nan if method == "mouth" else 0.3 + number / 10
        table["target_similarity"] = np.nan if method == "mouth" else 0.6 + number / 10
        table["distance"] = rng.normal(10 + 5 * table["label"], 1)
        tables.append(table)
    return pd.concat(tables).assign(dataset=dataset, compression="c23", split=split)


def test_a_panel_for_each_data_set_and_a_box_for_each_manipulation_and_branch() -> None:
    sets = by_set(pd.concat([faces("a", "test"), faces("b", "train")]))
    assert list(sets) == ["a c23, test", "b c23, train"]
    panels = weights_figure(sets).axes
    assert [axes.get_title() for axes in panels] == list(sets)
    labels = [label.get_text() for label in panels[0].get_xticklabels()]
    assert labels == ["real\n(40)", "mouth\n(40)", "swap\n(40)"]
    # Medians: the black line within each box.
    medians = sorted(
        (float(line.get_xdata().mean()), float(line.get_ydata()[0]))
        for line in panels[0].lines
        if line.get_color() == "black" and len(set(line.get_ydata())) == 1 and np.ptp(line.get_xdata()) > 0.2
    )
    middle = 0.0195
    wanted = [0.3 + middle, 0.8 + middle, 0.2 + middle, 0.7 + middle, 0.1 + middle, 0.6 + middle]
    assert [height for _, height in medians] == pytest.approx(wanted)
    assert [place for place, _ in medians] == pytest.approx([-0.19, 0.19, 0.81, 1.19, 1.81, 2.19])
    source, target = (np.ma.getdata(points.get_offsets()) for points in panels[0].collections[:2])
    np.testing.assert_allclose(source[[0, 2], 1], [0.5, 0.3])
    np.testing.assert_allclose(target[[0, 2], 1], [0.8, 0.6])
    assert np.isnan(source[1, 1])  # no partners, no diamond


def test_data_sets_as_they_come_and_their_splits_as_they_are_used() -> None:
    sets = by_set(pd.concat([faces("b", "val"), faces("a", "test"), faces("b", "train"), faces("b", "test")]))
    assert list(sets) == ["b c23, train", "b c23, val", "b c23, test", "a c23, test"]
    for rows in sets.values():
        assert rows["method"].tolist() == ["real"] * 40 + ["mouth"] * 40 + ["swap"] * 40


def test_distances_of_real_and_fake_faces() -> None:
    figure = distance_figure(by_set(faces()))
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["real (n = 40)", "fake (n = 80)"]
    real, fake = (axes.patches[number].get_data() for number in (0, 2))
    assert real.edges[real.values.argmax()] < 12.5 < fake.edges[fake.values.argmax()]
    assert figure.get_supxlabel() == r"$\|f_s - f_t\|$"
    only_real = faces()
    (axes,) = distance_figure(by_set(only_real[only_real["label"] == 0])).axes
    assert len(axes.get_legend().get_texts()) == 1


def test_the_summary_has_every_manipulation_once() -> None:
    rows = summary(faces())
    assert [row["method"] for row in rows] == ["real", "mouth", "swap"]
    assert [row["faces_with_partners"] for row in rows] == [40, 0, 40]
    assert rows[0]["source_weight_mean"] == pytest.approx(0.3195)
    assert rows[0]["source_weight_std"] == pytest.approx(np.arange(40).std() / 1000)
    assert rows[1]["source_similarity_mean"] is None
    assert rows[2]["target_similarity_mean"] == pytest.approx(0.6)


def test_a_limit_is_for_each_data_set_and_manipulation() -> None:
    table = pd.concat([faces("a"), faces("b", "train")], ignore_index=True)
    allowed = np.flatnonzero((np.arange(len(table)) % 4 > 0) | (table["method"] == "real"))
    rows = limited(table, allowed, 7, 0)
    assert set(table.iloc[rows].value_counts(["dataset", "method"])) == {7}
    assert set(rows) <= set(allowed.tolist())
    assert rows.tolist() == sorted(set(rows.tolist()))
    assert limited(table, allowed, 7, 1).tolist() != rows.tolist()
    np.testing.assert_array_equal(limited(table, allowed, 0, 0), allowed)
