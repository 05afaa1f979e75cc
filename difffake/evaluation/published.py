"""Published numbers, for comparison with measured ones."""

import re
from collections.abc import Mapping
from typing import Any

SOURCE = "DiffusionFake (NeurIPS 2024, arXiv 2410.04372): trained on FF++ c23, frame level, AUC / EER in percent"

PUBLISHED: dict[str, dict[str, tuple[float, float]]] = {
    "EfficientNet-B4": {
        "Celeb-DF": (0.7351, 0.3417),
        "WildDeepfake": (0.7004, 0.3703),
        "DFDC-P": (0.7051, 0.3398),
        "DFD": (0.8757, 0.2131),
        "DiffSwap": (0.7738, 0.2944),
    },
    "EfficientNet-B4 + DiffusionFake": {
        "Celeb-DF": (0.8317, 0.2459),
        "WildDeepfake": (0.7517, 0.3325),
        "DFDC-P": (0.7735, 0.3017),
        "DFD": (0.9171, 0.1627),
        "DiffSwap": (0.8202, 0.2555),
    },
    "ViT-B": {
        "Celeb-DF": (0.7464, 0.3307),
        "WildDeepfake": (0.7546, 0.3153),
        "DFDC-P": (0.7424, 0.3429),
        "DFD": (0.8438, 0.2415),
        "DiffSwap": (0.7850, 0.2814),
    },
    "ViT-B + DiffusionFake": {
        "Celeb-DF": (0.8046, 0.2751),
        "WildDeepfake": (0.8014, 0.2962),
        "DFDC-P": (0.8095, 0.2766),
        "DFD": (0.9036, 0.1973),
        "DiffSwap": (0.8698, 0.2132),
    },
}
"""AUC and EER by model and data set."""

_BENCHMARKS = {
    "celebdf": "Celeb-DF",
    "celebdfv2": "Celeb-DF",
    "wilddeepfake": "WildDeepfake",
    "dfdcp": "DFDC-P",
    "dfd": "DFD",
    "diffswap": "DiffSwap",
}
"""Benchmark by the data set's name in lower-case letters and digits. DFDC and Celeb-DF v1 are other data sets."""


def published(row: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
    """Published (AUC, EER) by model, for a result row that measures the same; otherwise empty.

    That is, a row of one of the benchmarks, with all manipulations, at frame level, with the classifier's score.

    >>> row = {"dataset": "celeb_df", "method": "all", "level": "frame", "score": "classifier"}
    >>> published(row)["ViT-B"]
    (0.7464, 0.3307)
    >>> published(row | {"level": "video"})
    {}
    """
    benchmark = _BENCHMARKS.get(re.sub(r"[^a-z0-9]", "", str(row["dataset"]).lower()))
    if benchmark is None or row["level"] != "frame" or row["score"] != "classifier":
        return {}
    return {model: numbers[benchmark] for model, numbers in PUBLISHED.items()}
