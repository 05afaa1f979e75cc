"""t-SNE of embeddings."""

import numpy as np
from seen_texts import check_texts, seen_texts

from difffake.evaluation.pictures.embeddings import embedding_figure, tsne


def clusters() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    label = np.repeat([0, 1], 30)
    return rng.normal(size=(60, 8)) + 12 * label[:, None], label


def test_positions_depend_on_the_seed_only_and_keep_clusters() -> None:
    embeddings, label = clusters()
    found = tsne(embeddings, seed=3)
    np.testing.assert_array_equal(found, tsne(embeddings, seed=3))
    middles = np.array([found[label == value].mean(axis=0) for value in (0, 1)])
    distance = np.linalg.norm(found[:, None] - middles, axis=2)
    assert (distance.argmin(axis=1) == label).all()


def test_few_points_and_a_constant_dimension_are_no_obstacle() -> None:
    embeddings = np.column_stack([np.arange(5.0), np.zeros(5)])
    assert np.isfinite(tsne(embeddings)).all()


def test_groups_have_shapes_and_fakes_are_filled() -> None:
    positions, label = np.random.default_rng(1).normal(size=(60, 2)), np.arange(60) % 2
    names = [f"a data set with a rather long name, number {number % 10}" for number in range(0, 120, 2)]
    figure = embedding_figure(positions, label, names, "title")
    check_texts(figure)
    points = figure.axes[0].collections
    assert len(points) == 10  # five sets, two classes
    assert [len(part.get_facecolor()) for part in points] == [0, 1] * 5
    assert sum(len(part.get_offsets()) for part in points) == 60
    assert len({part.get_paths()[0].vertices.tobytes() for part in points}) == 5
    texts = " ".join(text.replace("\n", " ") for text, _ in seen_texts(figure))
    assert all(f"{name}, fake (n = 6)" in texts for name in names)
