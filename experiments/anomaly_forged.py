"""DiffFake on forged clips: anomaly scores of pairs of frames beside the classifier and the single-image ablation.

    python experiments/anomaly_forged.py --ckpt OUT/pseudo/best.ckpt --train OUT/forged-lfw --test OUT/forged-clips

For every combination and number of components a mixture is fitted to real pairs of the training split: images of one
person, or two frames of one video. A suspect clip's score is the mean over pairs of its own frames. Video-level AUC
with 95 % intervals, for each method of the testbed and for all. A testbed, not a benchmark.

What it showed: docs/results.md.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from difffake.anomaly.fit import pair_features
from difffake.anomaly.mixture import GaussianMixture
from difffake.data.datasets import CropDataset
from difffake.data.keys import check_leaks, leak_keys
from difffake.data.manifest import Manifest
from difffake.evaluation.evaluate import Anomaly, anomaly_scores, scored
from difffake.evaluation.results import result_rows
from difffake.evaluation.tables import percent
from difffake.models.checkpoint import load_detector
from difffake.models.device import choose_device
from difffake.models.embed import embed

POOL, FRAMES = 8, 40


def main() -> None:
    """Fit and score every combination."""
    parser = argparse.ArgumentParser(description="Anomaly scores on forged clips, by combination and components.")
    parser.add_argument("--ckpt", type=Path, required=True)
    parser.add_argument("--train", type=Path, required=True, help="manifest whose real training faces are fitted")
    parser.add_argument("--test", type=Path, required=True, help="forged clips")
    parser.add_argument("--split", default="all", help="rows of the test manifest")
    parser.add_argument("--combinations", nargs="+", default=["abs", "sub", "square", "cube", "single"])
    parser.add_argument("--components", type=int, nargs="+", default=[1, 3, 8])
    parser.add_argument("--covariance", nargs="+", default=["full", "diag"])
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()

    detector, info = load_detector(options.ckpt, choose_device(options.device))
    size = info.config.image_size
    train = Manifest.read(options.train).select(label=0, split="train")
    whole = Manifest.read(options.test)
    test = whole.select(split=options.split)
    known = set(info.training_keys) | leak_keys(train.table)
    check_leaks(known, leak_keys(test.table, whole.table), str(options.test))
    fitted = embed(detector, CropDataset(train, size), description="training")[2]
    _, logits, embeddings = embed(detector, CropDataset(test, size), description="test")

    rows = result_rows(scored(test.table, "classifier", logits), {})
    methods = [row["method"] for row in rows if row["level"] == "video"]
    print(f"| score | covariance | components | {' | '.join(methods)} |")
    print(f"| :-- | :-- | --: |{' --: |' * len(methods)}")
    show(["classifier", "", ""], rows)
    for combination in options.combinations:
        _, features = pair_features(train.table, fitted, combination, 0, POOL, FRAMES)
        for covariance in options.covariance:
            for components in options.components:
                model = GaussianMixture(components, covariance).fit(features)
                scores = anomaly_table(test.table, embeddings, model, combination)
                show([combination, covariance, str(components)], result_rows(scores, {}))


def anomaly_table(
    table: pd.DataFrame, embeddings: np.ndarray, model: GaussianMixture, combination: str
) -> pd.DataFrame:
    """Score table of the pairs of a test manifest."""
    anomaly = Anomaly(model, combination, POOL, FRAMES, threshold=None, training_keys=frozenset(), seed=0)
    probes, values = anomaly_scores(table, embeddings, anomaly, "suspect")
    return scored(table.iloc[probes], "anomaly", values)


def show(cells: list[str], rows: list[dict]) -> None:
    """One row of the table: AUC of every method in percent with its interval."""
    found = [
        f"{percent(row['auc'])} [{percent(row['auc_low'])}, {percent(row['auc_high'])}]"
        for row in rows
        if row["level"] == "video"
    ]
    print(f"| {' | '.join([*cells, *found])} |", flush=True)


if __name__ == "__main__":
    main()
