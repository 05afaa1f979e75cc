"""Metrics of real-or-fake scores, as plain functions of (label, score).

`label` is always (N,) with 0 = real and 1 = fake. `score` is (N,) of any finite real numbers; higher = more fake. A
sample is called fake if `score >= threshold`. Results are in [0, 1]. If one of the two classes is missing, a metric
that needs both is NaN, so that a data set with fakes only does not stop the evaluation of others.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn import metrics as sk

from difffake.errors import UserError

Labels = NDArray[np.int64]
Scores = NDArray[np.float64]

ECE_BINS = 15
"""Number of bins of the expected calibration error, as in Guo et al. 2017."""


def checked(label: ArrayLike, score: ArrayLike) -> tuple[Labels, Scores]:
    """Labels (N,) as int64 and scores (N,) as float64, which keeps the order and ties of shorter floats.

    Raises:
        UserError: the lengths differ, a label is neither 0 nor 1, or a score is NaN or infinite.
    """
    labels, scores = np.asarray(label), np.asarray(score, dtype=np.float64)
    if labels.ndim != 1 or labels.shape != scores.shape:
        raise UserError(f"labels {labels.shape} and scores {scores.shape} differ in shape: give one (N,) array of each")
    if not np.isin(labels, (0, 1)).all():
        raise UserError("a label is neither 0 (real) nor 1 (fake): correct the label column")
    if broken := int((~np.isfinite(scores)).sum()):
        raise UserError(
            f"{broken} of {len(scores)} scores are NaN or infinite: leave these samples out or check the model"
        )
    return labels.astype(np.int64), scores


def percent(value: float | None) -> str:
    """Format a rate in [0, 1]: in percent with one decimal; a dash for None and NaN.

    >>> percent(0.8317), percent(None)
    ('83.2', '-')
    """
    return "-" if value is None or math.isnan(value) else f"{100 * value:.1f}"


def _one_class(label: Labels) -> bool:
    return bool(label.size == 0 or label.min() == label.max())


def _roc(label: Labels, score: Scores) -> tuple[Scores, Scores, Scores]:
    """False and true positive rates at every distinct score, from (0, 0) to (1, 1), with the thresholds."""
    # drop_intermediate would remove collinear points. This does not change areas, but thresholds need their neighbors.
    false_positive, true_positive, threshold = sk.roc_curve(label, score, drop_intermediate=False)
    return false_positive, true_positive, threshold


def auc(label: ArrayLike, score: ArrayLike) -> float:
    """Area under the ROC curve: the share of pairs in which the fake has the higher score; ties count one half.

    >>> auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    0.75
    """
    labels, scores = checked(label, score)
    return float("nan") if _one_class(labels) else float(sk.roc_auc_score(labels, scores))


def eer(label: ArrayLike, score: ArrayLike) -> float:
    """Equal error rate: FPR at the point of the ROC curve where FPR = 1 - TPR. Points are joined by straight lines.

    All thresholds are used, without a convex hull. The papers' released scripts take the nearest point instead.

    >>> round(eer([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]), 6)
    0.5
    >>> round(eer([0, 0, 0, 1, 1], [1, 2, 3, 3, 4]), 6)  # on the line from (0, 1/2) to (1/3, 1)
    0.2
    """
    labels, scores = checked(label, score)
    if _one_class(labels):
        return float("nan")
    false_positive, true_positive, _ = _roc(labels, scores)
    # FPR - FNR rises strictly from -1 to 1, because every threshold adds at least one sample. So it is 0 only once.
    gap = false_positive + true_positive - 1
    right = int(np.argmax(gap >= 0))
    share = -gap[right - 1] / (gap[right] - gap[right - 1])
    return float(false_positive[right - 1] + share * (false_positive[right] - false_positive[right - 1]))


def average_precision(label: ArrayLike, score: ArrayLike) -> float:
    """Average precision of the fakes: the sum over thresholds of precision times gain in recall, not interpolated.

    >>> round(average_precision([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]), 4)
    0.8333
    """
    labels, scores = checked(label, score)
    return float("nan") if _one_class(labels) else float(sk.average_precision_score(labels, scores))


def accuracy(label: ArrayLike, score: ArrayLike, threshold: float) -> float:
    """Share of samples on the right side of `threshold`. It is defined for one class too, and NaN without samples.

    >>> accuracy([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], threshold=0.5)
    0.75
    """
    labels, scores = checked(label, score)
    return float(((scores >= threshold) == labels).mean()) if labels.size else float("nan")


def balanced_accuracy(label: ArrayLike, score: ArrayLike, threshold: float) -> float:
    """Mean of the shares of reals and of fakes on the right side of `threshold`; NaN if a class is missing.

    >>> balanced_accuracy([0, 0, 0, 1], [0.1, 0.4, 0.8, 0.9], threshold=0.5)
    0.8333333333333333
    """
    labels, scores = checked(label, score)
    if _one_class(labels):
        return float("nan")
    right = (scores >= threshold) == labels
    return float((right[labels == 0].mean() + right[labels == 1].mean()) / 2)


def brier(label: ArrayLike, probability: ArrayLike) -> float:
    """Mean squared difference between label and probability of a fake (Brier 1950, for one class); NaN without samples.

    >>> round(brier([0, 1], [0.2, 0.9]), 6)
    0.025
    """
    labels, values = checked(label, probability)
    return float(((values - labels) ** 2).mean()) if labels.size else float("nan")


def calibration_bin(probability: ArrayLike) -> NDArray[np.intp]:
    """Number (N,) of the bin of each probability, of `ECE_BINS` equally wide ones that contain their upper edge."""
    return np.searchsorted(np.linspace(0, 1, ECE_BINS + 1)[1:-1], np.asarray(probability))


def ece(label: ArrayLike, probability: ArrayLike) -> float:
    """Expected calibration error: the mean over samples of how far their bin is from calibrated; NaN without samples.

    A bin's error is the difference between its share of fakes and its mean probability of a fake (Naeini et al. 2015;
    Guo et al. 2017 use the predicted class instead of the class fake). There are `ECE_BINS` bins.

    >>> round(ece([0, 1, 1], [0.11, 0.12, 0.9]), 4)  # |0.5 - 0.115| for two samples, |1 - 0.9| for one
    0.29
    """
    labels, values = checked(label, probability)
    if not labels.size:
        return float("nan")
    error = np.bincount(calibration_bin(values), weights=labels - values, minlength=ECE_BINS)
    return float(np.abs(error).sum() / labels.size)


def balanced_accuracy_at_youden(label: ArrayLike, score: ArrayLike) -> float:
    """Balanced accuracy at the best threshold for these same samples: (1 + max(TPR - FPR)) / 2.

    DiffFake's released test script prints this under the name AUC. It is here only for comparison with that script.

    >>> balanced_accuracy_at_youden([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    0.75
    """
    labels, scores = checked(label, score)
    if _one_class(labels):
        return float("nan")
    false_positive, true_positive, _ = _roc(labels, scores)
    return float((1 + (true_positive - false_positive).max()) / 2)


def youden_threshold(label: ArrayLike, score: ArrayLike) -> float:
    """Threshold with the largest TPR - FPR, halfway between the two neighboring scores that it separates.

    Choose it on validation data and apply it to test data. If several are equally good, the highest is used. If no
    threshold is better than chance, the result is well above all scores.

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
    # If two scores are neighboring floats, their middle may be rounded to the lower one, which must be excluded.
    return float(middle if middle > threshold[best + 1] else threshold[best])


def tpr_at_fpr(label: ArrayLike, score: ArrayLike, fpr: float) -> float:
    """Largest share of fakes that a threshold finds if it calls at most a share `fpr` of the reals fake.

    The value is not interpolated between two thresholds.

    >>> tpr_at_fpr([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], fpr=0.1)
    0.5
    """
    labels, scores = checked(label, score)
    if _one_class(labels):
        return float("nan")
    false_positive, true_positive, _ = _roc(labels, scores)
    return float(true_positive[false_positive <= fpr].max())
