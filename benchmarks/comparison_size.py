"""Errors of the tests of `difffake compare` on simulated videos with known AUCs.

    python benchmarks/comparison_size.py --trials 2000

A video is a unit: its frames share an effect that both detectors see (a hard video) and one that only one of them
sees. "size" is the share of trials with p < 0.05 where both detectors have the same true AUC: it should be at most
5 %. "coverage" is the share of 95 % intervals that contain the true difference. "power" is the share of trials with
p < 0.05 where the true AUCs differ by `--gap`. The percentile rows show what the test would be with p-values from the
share of resamples on the other side of 0.

With several seeds, each run's true AUC also varies: the two settings have equal means. "samples only" is the test that
takes the trained runs as they are; "samples and seeds" adds the spread over seeds, as `difffake compare` does.
"""

import argparse
import json
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from difffake.evaluation.delong import delong_test
from difffake.evaluation.paired import paired_aucs, resampled_aucs
from difffake.evaluation.significance import LEVEL, limits, over_seeds, together, two_sided
from difffake.randomness import generator


@dataclass(frozen=True)
class Videos:
    """Numbers of real and fake units with their frames; `shared`: a fake belongs to the unit of a real."""

    real: int
    fake: int
    frames: int
    shared: bool = False


COMMON, OWN, FRAME = 0.8, 0.6, 0.7
"""Standard deviations of the effects of a video on both detectors and on one, and of a frame."""


def draw(rng: np.random.Generator, videos: Videos, means: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels (N,), one score per entry of `means` (S, N) with this distance of fakes from reals, and units (N,)."""
    unit = np.repeat(np.arange(videos.real + videos.fake), videos.frames)
    label = (unit >= videos.real).astype(np.int64)
    if videos.shared:
        unit = np.where(label == 1, unit % videos.real, unit)
    number = int(unit.max()) + 1
    common = COMMON * rng.normal(size=number)
    own = OWN * rng.normal(size=(len(means), number))
    noise = FRAME * rng.normal(size=(len(means), len(unit)))
    return label, means[:, None] * label + (common + own)[:, unit] + noise, unit


def distance(true_auc: float) -> float:
    """Distance of the classes that gives this AUC."""
    return float(norm.ppf(true_auc) * np.sqrt(2 * (COMMON**2 + OWN**2 + FRAME**2)))


def one_run(videos: Videos, true_auc: float, gap: float, trials: int, resamples: int) -> dict[str, float]:
    """Size, coverage and power with one run per detector."""
    found = dict.fromkeys(("size", "size, percentiles", "size, DeLong", "coverage", "power"), 0.0)
    for trial in range(trials):
        for name, other in (("size", true_auc), ("power", true_auc + gap)):
            rng = generator(trial, int(name == "power"))
            label, scores, unit = draw(rng, videos, np.array([distance(true_auc), distance(other)]))
            pair = paired_aucs(label, scores[:1], scores[1:], unit.astype(object), resamples, trial)
            found[name] += two_sided(pair.difference, pair.error) < LEVEL
            if name == "power":
                continue
            low, high = limits(pair.difference, pair.error)
            found["coverage"] += low <= 0 <= high
            drawn = np.diff(resampled_aucs(label, scores, unit, resamples, trial), axis=0)[0]
            beyond = min((drawn <= 0).sum(), (drawn >= 0).sum())
            found["size, percentiles"] += bool(2 * (beyond + 1) / (resamples + 1) < LEVEL)
            if videos.frames == 1 and not videos.shared:
                found["size, DeLong"] += delong_test(label, *scores).p < LEVEL
    if videos.frames > 1 or videos.shared:
        del found["size, DeLong"]
    return {name: count / trials for name, count in found.items()}


def several_seeds(
    videos: Videos, true_auc: float, spread: float, seeds: int, trials: int, resamples: int
) -> dict[str, float]:
    """Size of the tests with several seeds, whose true AUCs have the standard deviation `spread`."""
    found = dict.fromkeys(("samples only", "seeds only", "samples and seeds"), 0.0)
    for trial in range(trials):
        rng = generator(trial, 2)
        aucs = np.clip(true_auc + spread * rng.normal(size=2 * seeds), 0.02, 0.98)
        label, scores, unit = draw(rng, videos, np.array([distance(value) for value in aucs]))
        pair = paired_aucs(label, scores[:seeds], scores[seeds:], unit.astype(object), resamples, trial)
        error = over_seeds(pair.first, pair.second, paired=False)
        assert error is not None
        for name, used in (("samples only", pair.error), ("seeds only", error)):
            found[name] += two_sided(pair.difference, used) < LEVEL
        found["samples and seeds"] += two_sided(pair.difference, together([pair.error, error])) < LEVEL
    return {name: count / trials for name, count in found.items()}


def main() -> None:
    """Run, print the shares, and end with one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=2000, help="simulated test sets per line (default %(default)s)")
    parser.add_argument("--resamples", type=int, default=1000, help="resamples per test (default %(default)s)")
    parser.add_argument("--gap", type=float, default=0.05, help="difference of AUC for the power (default %(default)s)")
    args = parser.parse_args()
    facts = {}
    for videos in (Videos(5, 5, 8), Videos(10, 10, 8), Videos(10, 50, 8), Videos(30, 30, 8), Videos(140, 140, 4),
                   Videos(140, 140, 1), Videos(100, 200, 1, shared=True)):  # fmt: skip
        for true_auc in (0.75, 0.9):
            name = f"{videos}, AUC {true_auc}"
            facts[name] = one_run(videos, true_auc, args.gap, args.trials, args.resamples)
            print(name, facts[name], flush=True)
    for seeds in (2, 3, 5):
        for spread in (0.0, 0.03):
            name = f"{seeds} seeds with AUCs 0.75 ± {spread}, {Videos(140, 140, 1)}"
            facts[name] = several_seeds(Videos(140, 140, 1), 0.75, spread, seeds, args.trials, args.resamples)
            print(name, facts[name], flush=True)
    print(json.dumps(facts))


if __name__ == "__main__":
    main()
