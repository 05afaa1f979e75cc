"""Heat maps over several runs."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from seen_texts import check_texts, seen_texts

from difffake.data.trained_on import PSEUDO
from difffake.evaluation.pictures.heat_maps import (
    cross_dataset_figure,
    cross_manipulation_figure,
    write_heat_maps,
)
from difffake.evaluation.results import Row
from difffake.plots import read_caption


def row(dataset: str, method: str, auc: float | None, level: str = "video") -> Row:
    key = {"dataset": dataset, "method": method, "compression": "c23", "level": level, "score": "classifier"}
    return key | {"n_real": 5, "n_fake": 5, "auc": auc}


def numbers(figure: Figure) -> np.ndarray:
    return np.ma.filled(figure.axes[0].images[0].get_array(), np.nan)


def test_manipulations_that_a_run_was_trained_on_are_framed_and_not_in_its_mean() -> None:
    def rows(*auc: float) -> list[Row]:
        names = ("Deepfakes", "Face2Face", "face_swap")
        every = [row("FF++", "all", 0.99), *(row("FF++", name, one) for name, one in zip(names, auc, strict=True))]
        return [*every, row("FF++", "Deepfakes", 0.11, "frame"), row("clips", "real", None) | {"n_fake": 0}]

    runs = {"first": rows(0.9, 0.8, 0.6), "second": rows(0.7, 0.5, 0.95)}
    trained = {"first": ["Deepfakes"], "second": ["face_swap", "Deepfakes"]}
    figure = cross_manipulation_figure(runs, trained, "video", "classifier")
    np.testing.assert_allclose(numbers(figure), [[90, 80, 60, 70], [70, 50, 95, 50]])
    frames = figure.axes[0].patches
    assert [(round(f.get_x() + 0.46), round(f.get_y() + 0.44)) for f in frames] == [(0, 0), (0, 1), (2, 1)]
    drawn = [text for text, _ in seen_texts(figure)]
    assert {"Deepfakes", "Face2Face", "face-swap", "first", "second", "90.0", "mean of unseen"} <= set(drawn)


def test_data_sets_that_not_all_runs_have_are_not_in_the_mean() -> None:
    runs = {
        "first": [row("A", "all", 0.9), row("A", "x", 0.1), row("B", "x", 0.7), row("C", "x", 0.6)],
        "second": [row("A", "all", 0.8), row("B", "x", 0.6)],
    }
    found = numbers(cross_dataset_figure(runs, "video", "classifier"))
    np.testing.assert_allclose(found, [[90, 70, 60, 80], [80, 60, np.nan, 70]])


def test_maps_are_written_where_there_is_something_to_compare(tmp_path: Path) -> None:
    def trained(*methods: str) -> list[dict[str, str]]:
        return [{"split": "train", "method": method} for method in ("real", PSEUDO, *methods)]

    both = [row("A", "x", 0.9), row("A", "y", 0.8), row("B", "x", 0.7)]
    runs = {"first": (both, trained("x")), "second": (both[:1], trained("y"))}
    assert [path.stem for path in write_heat_maps(runs, tmp_path)] == ["data_sets_by_run", "manipulations_by_run"]
    assert "tested on those at the top" in read_caption(tmp_path / "manipulations_by_run.png")
    alike = {name: (both, trained("x")) for name in ("first", "second")}
    assert [path.stem for path in write_heat_maps(alike, tmp_path)] == ["data_sets_by_run"]
    assert write_heat_maps({name: (both[:2], []) for name in ("first", "second")}, tmp_path) == []
    assert write_heat_maps({"first": runs["first"]}, tmp_path) == []


@pytest.mark.parametrize("count", [1, 10])
def test_long_names_are_whole_and_do_not_overlap(count: int) -> None:
    names = [f"forged-a-data-set-with-a-long-name-{number}" for number in range(count)]
    runs = {f"run {number} (encoder tf_efficientnet_b{number}, seed {number})": [row(n, "x", 0.7) for n in names]
            for number in range(count)}  # fmt: skip
    figure = cross_dataset_figure(runs, "video", "classifier")
    drawn = " ".join(text.replace("\n", " ") for text, _ in seen_texts(figure))
    assert all(f"{name} c23" in drawn for name in [*names])
    assert all(name in drawn for name in runs)
    if count == 1:
        check_texts(figure)  # boxes of oblique names overlap where the names do not
