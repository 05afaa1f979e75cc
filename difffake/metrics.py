"""Metrics of real-or-fake scores, as plain functions of (label, score).

Everywhere `label` is (N,) with 0 = real and 1 = fake, `score` is (N,) of any finite real numbers, higher = more
fake, and a sample is called fake where `score >= threshold`. Results are in [0, 1]. Where one of the two classes is
missing, a metric that needs both is NaN: a data set of fakes alone must not stop the others from being evaluated.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn import metrics as sk

from difffake.errors import UserError

Labels = NDArray[np.int64]
Scores = NDArray[np.float64]


def checked(label: ArrayLike, score: ArrayLike) -> tuple[Labels, Scores]:
    """Labels (N,) as int64 and scores (N,) as float64, which keeps the order and the ties of narrower floats.

    Raises:
        UserError: the lengths differ, a label is neither 0 nor 1, or a score is NaN or infinite.
    """
    labels, scores = np.asarray(label), np.asarray(score, dtype=np.float64)
    if labels.ndim != 1 or labels.shape != scores.shape:
        raise UserError(f"labels {labels.shape} and scores {scores.shape} differ in shape: give one (N,) array of each")
    if not np.isin(labels, (0, 1)).all():
        raise UserError("a label is neither 0 (real) nor 1 (fake): mend the label column")
    if broken := int((~np.isfinite(scores)).sum()):
        raise UserError(
            f"{broken} of {len(scores)} scores are NaN or infinite: leave these samples out or check the model"
        )
    return labels.astype(np.int64), scores


def percent(value: float | None) -> str:
    """A rate in [0, 1] as it is printed: in percent with one decimal, a dash for None and NaN.

    >>> percent(0.8317), percent(None)
    ('83.2', '-')
    """
    return "-" if value is None or math.isnan(value) else f"{100 * value:.1f}"


def _one_class(label: Labels) -> bool:
    return bool(label.size == 0 or label.min() == label.max())


def _roc(label: Labels, score: Scores) -> tuple[Scores, Scores, Scores]:
    """False and true positive rates at every distinct score, from (0, 0) to (1, 1), with the thresholds."""
    # Left on, drop_intermediate removes collinear points: harmless to areas, but thresholds need their neighbors.
    false_positive, true_positive, threshold = sk.roc_curve(label, score, drop_intermediate=False)
    return false_positive, true_positive, threshold


def auc(label: ArrayLike, score: ArrayLike) -> float:
    """Area under the ROC curve: how often a fake scores above a real one, ties counting one half.

    >>> auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    0.75
    """
    labels, scores = checked(label, score)
    return float("nan") if _one_class(labels) else float(sk.roc_auc_score(labels, scores))


def eer(label: ArrayLike, score: ArrayLike) -> float:
    """Equal error rate: where FPR = 1 - TPR on the ROC curve, its points joined by straight lines.

    All thresholds are kept and no convex hull is taken; the released scripts read off the nearest point instead.

    >>> round(eer([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]), 6)
    0.5
    >>> round(eer([0, 0, 0, 1, 1], [1, 2, 3, 3, 4]), 6)  # on the line from (0, 1/2) to (1/3, 1)
    0.2
    """
    labels, scores = checked(label, score)
    if _one_class(labels):
        return float("nan")
    false_positive, true_positive, _ = _roc(labels, scores)
    # FPR - FNR rises strictly from -1 to 1, since every threshold adds at least one sample: one crossing.
    gap = false_positive + true_positive - 1
    right = int(np.argmax(gap >= 0))
    share = -gap[right - 1] / (gap[right] - gap[right - 1])
    return float(false_positive[right - 1] + share * (false_positive[right] - false_positive[right - 1]))


def average_precision(label: ArrayLike, score: ArrayLike) -> float:
    """Average precision of the fakes: the sum over thresholds of precision times the gain in recall, not interpolated.

    >>> round(average_precision([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]), 4)
    0.8333
    """
    labels, scores = checked(label, score)
    return float("nan") if _one_class(labels) else float(sk.average_precision_score(labels, scores))


def accuracy(label: ArrayLike, score: ArrayLike, threshold: float) -> float:
    """Share of samples on the right side of `threshold`; defined for one class too, NaN for no samples.

    >>> accuracy([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], threshold=0.5)
    0.75
    """
    labels, scores = checked(label, score)
    return float(((scores >= threshold) == labels).mean()) if labels.size else float("nan")


def balanced_accuracy_at_youden(label: ArrayLike, score: ArrayLike) -> float:
    """Balanced accuracy at the threshold that is best on these very samples: (1 + max(TPR - FPR)) / 2.

    DiffFake's released test script prints this under the name AUC. It is kept for comparison with that script alone.

    >>> balanced_accuracy_at_youden([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    0.75
    """
    labels, scores = checked(label, score)
    if _one_class(labels):
        return float("nan")
    false_positive, true_positive, _ = _roc(labels, scores)
    return float((1 + (true_positive - false_positive).max()) / 2)


def youden_threshold(label: ArrayLike, score: ArrayLike) -> float:
    """Threshold with the largest TPR - FPR, halfway between the two neighboring scores it separates.

    Choose it on validation data and apply it to test data. Where several are as good the highest is taken; where no
    threshold beats chance it lies well above all scores.

    >>> youden_threshold([0, 0, 1, 1], [1.0, 2.0, 4.0, 5.0])
    3.0
    """
    labels, scores = checked(label, score)
    if _one_class(labels):
        return float("nan")
    false_positive, true_positive, threshold = _roc(labels, scores)
    best = int(np.argmax(true_positive - false_positive))
    if best == 0:
        return float(threshold[1] + max(1.0, abs(threshold[1])))
    if best == len(threshold) - 1:
        return float(threshold[best])
    middle = threshold[best] / 2 + threshold[best + 1] / 2
    # Two scores may be neighboring floats: their middle must not fall on the lower one, which it has to exclude.
    return float(middle if middle > threshold[best + 1] else threshold[best])


def tpr_at_fpr(label: ArrayLike, score: ArrayLike, fpr: float) -> float:
    """Largest share of fakes found by a threshold that calls at most a share `fpr` of the reals fake.

    Only real thresholds count: the value is not interpolated between two of them.

    >>> tpr_at_fpr([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], fpr=0.1)
    0.5
    """
    labels, scores = checked(label, score)
    if _one_class(labels):
        return float("nan")
    false_positive, true_positive, _ = _roc(labels, scores)
    return float(true_positive[false_positive <= fpr].max())
