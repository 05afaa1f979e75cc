"""Histograms of scores of reals and fakes."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from scipy.special import expit

from difffake.evaluation.pictures.score_sets import ScoreSet
from difffake.plots import two_class_panels


def histogram_figure(sets: Sequence[ScoreSet], title: str, units: str, logits: bool) -> Figure:
    """Draw histograms of real and fake scores, one panel per set, with the threshold of the validation data.

    Args:
        sets: scores to draw.
        title: title of the figure.
        units: name of the samples, such as "frames".
        logits: whether the scores are logits, which are then drawn as probabilities in percent.
    """
    thresholds = {one.name: one.threshold for one in sets if one.threshold is not None}
    if not logits:
        columns = {one.name: (one.label, one.value) for one in sets}
        return two_class_panels(columns, title, "score, higher = more fake", units, thresholds=thresholds)
    columns = {one.name: (one.label, 100 * expit(one.value)) for one in sets}
    thresholds = {name: 100 * float(expit(at)) for name, at in thresholds.items()}
    return two_class_panels(columns, title, "probability of a fake in percent", units, (0.0, 100.0), thresholds)


def histogram_caption(of: str, units: str) -> str:
    """Caption of `histogram_figure`; `of` describes the score, such as "the classifier score of one frame"."""
    return (
        f"Distribution of {of} over the real {units} (solid line) and the fake ones (dashed line) of each data set. "
        f"The bars of one class add up to 100 %, so classes of unequal size (n {units}) can be compared. The less the "
        "two overlap, the better they are separated. The dotted line is the threshold of the validation data. Scores "
        "beyond the axis are in the outermost bins."
    )
