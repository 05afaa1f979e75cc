"""Anomaly scores without torch: those of the model that torch runs."""

from pathlib import Path

import numpy as np
import pytest
import torch

from difffake.anomaly.density import Density
from difffake.anomaly.mixture import GaussianMixture
from difffake.anomaly.one_class_svm import OneClassSVM
from difffake.anomaly.plain import PlainAnomaly
from difffake.anomaly.scoring import read_anomaly
from difffake.anomaly.storage import save_anomaly
from difffake.errors import UserError
from difffake.files import sha256

RNG = np.random.default_rng(0)
FRAMES = RNG.normal(size=(12, 6)).astype(np.float32)
FRAMES[4] = FRAMES[3]  # two equal frames
REAL = RNG.normal(size=(3, 6)).astype(np.float32)


def stored(folder: Path, model: Density, combination: str) -> tuple[Path, Path]:
    """The file of a model that was fitted to random rows, and the file that stands for its checkpoint."""
    width = 12 if combination == "concat" else 6
    rows = torch.nn.functional.normalize(torch.from_numpy(RNG.normal(size=(200, width))).float())
    ckpt, path = folder / "best.ckpt", folder / "anomaly.safetensors"
    ckpt.write_text("weights")
    metadata = {"combination": combination, "checkpoint": sha256(ckpt), "threshold": 0.5}
    metadata |= {"pool_size": 2, "max_frames": 8, "seed": 3, "training_keys": [], "validation_keys": []}
    save_anomaly(path, model.fit(rows), metadata)
    return path, ckpt


@pytest.mark.parametrize("combination", ["square", "abs", "sub", "cube", "concat", "single"])
@pytest.mark.parametrize("covariance", ["full", "tied", "diag", "spherical"])
def test_scores_are_those_of_torch(tmp_path: Path, covariance: str, combination: str) -> None:
    path, ckpt = stored(tmp_path, GaussianMixture(2, covariance), combination)
    plain, whole = PlainAnomaly(path, ckpt, sha256(ckpt)), read_anomaly(path, ckpt)
    assert plain.threshold == whole.threshold
    for frames in (FRAMES, FRAMES[:1]):
        probes, scores = plain.frame_scores(frames, "clip.mp4")
        expected_probes, expected = whole.frame_scores(frames, "clip.mp4")
        np.testing.assert_array_equal(probes, expected_probes)
        np.testing.assert_allclose(scores, expected, rtol=1e-5, atol=1e-4)
    if combination == "single":
        with pytest.raises(UserError, match="takes no references"):
            plain.reference_scores(FRAMES, REAL)
    else:
        expected = whole.reference_scores(FRAMES, REAL)
        np.testing.assert_allclose(plain.reference_scores(FRAMES, REAL), expected, rtol=1e-5, atol=1e-4)


def test_what_needs_torch_or_does_not_fit_is_said_in_one_line(tmp_path: Path) -> None:
    path, ckpt = stored(tmp_path, OneClassSVM(), "square")
    with pytest.raises(UserError, match="one_class_svm, which needs torch: give --ckpt"):
        PlainAnomaly(path, ckpt, sha256(ckpt))
    path, ckpt = stored(tmp_path, GaussianMixture(1), "square")
    with pytest.raises(UserError, match="another checkpoint"):
        PlainAnomaly(path, ckpt, "0" * 64)
    with pytest.raises(UserError, match="6 dimensions, but these rows have 5"):
        PlainAnomaly(path, ckpt, sha256(ckpt)).frame_scores(FRAMES[:, :5], "clip.mp4")
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(UserError, match="not a complete anomaly model"):
        PlainAnomaly(path, ckpt, sha256(ckpt))
