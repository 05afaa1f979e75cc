"""Fitting of a calibration to scores of validation data."""

from collections.abc import Set
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from sklearn.isotonic import IsotonicRegression

from difffake.anomaly.forged import Forge
from difffake.anomaly.scoring import Anomaly
from difffake.data.choice import Choice, choose_rows
from difffake.data.datasets import CropDataset
from difffake.data.keys import check_leaks, content_keys, leak_keys, resampling_unit
from difffake.data.manifest import Manifest, read_manifests
from difffake.errors import UserError
from difffake.evaluation.calibration import RATES, Fusion, Isotonic, Sample, Scaling, ScoreCalibration, too_few
from difffake.evaluation.evaluate import Loading, scored
from difffake.evaluation.measures import ANOMALY, CLASSIFIER, FUSION, LOGITS
from difffake.evaluation.results import LEVELS, at_level, check_rows
from difffake.metrics import youden_threshold
from difffake.models.detector import Detector
from difffake.models.embed import embed

Method = Literal["temperature", "isotonic"]
FakeSource = Literal["auto", "manifest", "pseudo"]
PSEUDO = "pseudo"
"""Method of pseudo-deepfakes in a score table."""
WIDEST = 1e3
"""Largest temperature of a score with a standard deviation of 1, or of a logit; the smallest is its inverse."""
ENOUGH_ISOTONIC = 1000
"""Samples that isotonic regression needs, so that it does not overfit (Niculescu-Mizil & Caruana 2005)."""
ENOUGH_FUSION = 20
"""Units of each class that a fusion of two scores needs: ten for each weight (Peduzzi et al. 1996)."""


def read_rows(
    paths: list[Path], split: str, choice: Choice, trained_on: Set[str], fakes: FakeSource
) -> tuple[list[Manifest], str, set[str]]:
    """Read and check the rows to calibrate on, before anything is scored.

    Args:
        paths: manifests.
        split: split to calibrate on; all for every row.
        choice: methods and compressions to use.
        trained_on: keys of the data that weights were trained on, without those of the validation split.
        fakes: manifest for its fakes, pseudo for pseudo-deepfakes of its real faces, auto for the first if it has any.

    Returns:
        The rows of each manifest, with fakes only if they are used; where the fakes are from; and the leak keys.

    Raises:
        UserError: there are no such rows, a class is missing, crops are missing, or rows were trained on.
    """
    manifests = read_manifests(paths)
    whole = Manifest.concat(manifests)
    parts = [part.select(split=split) for part in choose_rows(manifests, choice)]
    rows = Manifest.concat(parts)
    names = ", ".join(map(str, paths))
    if not (rows.table["label"] == 0).any():
        raise UserError(f"{names} has no real faces in the split {split}: use --split all or another manifest")
    has_fakes = bool((rows.table["label"] == 1).any())
    if fakes == "manifest" and not has_fakes:
        raise UserError(f"{names} has no fakes in the split {split}: use --fakes pseudo or another manifest")
    source = fakes if fakes != "auto" else "manifest" if has_fakes else PSEUDO
    if source == PSEUDO:
        parts = [part.select(label=0) for part in parts]
        rows = Manifest.concat(parts)
    rows.check_files()
    keys = leak_keys(rows.table, whole.table) | content_keys(rows.table, rows.root)
    check_leaks(trained_on, keys, f"{names}, split {split},")
    check_rows(rows.table)
    return parts, source, keys


def calibration_scores(
    detector: Detector, anomaly: Anomaly | None, rows: Manifest, loading: Loading, forge: Forge | None
) -> pd.DataFrame:
    """Score table of the rows, and of a pseudo-deepfake of each if `forge` makes them, as in the validation of fit.

    Real faces are not altered, as test faces are not.
    """
    options: dict[str, Any] = {"batch_size": loading.batch_size, "workers": loading.workers}
    data = CropDataset(rows, loading.image_size)
    _, logits, embeddings = embed(detector, data, description="calibration", **options)
    table = rows.table
    if forge:
        _, paired, both = embed(detector, forge(rows), description="calibration, forged", **options)
        table = pd.concat([table, table.assign(label=1, method=PSEUDO)], ignore_index=True)
        logits, embeddings = np.concatenate([logits, paired[1::2]]), np.concatenate([embeddings, both[1::2]])
    found = [scored(table, CLASSIFIER, logits)]
    if anomaly:
        (probes, _), values = anomaly.scores(table, embeddings)
        found.append(scored(table.iloc[probes], ANOMALY, values))
    return pd.concat(found, ignore_index=True)


def fit_scores(scores: pd.DataFrame, method: Method) -> dict[str, dict[str, ScoreCalibration]]:
    """Calibrate every score of a table at each level that has both classes."""
    found: dict[str, dict[str, ScoreCalibration]] = {}
    for name in scores["score"].unique():
        for level in LEVELS:
            table = at_level(scores[scores["score"] == name], level)
            if table["label"].nunique() == 2:
                found.setdefault(str(name), {})[level] = fit_one(table, method, name in LOGITS)
    return found


def fit_one(table: pd.DataFrame, method: Method, is_logit: bool) -> ScoreCalibration:
    """Calibrate one score at one level.

    Args:
        table: score table of it, with both classes.
        method: temperature or isotonic.
        is_logit: whether the score is a logit. Then its temperature alone is fitted.
    """
    label, score = table["label"].to_numpy(), table["value"].to_numpy(np.float64)
    # A still is a unit of its own here, because a test still is one face, whoever else is in the data.
    named = np.where(table["video"] != "", resampling_unit(table)[0], table["path"])
    unit: np.ndarray = (table["dataset"] + "/" + named).to_numpy()
    real, fake = (_sample(score[label == value], unit[label == value]) for value in (0, 1))
    to_probability = isotonic(label, score) if method == "isotonic" else scaling(label, score, is_logit)
    return ScoreCalibration(to_probability, youden_threshold(label, score), real, fake)


def scaling(label: np.ndarray, score: np.ndarray, is_logit: bool) -> Scaling:
    """Scale of a score, and its center if it is not a logit, with the largest likelihood of labels (N,).

    The targets are those of Platt (1999), (n_fake + 1) / (n_fake + 2) and 1 / (n_real + 2), so that the scale of
    classes that do not overlap is not 0.
    """
    fakes, reals = int(label.sum()), int((1 - label).sum())
    target = np.where(label == 1, (fakes + 1) / (fakes + 2), 1 / (reals + 2))
    middle, spread = (0.0, 1.0) if is_logit else (float(score.mean()), float(score.std()) or 1.0)
    values = (score - middle) / spread

    def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        slope, shift = np.exp(parameters[0]), 0.0 if is_logit else parameters[1]
        logit = slope * (values - shift)
        error = np.exp(-np.logaddexp(0, -logit)) - target
        gradient = np.array([(error * logit).mean(), -(error * slope).mean()])
        return float((np.logaddexp(0, logit) - target * logit).mean()), gradient[: len(parameters)]

    # At a slope outside these bounds, the score would be useless, or perfect.
    bounds = [(-np.log(WIDEST), np.log(WIDEST)), (None, None)]
    parameters = 1 if is_logit else 2
    found = minimize(
        loss, np.zeros(parameters), jac=True, method="L-BFGS-B", bounds=bounds[:parameters], options={"ftol": 1e-14}
    )
    center = 0.0 if is_logit else middle + spread * float(found.x[1])
    return Scaling(spread / float(np.exp(found.x[0])), center)


def isotonic(label: np.ndarray, score: np.ndarray) -> Isotonic:
    """Isotonic regression of labels (N,) on scores (N,), by scikit-learn (Zadrozny & Elkan 2002)."""
    model = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(score, label)
    return Isotonic(tuple(map(float, model.X_thresholds_)), tuple(map(float, model.y_thresholds_)))


def summary(calibrated: dict[str, dict[str, ScoreCalibration]], source: str, fusion: Fusion | None = None) -> list[str]:
    """Lines for the user: what was calibrated on, which error rates cannot be promised, and what is of little use.

    Args:
        calibrated: calibration of each score at each level.
        source: where the fakes are from.
        fusion: weights of the fusion, if there is one.
    """
    lines = []
    for level in LEVELS:
        one = calibrated.get(CLASSIFIER, {}).get(level)
        if not one:
            continue
        fakes = "pseudo-deepfakes" if source == PSEUDO else "fakes"
        lines.append(
            f"{level} level: {len(one.real.score)} real faces and {len(one.fake.score)} {fakes}, of {one.real.units} "
            f"and {one.fake.units} videos or stills"
        )
        lines += [note for rate in RATES for note in too_few(one, rate)]
    lines += _useless(calibrated)
    if fusion:
        lines += _fusion_doubts(fusion, calibrated[FUSION]["frame"])
    if not any("video" in levels for levels in calibrated.values()):
        lines.append("there are no videos, so only scores of single frames and images are calibrated")
    return lines


def _useless(calibrated: dict[str, dict[str, ScoreCalibration]]) -> list[str]:
    """A line for each calibration that says nothing, and one for those with too few samples for their method."""
    lines, few = [], []
    for name, levels in calibrated.items():
        for level, one in levels.items():
            found, scores = one.to_probability, np.array(one.real.score + one.fake.score)
            where = f"{name} score, {level} level"
            if isinstance(found, Isotonic):
                if len(scores) < ENOUGH_ISOTONIC:
                    few.append(f"{where}: {len(scores)}")
                if len(set(found.probability)) == 1:
                    lines.append(f"{where}: every face gets the same probability, because fakes do not score higher")
                continue
            ratio = found.scale / (1.0 if name in LOGITS else float(scores.std()) or 1.0)
            if ratio > 0.99 * WIDEST:
                lines.append(
                    f"{where}: the temperature is at the bound of its search ({found.scale:g}), because fakes do not "
                    "score higher than reals: every face gets the same probability"
                )
            elif ratio < 1.01 / WIDEST or (name in LOGITS and scores.std() < 1 / WIDEST):
                lines.append(
                    f"{where}: the scores hardly differ (standard deviation {scores.std():.2g}), too little for the "
                    "search of the temperature: do not trust the probabilities"
                )
    if few:
        lines.append(
            f"isotonic needs {ENOUGH_ISOTONIC} samples or more, else it overfits ({'; '.join(few)}): use --method "
            "temperature, or calibrate on more faces"
        )
    return lines


def _fusion_doubts(fusion: Fusion, one: ScoreCalibration) -> list[str]:
    """A line for each reason not to use the fusion; `one` is its calibration of frames."""
    lines = []
    for name, weight in ((CLASSIFIER, fusion.classifier), (ANOMALY, fusion.anomaly)):
        if weight < 0:
            lines.append(
                f"fusion: the weight of the {name} score is negative ({weight:.3g}), as if higher scores meant real "
                "faces: use evaluate --fusion none, or calibrate on more faces"
            )
    if min(one.real.units, one.fake.units) < ENOUGH_FUSION:
        lines.append(
            f"fusion: fitted to {one.real.units} real and {one.fake.units} fake videos or stills; with fewer than "
            f"{ENOUGH_FUSION} of each, its weights are mostly chance"
        )
    return lines


def _sample(score: np.ndarray, unit: np.ndarray) -> Sample:
    order = np.argsort(score, kind="stable")
    number = np.unique(unit.astype(str), return_inverse=True)[1][order]
    return Sample(tuple(score[order].tolist()), tuple(number.tolist()))
