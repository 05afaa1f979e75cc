"""Calibrated probabilities against scikit-learn's, and thresholds that keep their promise."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from score_table import scored
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from difffake.errors import UserError
from difffake.evaluation.calibrate import fit_one, fit_scores, isotonic, scaling, summary
from difffake.evaluation.calibration import (
    Calibration,
    Fusion,
    Isotonic,
    Limits,
    Sample,
    Scaling,
    ScoreCalibration,
    find_calibration,
    read_calibration,
    too_few,
)
from difffake.evaluation.fusion import fuse
from difffake.files import sha256
from difffake.metrics import ece


def logits(seed: int, n: int = 4000, temperature: float = 3.0) -> tuple[np.ndarray, np.ndarray]:
    """Labels drawn with the probability sigmoid(logit / temperature), and the logits."""
    rng = np.random.default_rng(seed)
    logit = rng.normal(scale=4, size=n)
    return (rng.random(n) < expit(logit / temperature)).astype(int), logit


def test_temperature_is_found_and_makes_probabilities_true() -> None:
    label, logit = logits(0)
    found = scaling(label, logit, is_logit=True)
    assert found.center == 0
    assert found.scale == pytest.approx(3.0, rel=0.1)
    fresh, other = logits(1)
    assert ece(fresh, found(other)) < 0.03 < 0.1 < ece(fresh, expit(other))


def test_temperature_is_scikit_learns() -> None:
    """A logistic regression without penalty and intercept; with many samples, Platt's targets are the labels."""
    label, logit = logits(2, n=20_000)
    reference = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-10).fit(logit[:, None], label)
    assert scaling(label, logit, is_logit=True).scale == pytest.approx(1 / reference.coef_[0, 0], rel=2e-3)


def test_scale_and_center_are_scikit_learns_sigmoid() -> None:
    """Platt's method, also of scores that are large and far from 0, as likelihoods are."""
    label, logit = logits(3, n=500)

    class Scores(LogisticRegression):
        def decision_function(self, X: np.ndarray) -> np.ndarray:  # scikit-learn's name
            return X[:, 0]

    for score in (logit, 1e4 + 500 * logit):
        model = Scores().fit(score[:, None], label)
        reference = CalibratedClassifierCV(FrozenEstimator(model), method="sigmoid").fit(score[:, None], label)
        found = scaling(label, score, is_logit=False)
        np.testing.assert_allclose(found(score), reference.predict_proba(score[:, None])[:, 1], atol=1e-4)


def test_isotonic_is_scikit_learns() -> None:
    label, logit = logits(4, n=500)
    points = np.linspace(-20, 20, 101)
    reference = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(logit, label)
    np.testing.assert_allclose(isotonic(label, logit)(points), reference.predict(points), atol=1e-12)


def test_classes_that_do_not_overlap_stay_finite() -> None:
    found = scaling(np.array([0, 0, 1, 1]), np.array([-2.0, -1.0, 1.0, 2.0]), is_logit=True)
    assert 0.01 < found.scale < 10
    # Platt: of two samples, the targets are 1/4 and 3/4.
    assert 0.6 < found(1.5) < 0.9
    assert np.isfinite(found([-1e6, 1e6])).all()


def sample(scores: list[float], units: list[int] | None = None) -> Sample:
    return Sample(tuple(scores), tuple(units or range(len(scores))))


def test_thresholds_by_hand() -> None:
    real = sample([float(value) for value in range(1, 20)])  # 19 of them
    assert real.enough(0.05)
    assert not real.enough(0.04)
    # (19 + 1) 0.95 = 19: only what is above the highest of all is called fake.
    assert real.above(0.05) == pytest.approx(19)
    assert real.above(0.05) > 19
    assert real.above(0.1) == pytest.approx(18)
    assert real.above(0.04) == math.inf
    assert real.below(0.05) == pytest.approx(1)
    assert real.below(0.05) < 1
    assert real.below(0.2) == pytest.approx(4)
    assert real.below(0.04) == -math.inf


def test_too_few_reals_and_too_few_fakes_are_said() -> None:
    many, few = [float(value) for value in range(19)], [float(value) for value in range(18)]
    assert too_few(calibrated(many, many), 0.05) == []
    assert too_few(calibrated(few, many), 0.05) == [
        "a false-alarm rate of 5 % cannot be promised: it takes 19 real videos or stills, and 18 calibrated; "
        "nothing is called fake"
    ]
    assert too_few(calibrated(many, few), 0.05) == [
        "a rate of missed fakes of 5 % cannot be promised: it takes 19 fake videos or stills, and 18 calibrated; "
        "nothing is called real"
    ]
    assert ["takes 99" in note for note in too_few(calibrated(many, many), 0.01)] == [True, True]


def test_frames_of_one_video_count_as_one() -> None:
    many = sample([float(value) for value in range(100)], [0] * 100)
    assert many.units == 1
    assert many.above(0.4) == math.inf  # one video promises 1 / 2 at best
    assert many.above(0.5) == pytest.approx(99)
    # By hand: three videos weigh 1/4 each; that of two frames gives 1/8 for each of them.
    three = sample([1.0, 2.0, 3.0, 4.0], [0, 1, 1, 2])
    assert three.above(0.25) == pytest.approx(4)
    assert three.above(0.5) == pytest.approx(3)
    assert three.above(0.63) == pytest.approx(2)


@pytest.mark.parametrize(("frames", "rate"), [(1, 0.05), (1, 0.2), (8, 0.05), (8, 0.2)])
def test_the_promise_is_kept_on_average(frames: int, rate: float) -> None:
    """Over calibrations on 40 videos with frames that are alike; with frames as units, it would be broken."""
    rng = np.random.default_rng(0)

    def videos(count: int) -> np.ndarray:
        return rng.normal(size=(count, 1)) + 0.3 * rng.normal(size=(count, frames))

    kept, naive = [], []
    for _ in range(400):
        known, new = videos(40), videos(200)[:, 0]
        order = np.argsort(known.ravel())
        unit = np.repeat(np.arange(40), frames)[order]
        scores = known.ravel()[order].tolist()
        kept.append((new >= sample(scores, unit.tolist()).above(rate)).mean())
        naive.append((new >= sample(scores).above(rate)).mean())
    assert np.mean(kept) <= rate + 0.01
    assert np.mean(kept) > rate * 0.4
    if frames > 1 and rate == 0.05:
        assert np.mean(naive) > np.mean(kept)


def calibrated(real: list[float], fake: list[float], threshold: float = 0.0) -> ScoreCalibration:
    return ScoreCalibration(Scaling(1.0), threshold, sample(real), sample(fake))


def test_between_the_limits_nothing_is_said() -> None:
    both = [float(value) for value in range(20)]
    limits = calibrated(both, [value + 5 for value in both]).limits(0.1)
    score = np.array([0.0, 6.5, 10.0, 18.5, 30.0])
    assert limits.fake(score).tolist() == [False, False, False, True, True]
    assert limits.real(score).tolist() == [True, False, False, False, False]
    assert calibrated(both, both).limits(0.01) == Limits(-math.inf, math.inf)


@pytest.mark.parametrize(("threshold", "cut"), [(25.0, 25.0), (-9.0, 18.0), (99.0, 41.0)])
def test_classes_far_apart_meet_at_the_threshold(threshold: float, cut: float) -> None:
    low, high = [float(value) for value in range(20)], [float(value) for value in range(40, 60)]
    limits = calibrated(low, high, threshold).limits(0.1)
    assert limits.fake_above == limits.real_below == pytest.approx(cut)
    score = np.linspace(-5, 70, 200)
    assert (limits.fake(score) != limits.real(score)).all()


def table(seed: int = 0, videos: bool = True) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    label = np.repeat([0, 1], 60)
    return scored(
        label=label, method=np.where(label, "x", "real"), video=[f"{n // 3}" if videos else "" for n in range(120)],
        value=rng.normal(size=120) + label,
    )  # fmt: skip


def test_levels_and_units_of_a_table() -> None:
    found = fit_scores(table(), "temperature")["classifier"]
    assert set(found) == {"frame", "video"}
    assert (len(found["frame"].real.score), found["frame"].real.units, found["video"].real.units) == (60, 20, 20)
    assert list(found["frame"].real.score) == sorted(found["frame"].real.score)
    stills = fit_scores(table(videos=False), "isotonic")["classifier"]
    assert set(stills) == {"frame"}
    assert stills["frame"].real.units == 60
    # Stills of one person are counted one by one.
    assert fit_one(table(videos=False).assign(identity="ann"), "temperature", True).real.units == 60
    assert fit_scores(table().query("label == 0"), "temperature") == {}


@pytest.mark.parametrize("name", ["classifier", "anomaly"])
def test_a_calibration_that_says_nothing_is_called_so(name: str) -> None:
    """Scores that are higher for reals: the temperature goes to its bound, an isotonic function is flat."""
    rng = np.random.default_rng(0)
    label = np.repeat([0, 1], 600)
    good = scored(label=label, method=np.where(label, "x", "real"), value=rng.normal(size=1200) + label, score=name)
    inverse = good.assign(value=-50 * good["value"])
    for method, said in (("temperature", "the temperature is at the bound of its search"), ("isotonic", "every face")):
        lines = summary(fit_scores(inverse, method), "manifest")
        assert [line for line in lines if line.startswith(f"{name} score, frame level: {said}")]
        assert not [line for line in summary(fit_scores(good, method), "manifest") if "score, " in line]
    close = good.assign(value=1e-6 * label)
    lines = summary(fit_scores(close, "temperature"), "manifest")
    assert any("the scores hardly differ" in line for line in lines) == (name == "classifier")


def test_too_few_samples_for_isotonic_are_said() -> None:
    lines = summary(fit_scores(table(), "isotonic"), "manifest")
    (line,) = (line for line in lines if "isotonic" in line)
    assert "needs 1000 samples" in line
    assert "classifier score, frame level: 120; classifier score, video level: 40" in line
    assert not [line for line in summary(fit_scores(table(), "temperature"), "manifest") if "isotonic" in line]


def test_a_fusion_of_little_use_is_called_so() -> None:
    both = pd.concat([table(), table().assign(score="anomaly")])

    def doubts(fusion: Fusion, rows: pd.DataFrame) -> list[str]:
        found = fit_scores(pd.concat([rows, fuse(rows, fusion)], ignore_index=True), "temperature")
        return [line for line in summary(found, "manifest", fusion) if line.startswith("fusion: ")]

    assert doubts(Fusion(1.0, 0.5, 0.0), both) == []
    (negative,) = doubts(Fusion(1.0, -0.25, 0.0), both)
    assert "the anomaly score is negative (-0.25)" in negative
    (few,) = doubts(Fusion(1.0, 0.5, 0.0), both[both["video"].astype(int) > 1])
    assert "fitted to 18 real and 20 fake" in few


def test_survives_writing(tmp_path: Path) -> None:
    ckpt, anomaly = tmp_path / "best.ckpt", tmp_path / "anomaly.safetensors"
    ckpt.write_bytes(b"weights")
    anomaly.write_bytes(b"mixture")
    one = Calibration(
        sha256(ckpt), sha256(anomaly), "isotonic", "pseudo", frozenset({"a", "b"}), Fusion(1.0, 0.5, -2.0),
        {
            "classifier": {"frame": calibrated([1.0, 2.0], [2.0, 3.5])},
            "anomaly": {"video": ScoreCalibration(Isotonic((0.0, 1.0), (0.1, 0.9)), 1.5, sample([1.0]), sample([2.0]))},
        },
    )  # fmt: skip
    one.write(tmp_path / "calibration.json")
    assert read_calibration(tmp_path / "calibration.json", ckpt, anomaly) == one
    assert find_calibration("auto", ckpt) == one
    assert find_calibration("none", ckpt) is None
    assert one.at("anomaly", "frame") is None
    anomaly.write_bytes(b"another")
    with pytest.raises(UserError, match="another anomaly model"):
        read_calibration(tmp_path / "calibration.json", ckpt, anomaly)
    ckpt.write_bytes(b"others")
    with pytest.raises(UserError, match=r"another checkpoint than .*: run difffake calibrate again"):
        find_calibration("auto", ckpt)
    for text in ("{", "[]", '{"checkpoint": "x"}'):
        (tmp_path / "calibration.json").write_text(text)
        with pytest.raises(UserError, match="no complete file of difffake calibrate"):
            find_calibration("auto", ckpt)
    (tmp_path / "calibration.json").unlink()
    assert find_calibration("auto", ckpt) is None
    with pytest.raises(UserError, match="does not exist: run difffake calibrate first"):
        find_calibration(tmp_path / "calibration.json", ckpt)
    with pytest.raises(UserError, match="is a folder"):
        find_calibration(tmp_path, ckpt)
