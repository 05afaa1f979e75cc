"""Common parts of figures: colors, line styles, files with captions, sheets of pictures, histograms of two classes."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import cycle
from pathlib import Path
from textwrap import fill

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import Bbox
from numpy.typing import NDArray
from PIL import Image

from difffake.files import staged_file

# Okabe & Ito's palette (2008), which is distinct with any color vision; without yellow, too pale for lines on white.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
REAL_COLOR, FAKE_COLOR = "#0072B2", "#D55E00"
STYLES = ("-", "--", "-.", ":")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
WIDTH = 7.0
"""Width of a figure in inches, as wide as the text of a page."""
DPI = 150
_CAPTION = "Description"  # PNG's standard keyword of a description
_BINS = (5, 50)  # smallest and largest number of bins of a histogram
_ACROSS = 3  # number of panels in a row

Row = tuple[str, Sequence[np.ndarray]]
"""A row's label and its pictures."""


def save_figure(figure: Figure, path: Path, caption: str = "", vector: bool = True, credit: str = "") -> None:
    """Write a figure to a PNG file and, beside it, to an SVG file; a file appears only when it is complete.

    The same figure always gives the same files.

    Args:
        figure: the figure.
        path: PNG or JPEG file to write.
        caption: what the figure shows and how to read it. A PNG file stores it for `read_caption`, an SVG file as the
            description in its metadata.
        vector: also write the SVG file, with the same name; without it, only `path`.
        credit: text in small print below the figure, such as the makers of the faces in it.
    """
    FigureCanvasAgg(figure)
    area = _credited(figure, credit) if credit else None
    metadata = {_CAPTION: caption} if caption and path.suffix.lower() == ".png" else None
    with staged_file(path) as partial:
        figure.savefig(partial, dpi=DPI, metadata=metadata, bbox_inches=area)
    if vector:
        figure.set_layout_engine("none")  # the places of the PNG file are kept
        # A fixed salt and no date: otherwise the names inside the file would change from run to run.
        with staged_file(path.with_suffix(".svg")) as partial, matplotlib.rc_context({"svg.hashsalt": "difffake"}):
            figure.savefig(partial, dpi=DPI, metadata={_CAPTION: caption, "Date": None}, bbox_inches=area)


def _credited(figure: Figure, credit: str) -> Bbox:
    """Write a credit below a figure, where it covers nothing; return the whole area in inches."""
    width, height = figure.get_size_inches()
    lines = fill(credit, round(24 * width))  # characters of size 5.5
    below = 0.05 + 0.09 * (lines.count("\n") + 1)
    figure.text(0.1 / width, -0.01 / height, lines, fontsize=5.5, color="0.4", va="top").set_in_layout(False)
    figure.patch.set_bounds(0, -below / height, 1, 1 + below / height)
    return Bbox([[0, -below], [width, height]])


def read_caption(path: Path) -> str:
    """The caption that `save_figure` wrote into a PNG file; empty if there is none."""
    with Image.open(path) as image:
        return str(image.info.get(_CAPTION, ""))


def sheet(columns: Sequence[str], rows: Sequence[Row], title: str, caption: str, side: float = 2.2) -> Figure:
    """Make a sheet of pictures.

    Args:
        columns: titles of the columns.
        rows: label and pictures of each row. Pictures are (H, W, 3) uint8, or (H, W) in [0, 1] from black to white.
        title: title above the sheet.
        caption: text below the sheet.
        side: width of a picture in inches.
    """
    width = side * len(columns) + 1.4
    text = fill(caption, round(12 * width))
    height = side * len(rows) + 0.9 + 0.2 * (text.count("\n") + 1)
    figure = Figure(figsize=(width, height), layout="constrained")
    panels = figure.subplots(len(rows), len(columns), squeeze=False)
    for (label, pictures), line in zip(rows, panels, strict=True):
        for axes, picture in zip(line, pictures, strict=True):
            axes.imshow(picture, cmap="gray", vmin=0, vmax=1)
            axes.set(xticks=[], yticks=[])
        line[0].set_ylabel(label, fontsize=10)
    for axes, name in zip(panels[0], columns, strict=True):
        axes.set_title(name, fontsize=12)
    figure.suptitle(title, fontsize=13)
    figure.supxlabel(text, fontsize=10, x=0.01, ha="left")
    return figure


def in_percent(axis: Axis) -> None:
    """Label the ticks of an axis in percent; its values are shares in [0, 1]."""
    axis.set_major_formatter(lambda share, _: f"{100 * share:.4g} %")


def looks(count: int) -> Iterator[tuple[str, str, str]]:
    """Color, line style and marker of each of `count` curves; all 28 of the first differ, also in gray."""
    return (look for _, *look in zip(range(count), cycle(COLORS), cycle(STYLES), cycle(MARKERS)))  # type: ignore[misc]


def tidy(axes: Axes) -> None:
    """Remove the lines at the top and on the right of axes, and make the labels of the ticks small."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)


def legend_above(axes: Axes) -> None:
    """Put the legend between title and axes, where it covers nothing."""
    axes.legend(fontsize=8, frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), borderaxespad=0)


def grid_of(count: int, across: int, panel_height: float, extra: float = 0.5) -> tuple[Figure, list[Axes]]:
    """A figure of the page's width with `count` panels, at most `across` in a row; unused places stay empty.

    Args:
        count: number of panels.
        across: largest number of panels in a row.
        panel_height: height of a panel in inches.
        extra: height of title and legend in inches.
    """
    across = min(count, across)
    down = -(-count // across)
    figure = Figure(figsize=(WIDTH, panel_height * down + extra), layout="constrained")
    found = figure.subplots(down, across, squeeze=False).ravel().tolist()
    for axes in found[count:]:
        axes.remove()
    return figure, found[:count]


def wrapped(name: str, width: int) -> str:
    """A name as lines of at most `width` characters, broken at spaces, dashes and slashes if possible."""
    return fill(name.replace("/", "/ "), width).replace("/ ", "/")


def bin_edges(classes: Sequence[NDArray[np.floating]], limits: tuple[float, float]) -> NDArray[np.float64]:
    """Edges of 5 to 50 equal bins between `limits` for several classes, as narrow as any class needs.

    The width is the smaller of Freedman and Diaconis (1981), 2 IQR / n^(1/3), and Sturges (1926),
    range / (log2 n + 1), which is better for values that are dense at both ends.

    Args:
        classes: values of each class, arrays (N,).
        limits: the first and the last edge.
    """
    low, high = limits
    widths = [2 * float(np.ptp(np.quantile(c, (0.25, 0.75)))) / len(c) ** (1 / 3) for c in classes if len(c)]
    widths += [float(np.ptp(c)) / (np.log2(len(c)) + 1) for c in classes if len(c)]
    narrowest = min((width for width in widths if width > 0), default=high - low)
    return np.linspace(low, high, int(np.clip(np.ceil((high - low) / narrowest), *_BINS)) + 1)


def two_class_panels(
    sets: Mapping[str, tuple[NDArray[np.integer], NDArray[np.floating]]],
    title: str,
    xlabel: str,
    units: str,
    limits: tuple[float, float] | None = None,
    thresholds: Mapping[str, float] | None = None,
) -> Figure:
    """Draw histograms of real and fake samples, one panel per set.

    Both classes use the same bins (`bin_edges`). A bar is the share of a class's samples in the bin. The legend gives
    the number of samples of each class; a class without samples is left out.

    Args:
        sets: labels (N,) and values (N,) of each set by name.
        title: title of the figure.
        xlabel: label of the values.
        units: name of the samples, such as "faces".
        limits: range of the axis; values outside are counted in the outermost bins. By default, the quantiles 0.5 and
            99.5 % of each panel.
        thresholds: values by name of a set, each drawn as a dotted vertical line.
    """
    across = 2 if len(sets) in (2, 4) else _ACROSS
    figure, panels = grid_of(len(sets), across, 2.4, 0.7)
    for axes, (name, (label, value)) in zip(panels, sets.items(), strict=True):
        _two_classes(axes, value[label == 0], value[label == 1], limits or _quantiles(value))
        if thresholds and name in thresholds:
            axes.axvline(thresholds[name], color="black", linewidth=1, linestyle=":")
        axes.set_title(wrapped(name, 60 // min(across, len(sets))), fontsize=9, pad=32)
    figure.suptitle(title, fontsize=11)
    figure.supxlabel(xlabel, fontsize=9)
    figure.supylabel(f"share of each class's {units}", fontsize=9)
    return figure


def _two_classes(
    axes: Axes, real: NDArray[np.floating], fake: NDArray[np.floating], limits: tuple[float, float]
) -> None:
    inside = [np.clip(values, *limits) for values in (real, fake)]
    edges = bin_edges(inside, limits)
    for values, color, text, line in zip(inside, (REAL_COLOR, FAKE_COLOR), ("real", "fake"), ("-", "--"), strict=True):
        if not len(values):
            continue
        share = np.histogram(values, edges)[0] / len(values)
        axes.stairs(share, edges, fill=True, color=color, alpha=0.25)
        axes.stairs(share, edges, color=color, linewidth=1.5, linestyle=line, label=f"{text} (n = {len(values):,})")
    axes.set_xlim(*limits)
    axes.set_ylim(0, 1.05 * axes.get_ylim()[1])
    axes.xaxis.set_major_locator(MaxNLocator(5))  # few enough for labels such as 2.0895
    in_percent(axes.yaxis)
    tidy(axes)
    legend_above(axes)


def _quantiles(value: NDArray[np.floating]) -> tuple[float, float]:
    low, high = (float(limit) for limit in np.quantile(value, (0.005, 0.995)))
    return (low, high) if high > low else (low - 0.5, high + 0.5)
