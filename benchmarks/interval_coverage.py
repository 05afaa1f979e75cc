"""How often the 95 % bootstrap intervals hold the true value, on simulated videos whose true metrics are known.

    python benchmarks/interval_coverage.py --trials 1000 --resamples 500

Frames of a video share an offset (normal, variance 1) besides their own noise (normal, variance 1); fakes are higher by
1. So the true AUC, EER, TPR at 5 % FPR and rates at a threshold are known in closed form. Intervals by video are
compared with intervals that resample single frames, which is the reference in the last line.

For the expected calibration error, independent samples have the probability sigmoid(logit / temperature), while the
detector says sigmoid(logit); its true value is that of four million samples.
"""

import argparse
import json
import math
import time

import numpy as np
from scipy import stats
from scipy.special import expit

from difffake import metrics, statistic
from difffake.intervals import bootstrap_intervals

DEVIATION = math.sqrt(2)  # of a frame's score around the mean of its class
THRESHOLD = 0.5
TRUTH = {
    "auc": stats.norm.cdf(1 / DEVIATION / math.sqrt(2)),
    "eer": stats.norm.cdf(-1 / DEVIATION / 2),
    "tpr_at_5_percent_fpr": stats.norm.sf(stats.norm.ppf(0.95) - 1 / DEVIATION),
    "false_alarm_rate": stats.norm.sf(THRESHOLD / DEVIATION),
    "acc": stats.norm.cdf(THRESHOLD / DEVIATION),
    "balanced_accuracy": stats.norm.cdf(THRESHOLD / DEVIATION),
}
SETTINGS = ((10, 1), (20, 1), (60, 1), (200, 1), (20, 8), (60, 8), (200, 8))
"""Number of videos, half of them fake, and of frames per video."""


ECE_SETTINGS = ((1.0, 500), (1.0, 3000), (1.5, 500), (1.5, 3000), (3.0, 500), (3.0, 3000))
"""Temperature, and number of samples."""


def main() -> None:
    """Run, print a table, and end with one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=1000, help="data sets per setting (default %(default)s)")
    parser.add_argument("--resamples", type=int, default=500, help="resamples per interval (default %(default)s)")
    args = parser.parse_args()
    start = time.perf_counter()
    print(f"{'videos':>6} {'frames':>6} {'unit':>6}  " + "  ".join(f"{name:>20}" for name in TRUTH))
    last: dict[str, float] = {}
    for videos, frames in SETTINGS:
        for by in ("video", "frame") if frames > 1 else ("video",):
            found = coverage(videos, frames, by, args.trials, args.resamples)
            values = "  ".join(f"{100 * share:>18.1f} %" for share in found.values())
            print(f"{videos:>6} {frames:>6} {by:>6}  {values}", flush=True)
            last[by] = found["auc"]
    for temperature, count in ECE_SETTINGS:
        truth, share = ece_coverage(temperature, count, args.trials, args.resamples)
        print(f"ECE {100 * truth:.2f} %, {count} samples: {100 * share:.1f} %", flush=True)
    print(f"{args.trials} data sets per line, {time.perf_counter() - start:.0f} s")
    print(json.dumps({"ratio": round(last["video"] / last["frame"], 3), "reference": "intervals that resample frames"}))


def coverage(videos: int, frames: int, by: str, trials: int, resamples: int) -> dict[str, float]:
    """Share of simulated data sets whose interval holds the true value, per metric."""
    rng = np.random.default_rng([videos, frames])
    hits = dict.fromkeys(TRUTH, 0)
    for trial in range(trials):
        video = np.repeat(np.arange(videos), frames)
        label = video % 2
        score = label + rng.normal(size=videos)[video] + rng.normal(size=video.size)
        unit, called = video if by == "video" else np.arange(video.size), score >= THRESHOLD
        further = {
            "false_alarm_rate": statistic.share(called, label == 0, unit),
            "acc": statistic.accuracy(label, called, unit),
            "balanced_accuracy": statistic.balanced_accuracy(label, called, unit),
        }
        found = bootstrap_intervals(label, score, unit, resamples, trial, statistics=further)
        for name, truth in TRUTH.items():
            low, high = found[name]
            hits[name] += low <= truth <= high
    return {name: hit / trials for name, hit in hits.items()}


def ece_coverage(temperature: float, count: int, trials: int, resamples: int) -> tuple[float, float]:
    """The true calibration error, and the share of simulated data sets whose interval holds it."""
    rng = np.random.default_rng([int(10 * temperature), count])

    def sampled(count: int) -> tuple[np.ndarray, np.ndarray]:
        logit = 2 * rng.normal(size=count)
        return (rng.random(count) < expit(logit / temperature)).astype(int), expit(logit)

    truth, hits, unit = metrics.ece(*sampled(4_000_000)), 0, np.arange(count)
    for trial in range(trials):
        label, probability = sampled(count)
        further = {"ece": statistic.ece(label, probability, unit)}
        low, high = bootstrap_intervals(label, probability, unit, resamples, trial, statistics=further)["ece"]
        hits += low <= truth <= high
    return truth, hits / trials


if __name__ == "__main__":
    main()
