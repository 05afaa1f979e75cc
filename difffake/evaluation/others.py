"""Detectors other than the checkpoint's that are evaluated beside it: scores in files, and reference detectors."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch

from difffake.data.manifest import Manifest
from difffake.errors import UsageError
from difffake.evaluation.evaluate import Loading
from difffake.evaluation.floors import FILE_SIZE, MESO4, NO_WEIGHTS, floor_scores, meso4_weights
from difffake.evaluation.fusion import RANK_MEAN
from difffake.evaluation.measures import ANOMALY, CLASSIFIER, FUSION
from difffake.evaluation.outside_scores import check_outside_names, read_outside

NO_LEAK_CHECK = "without a checkpoint, it is not checked whether training and test share people or videos"


@dataclass(frozen=True)
class Others:
    """The other detectors of an evaluation.

    Args:
        scores: CSV files with scores that are high for fakes.
        real_scores: CSV files with scores that are high for real faces.
        floors: whether to score with the reference detectors.
        meso4: file with Meso4's weights; by default $DIFFFAKE_MESO4.

    Raises:
        UsageError: weights are given, but not asked for.
        UserError: the weights do not exist, or two scores have one name.
    """

    scores: Sequence[Path]
    real_scores: Sequence[Path]
    floors: bool
    meso4: Path | None

    def __post_init__(self) -> None:
        if self.meso4 and not self.floors:
            raise UsageError("--meso4 gives weights for --floors: add --floors")
        taken = (CLASSIFIER, ANOMALY, FUSION, RANK_MEAN, FILE_SIZE, MESO4)
        check_outside_names([*self.scores, *self.real_scores], taken)
        object.__setattr__(self, "meso4", meso4_weights(self.meso4) if self.floors else None)

    def __bool__(self) -> bool:
        return bool(self.scores or self.real_scores or self.floors)

    @property
    def files(self) -> list[Path]:
        """Files that the scores depend on."""
        return [*self.scores, *self.real_scores, *([self.meso4] if self.meso4 else [])]

    def read(self, tests: Sequence[Manifest]) -> tuple[list[pd.DataFrame], list[str]]:
        """Score tables of the CSV files, and sentences about what they do not cover; see `read_outside`."""
        tables, notes = [], []
        for paths, higher_is_real in ((self.scores, False), (self.real_scores, True)):
            for path in paths:
                table, uncovered = read_outside(path, tests, higher_is_real)
                tables.append(table)
                notes += uncovered
        return tables, notes + ([NO_WEIGHTS] if self.floors and not self.meso4 else [])

    def floor_scores(self, tests: Sequence[Manifest], loading: Loading, device: torch.device) -> list[pd.DataFrame]:
        """Score table of the reference detectors, if they are wanted; see `difffake.evaluation.floors.floor_scores`."""
        return [floor_scores(tests, self.meso4, loading, device)] if self.floors else []
