"""The sheet of reconstructed sources and targets (DiffusionFake, figure 3)."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from difffake.plots import WIDTH, wrapped
from difffake.regularizers.guide.reconstructions import Reconstructions

RECONSTRUCTIONS = (
    "Left: what the detector sees, its source and its target. Right: both as the frozen model rebuilds them from "
    "noise, guided by the detector's features. A good guide rebuilds the two faces that a forgery was made of, of "
    "faces of the test split too. Below: the distance between the features of source and target, and the two "
    "weights."
)
_NOTE = 0.3  # inches of the lines below a picture
_GAP = 0.15  # width of the gaps between the groups of columns, as a share of a picture's width
_LEFT, _TOP, _BETWEEN = 0.32, 0.48, 0.12  # inches: names on the left, titles above each group, around everything


def reconstruction_figure(groups: dict[str, Reconstructions]) -> Figure:
    """Draw one row per face, in groups such as training and unseen faces.

    The columns are image, source, target, the source reconstructed from each noise, and the target reconstructed from
    the same noises. The feature distance, W_s and W_t are written below the first three.
    """
    noises = max(group.source.shape[1] for group in groups.values())
    lefts = [float(column) for column in range(3)]
    lefts += [3 + _GAP + number for number in range(noises)]
    lefts += [3 + 2 * _GAP + noises + number for number in range(noises)]
    rows = sum(len(group.faces.names) for group in groups.values())
    side = (WIDTH - _LEFT - 2 * _BETWEEN) / (lefts[-1] + 1)
    height = len(groups) * (_TOP + _BETWEEN) + rows * (side + _NOTE) + _BETWEEN
    figure = Figure(figsize=(WIDTH, height))

    # Explicit positions: every picture has the same size, however many there are, and drawing is much faster.
    down = _BETWEEN
    for name, group in groups.items():
        heading = (_BETWEEN / WIDTH, 1 - down / height)
        figure.text(*heading, name, fontsize=9, fontweight="bold", va="top")
        down += _TOP
        for face in range(len(group.faces.names)):
            bottom = 1 - (down + side) / height
            for column, left in enumerate(lefts):
                corner = ((_BETWEEN + _LEFT + side * left) / WIDTH, bottom)
                axes = figure.add_axes((*corner, 0.97 * side / WIDTH, 0.97 * side / height))
                axes.set(xticks=[], yticks=[])
                _fill(axes, group, face, column)
            down += side + _NOTE
        down += _BETWEEN
    return figure


def _fill(axes: Axes, group: Reconstructions, face: int, column: int) -> None:
    """Draw one picture with the text beside and below it, and its title if it is in the first row of the group."""
    noises = group.source.shape[1]
    given = ("image", "source", "target")
    if column < 3:
        picture: Tensor = getattr(group.faces, given[column])[face]
        title = given[column]
        note = (
            f"$\\|f_s - f_t\\|$\n{_three_digits(group.distance[face])}",
            f"$W_s$\n{group.source_weight[face]:.2f}",
            f"$W_t$\n{group.target_weight[face]:.2f}",
        )[column]
        axes.set_xlabel(note, fontsize=7, labelpad=2, linespacing=1)
    else:
        branch, number = divmod(column - 3, noises)
        picture = (group.source, group.target)[branch][face, number]
        title = f"{given[1 + branch]}\nrebuilt {number + 1}"
    axes.imshow(picture.permute(1, 2, 0).numpy())
    if column == 0:
        axes.set_ylabel(wrapped(group.faces.names[face].replace("_", " "), 12), fontsize=7, labelpad=3)
    if face == 0:
        axes.set_title(title, fontsize=7, pad=3, linespacing=1)


def _three_digits(value: float) -> str:
    """A distance with up to two decimals: about three digits in all.

    >>> [_three_digits(value) for value in (1234.5, 13.04, 9.2, 0.0312)]
    ['1234', '13.0', '9.20', '0.03']
    """
    return f"{value:.{2 if value < 10 else 1 if value < 100 else 0}f}"
