"""t-SNE of embeddings (DiffusionFake, figure 5)."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray
from sklearn.manifold import TSNE
from sklearn.preprocessing import StandardScaler

from difffake.plots import WIDTH, looks, wrapped

MOST = 1000
"""Largest number of points; more take long and hide each other."""
CAPTION = (
    "Embeddings of faces in two dimensions (t-SNE). Faces that the detector sees as similar are near each other; the "
    "axes and distances between far groups have no meaning. Fakes are filled, reals are open; color and shape are the "
    "data set, or the manipulation if there is one data set only. A detector that generalizes keeps reals and fakes "
    "of new data sets apart, and does not group faces by data set."
)


def tsne(embeddings: ArrayLike, seed: int = 0) -> NDArray[np.float64]:
    """Positions (N, 2) of embeddings (N, D); the same seed gives the same positions.

    Each dimension is scaled to variance 1. The perplexity is 30, or less for fewer than 91 points.

    Args:
        embeddings: (N, D), N >= 4.
        seed: random seed.
    """
    scaled = StandardScaler().fit_transform(np.asarray(embeddings, dtype=np.float64))
    perplexity = min(30.0, (len(scaled) - 1) / 3)
    start = "pca" if scaled.shape[1] > 1 else "random"
    positions = TSNE(2, perplexity=perplexity, init=start, random_state=seed).fit_transform(scaled)
    return np.asarray(positions, dtype=np.float64)


def embedding_figure(positions: ArrayLike, label: ArrayLike, group: Sequence[str], title: str) -> Figure:
    """Draw points with a color and shape per group, reals open and fakes filled.

    Args:
        positions: (N, 2), see `tsne`.
        label: (N,) 0 = real, 1 = fake.
        group: (N,) names of groups, such as data sets.
        title: title of the figure.
    """
    points, labels, names = np.asarray(positions), np.asarray(label), np.asarray(group, dtype=object)
    groups = list(dict.fromkeys(names))
    figure = Figure(figsize=(WIDTH, 5.4 + 0.19 * len(groups)), layout="constrained")
    axes = figure.add_subplot()
    for name, (color, _, marker) in zip(groups, looks(len(groups)), strict=True):
        for value, kind in ((0, "real"), (1, "fake")):
            own = points[(names == name) & (labels == value)]
            if len(own):
                axes.scatter(
                    own[:, 0], own[:, 1], s=16, marker=marker, facecolor=color if value else "none", edgecolor=color,
                    linewidth=0.8, alpha=0.75, label=f"{wrapped(name, 40)}, {kind} (n = {len(own):,})",
                )  # fmt: skip
    axes.set(xticks=[], yticks=[], aspect="equal", title=title)
    axes.title.set_fontsize(11)
    figure.legend(loc="outside lower center", ncols=2, fontsize=8, frameon=False, alignment="left")
    return figure
