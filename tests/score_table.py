"""Score tables for the tests of evaluation."""

from typing import Any

import numpy as np
import pandas as pd


def scored(**columns: Any) -> pd.DataFrame:
    """A score table with the given columns; single values are repeated, what is not given is unknown."""
    unknown = {
        "dataset": "FF++", "method": "real", "compression": "", "label": 0, "video": "", "target": "", "identity": "",
        "score": "classifier",
    }  # fmt: skip
    table = pd.DataFrame({**columns, **{key: value for key, value in unknown.items() if key not in columns}})
    if "path" not in table:
        table["path"] = [f"{method}/{number}.png" for number, method in enumerate(table["method"])]
    return table


def several_datasets(seed: int = 0) -> pd.DataFrame:
    """FF++ in two compressions with two manipulations, Celeb-DF videos and stills of a drawn testbed; two scores."""
    rng = np.random.default_rng(seed)
    parts = []
    for dataset, compression, method, videos in (
        ("FF++", "c23", "real", 6),
        ("FF++", "c23", "Deepfakes", 6),
        ("FF++", "c23", "FaceSwap", 6),
        ("FF++", "c40", "real", 6),
        ("FF++", "c40", "Deepfakes", 6),
        ("Celeb-DF", "", "real", 8),
        ("Celeb-DF", "", "synthesis", 8),
        ("drawn-unseen", "", "real", 0),
        ("drawn-unseen", "", "blend", 0),
    ):
        frames = 4 * videos or 30
        label = int(method != "real")
        place = [f"{dataset}/{compression}/{method}/{number}.png" for number in range(frames)]
        for score, scale in (("classifier", 2.0), ("anomaly", 500.0)):
            parts.append(
                scored(
                    dataset=dataset,
                    compression=compression,
                    method=method,
                    label=label,
                    video=[f"{number // 4:03}" if videos else "" for number in range(frames)],
                    path=place,
                    target=[path.replace(method, "real") for path in place] if label and not videos else "",
                    score=score,
                    value=scale * (rng.normal(size=frames) + label),
                )
            )
    return pd.concat(parts, ignore_index=True)
