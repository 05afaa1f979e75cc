"""The texts of a figure that are seen, to test that none is cut and none covers another."""

from itertools import combinations

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox


def seen_texts(figure: Figure) -> list[tuple[str, Bbox]]:
    """Each text of a figure that is drawn, with its box in pixels."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    hidden = set()
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in axis.get_major_ticks():
                if not low <= tick.get_loc() <= high:
                    hidden |= {tick.label1, tick.label2}
    found = figure.findobj(Text)
    seen = [text for text in found if text.get_visible() and text.get_text().strip() and text not in hidden]
    return [(text.get_text(), text.get_window_extent(canvas.get_renderer())) for text in seen]


def check_texts(figure: Figure) -> None:
    """No text is cut at the edge of the figure or covers another one."""
    found = seen_texts(figure)
    for text, box in found:
        assert -1 <= box.x0 <= box.x1 <= figure.bbox.x1 + 1, f"{text!r} is cut"
        assert -1 <= box.y0 <= box.y1 <= figure.bbox.y1 + 1, f"{text!r} is cut"
    for (first, one), (second, other) in combinations(found, 2):
        wide = min(one.x1, other.x1) - max(one.x0, other.x0)
        high = min(one.y1, other.y1) - max(one.y0, other.y0)
        assert wide <= 1 or high <= 1, f"{first!r} covers {second!r}"
