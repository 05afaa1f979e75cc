"""Figures of a guide's weights and feature distances, for real faces and each manipulation."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from difffake.plots import COLORS, WIDTH, tidy, two_class_panels, wrapped

DISTANCES = (
    "Distance between the features that rebuild the source and those that rebuild the target, of each data set and "
    "split. A real face is its own source and target, so its distance should be the smaller one."
)
WEIGHTS = (
    "How much of source and target each face keeps, as the weight modules predict it, by manipulation. Boxes reach "
    "from the lower to the upper quartile, whiskers from the 5th to the 95th percentile. A diamond is the mean that "
    "they should predict. Numbers of faces are in brackets."
)
BRANCHES = (("source", COLORS[2], ""), ("target", COLORS[3], "////"))
"""Name, color and hatch of each branch."""
_SHIFT = 0.19  # distance of a branch's box from the middle of its manipulation


def distance_figure(sets: dict[str, pd.DataFrame]) -> Figure:
    """Histograms of ||f_s - f_t|| of real and fake faces, one panel per data set (DiffusionFake, figure 4).

    Args:
        sets: a table per data set, with the columns label and distance.
    """
    columns = {name: (rows["label"].to_numpy(), rows["distance"].to_numpy()) for name, rows in sets.items()}
    return two_class_panels(columns, "distance of source and target features", r"$\|f_s - f_t\|$", "faces")


def weights_figure(sets: dict[str, pd.DataFrame]) -> Figure:
    """Box plots of the two weights for each manipulation, one panel per data set (DiffusionFake, figure 7).

    Boxes reach from the lower to the upper quartile, whiskers from the 5th to the 95th percentile. A diamond is the
    mean of the similarity that the weight is trained to predict, over the faces whose partners are known.

    Args:
        sets: a table per data set, with the columns method, source_weight, target_weight, source_similarity and
            target_similarity. Manipulations are drawn in the table's order.
    """
    most = max(rows["method"].nunique() for rows in sets.values())
    figure = Figure(figsize=(min(WIDTH, max(4.6, 1.05 * most + 0.9)), 2.5 * len(sets) + 0.8), layout="constrained")
    panels = figure.subplots(len(sets), 1, squeeze=False)[:, 0]
    for axes, (name, rows) in zip(panels, sets.items(), strict=True):
        methods = rows["method"].unique()
        for shift, (branch, color, hatch) in zip((-_SHIFT, _SHIFT), BRANCHES, strict=True):
            places = np.arange(len(methods)) + shift
            parts = [rows[rows["method"] == method] for method in methods]
            boxes = axes.boxplot(
                [part[f"{branch}_weight"].to_numpy() for part in parts],
                positions=places, widths=0.32, whis=(5, 95), showfliers=False, patch_artist=True,
                medianprops={"color": "black"},
            )  # fmt: skip
            for box in boxes["boxes"]:
                box.set(facecolor=color, alpha=0.6, hatch=hatch)
            wanted = [part[f"{branch}_similarity"].mean() for part in parts]  # NaN (partners unknown) is not drawn
            axes.scatter(places, wanted, marker="D", s=28, color=color, edgecolor="black", linewidth=0.8, zorder=3)
        counts = rows["method"].value_counts()
        names = [f"{wrapped(method.replace('_', ' '), 14)}\n({counts[method]:,})" for method in methods]
        axes.set_xticks(np.arange(len(methods)), names, fontsize=8)
        axes.set_xlim(-0.6, len(methods) - 0.4)
        # Weights are in (0, 1); a cosine may be less.
        axes.set_ylim(min(-0.03, axes.get_ylim()[0]), 1.06)
        axes.grid(axis="y", color="0.9")
        axes.set_axisbelow(True)
        tidy(axes)
        axes.set_title(wrapped(name, 80), fontsize=9)
        axes.set_ylabel("weight", fontsize=9)
    handles = [
        Patch(facecolor=color, alpha=0.6, hatch=hatch, label=f"$W_{branch[0]}$, {branch}")
        for branch, color, hatch in BRANCHES
    ]
    marker = panels[0].scatter([], [], marker="D", s=28, color="white", edgecolor="black", label="wanted (mean)")
    figure.legend(handles=[*handles, marker], loc="outside lower center", ncols=3, fontsize=8, frameon=False)
    figure.suptitle("weights by manipulation", fontsize=11)
    return figure
