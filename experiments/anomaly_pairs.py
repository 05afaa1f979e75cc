"""Differential anomaly detection on pairs of real faces against pairs of a real face and a pseudo-deepfake.

    python experiments/anomaly_pairs.py --ckpt runs/lfw/best.ckpt --train data/lfw --test data/lfw data/clips

For each combination and number of components, a mixture is fitted on real pairs of the training split. Test pairs have
a real reference; the probe is another real face of the same person (of the same clip), or the pseudo-deepfake made from
that very face. The real probe is untouched, or shares the recolouring of its forgery, so that colour alone does not
tell. The classifier's logit of the same probes stands beside it. AUC with a 95 % interval resampled by person or clip,
for single pairs and for the mean over a person's or clip's pairs.

What it showed: docs/results.md.
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from difffake.anomaly.combine import combine
from difffake.anomaly.fit import pair_features
from difffake.anomaly.mixture import GaussianMixture
from difffake.anomaly.pairs import sample_pairs
from difffake.data.datasets import CropDataset, PairDataset
from difffake.data.keys import check_leaks, frame_order, leak_keys, pair_group
from difffake.data.manifest import Manifest
from difffake.data.pseudo import PseudoConfig
from difffake.errors import UserError
from difffake.intervals import bootstrap_intervals
from difffake.metrics import auc
from difffake.models.checkpoint import load_detector
from difffake.models.detector import Detector
from difffake.models.device import choose_device
from difffake.models.embed import embed

POOL, FRAMES = 8, 40


class TestSet:
    """Embeddings of a manifest's test split: its real faces, and each one's recoloured self and forgery."""

    def __init__(self, path: Path, detector: Detector, size: int, seen: set[str]) -> None:
        manifest = Manifest.read(path).select(label=0)
        # A data set that training knows nothing of is tested whole.
        if seen & leak_keys(manifest.table):
            manifest = manifest.select(split="test")
        check_leaks(seen, leak_keys(manifest.table), str(path))
        if not len(manifest):
            raise UserError(f"{path} was trained on and has no test split")
        self.name = ", ".join(manifest.table["dataset"].unique())
        self.pairs = sample_pairs(
            pair_group(manifest.table), frame_order(manifest.table), seed=0, max_frames=FRAMES, pool_size=POOL
        )
        forged = PairDataset(manifest, size, "pseudo", PseudoConfig(), None, seed=1)
        _, self.real_logits, real = embed(detector, CropDataset(manifest, size), description=self.name)
        self.real = torch.from_numpy(real)
        _, self.logits, found = embed(detector, forged, description=f"{self.name}, forged")
        both = torch.from_numpy(found)
        self.recoloured, self.fake = both[0::2], both[1::2]

    def scores(
        self, mixture: GaussianMixture, combination: str, recoloured: bool
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Label, score and group of every test pair; the real probes are untouched or recoloured."""
        reference, probe = self.real[self.pairs.reference], torch.from_numpy(self.pairs.probe)
        scores = [
            mixture.score(combine(reference, probes[probe], combination)).numpy()
            for probes in (self.recoloured if recoloured else self.real, self.fake)
        ]
        label = np.repeat([0, 1], len(probe))
        return label, np.concatenate(scores), np.tile(self.pairs.group, 2)

    def classifier_scores(self, recoloured: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Label, logit and group of every probe, without its reference."""
        real = self.logits[0::2] if recoloured else self.real_logits
        score = np.concatenate([real[self.pairs.probe], self.logits[1::2][self.pairs.probe]])
        return np.repeat([0, 1], len(self.pairs)), score, np.tile(self.pairs.group, 2)


def line(label: np.ndarray, score: np.ndarray, unit: np.ndarray) -> str:
    """AUC in percent with its interval."""
    low, high = bootstrap_intervals(label, score, unit, seed=0)["auc"]
    return f"{100 * auc(label, score):5.1f} [{100 * low:.1f}, {100 * high:.1f}]"


def averaged(label: np.ndarray, score: np.ndarray, unit: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Label, mean score and name of each person or clip, once real and once forged."""
    names, number = np.unique([f"{g}/{y}" for g, y in zip(unit, label, strict=True)], return_inverse=True)
    mean = np.bincount(number, score) / np.bincount(number)
    return np.array([int(name[-1]) for name in names]), mean, np.array([name[:-2] for name in names])


def main() -> None:
    """Fit and score every combination."""
    parser = argparse.ArgumentParser(description="Anomaly scores of pairs, by combination and components.")
    parser.add_argument("--ckpt", type=Path, required=True)
    parser.add_argument("--train", type=Path, required=True, help="manifest that the mixture is fitted on")
    parser.add_argument("--test", type=Path, nargs="+", required=True)
    parser.add_argument("--combinations", nargs="+", default=["square", "abs", "sub", "cube", "single"])
    parser.add_argument("--components", type=int, nargs="+", default=[1, 3])
    parser.add_argument("--covariance", nargs="+", default=["full", "diag"])
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()

    detector, info = load_detector(options.ckpt, choose_device(options.device))
    size = info.config.image_size
    train = Manifest.read(options.train).select(label=0).select(split="train")
    embeddings = embed(detector, CropDataset(train, size), description="training")[2]
    tests = [TestSet(path, detector, size, set(info.training_keys)) for path in options.test]
    for test in tests:
        groups = len(np.unique(test.pairs.group))
        print(f"{test.name}: {len(test.pairs)} pairs of each kind in {groups} groups")
    print("| test | real probes | combination | covariance | components | AUC of pairs | AUC of groups |")
    print("| :-- | :-- | :-- | :-- | --: | --: | --: |")
    for test in tests:
        for recoloured in (False, True):
            show(test.name, recoloured, ["the classifier's logit", "", ""], test.classifier_scores(recoloured))
    for combination in options.combinations:
        _, features = pair_features(train.table, embeddings, combination, 0, POOL, FRAMES)
        for covariance in options.covariance:
            for components in options.components:
                mixture = GaussianMixture(components, covariance).fit(features)
                for test in tests:
                    for recoloured in (False, True):
                        cells = [combination, covariance, str(components)]
                        show(test.name, recoloured, cells, test.scores(mixture, combination, recoloured))


def show(test: str, recoloured: bool, cells: list[str], scored: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    """One row of the table."""
    probes = "recoloured" if recoloured else "untouched"
    print(f"| {' | '.join([test, probes, *cells, line(*scored), line(*averaged(*scored))])} |", flush=True)


if __name__ == "__main__":
    main()
