"""How well simple features of a picture separate real from fake, for people that were held out.

`shortcuts` uses trivial cues of whole files, `outside` uses the pixels outside the forged region.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rich import box
from rich.console import Console
from rich.table import Table
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from difffake.errors import UserError
from difffake.intervals import bootstrap_intervals
from difffake.metrics import auc

FOLDS = 5
MAX_IMAGES = 4000
"""Largest number of random real images that are checked, with all their forgeries."""
OK, UNSURE = "ok", "unsure"
"""Verdicts: the AUC is low enough, or there are too few people to know."""

Floats = NDArray[np.float64]


class Audited(NamedTuple):
    """Result of an audit for one method and compression."""

    method: str
    compression: str
    n_real: int
    n_fake: int
    auc: float
    """AUC of a logistic regression on all features, for people that it was not fitted to."""
    low: float
    high: float
    """95 % interval, resampled by person."""
    strongest: str
    """The single feature with the highest AUC."""
    strongest_auc: float

    @property
    def name(self) -> str:
        """Method and compression."""
        return f"{self.method} {self.compression}".strip()

    @property
    def interval(self) -> str:
        """AUC and interval as text; with too few people there is no interval."""
        return f"{self.auc:.3f}" + ("" if np.isnan(self.low) else f" [{self.low:.3f}, {self.high:.3f}]")


def held_out_auc(values: Floats, label: NDArray[np.integer], group: NDArray[np.str_]) -> tuple[float, Floats]:
    """AUC of a logistic regression on features (N, K), and its scores (N,).

    Each sample is scored by a regression that is fitted to the other four fifths of the groups (N,), so no person is in
    both parts.
    """
    folds = min(FOLDS, len(np.unique(group)))
    score = np.empty(len(label))
    for fitted, held_out in GroupKFold(folds).split(values, label, group):
        if len(np.unique(label[fitted])) < 2:
            raise UserError("the real faces or the fakes show too few people to hold some out")
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
        model.fit(values[fitted], label[fitted])
        score[held_out] = model.decision_function(values[held_out])
    return auc(label, score), score


def audited(
    method: str,
    compression: str,
    names: Sequence[str],
    values: Floats,
    label: NDArray[np.integer],
    group: NDArray[np.str_],
    seed: int,
) -> Audited:
    """Audit one method and compression.

    Args:
        method: name of the method.
        compression: its compression.
        names: (K,) names of the features.
        values: (N, K) features of real faces and fakes.
        label: (N,) 0 real, 1 fake.
        group: (N,) the person that each shows.
        seed: random seed of the bootstrap.

    Raises:
        UserError: there are too few people to hold some out.
    """
    if len(np.unique(group)) < 2 or len(np.unique(label)) < 2:
        raise UserError(f"{method}: a check needs real faces and fakes of at least two people")
    whole, score = held_out_auc(values, label, group)
    low, high = bootstrap_intervals(label, score, group, seed=seed)["auc"]
    alone = [auc(label, column) for column in values.T]
    strongest = int(np.argmax([max(a, 1 - a) for a in alone]))
    return Audited(
        method, compression, int((label == 0).sum()), int(label.sum()), whole, low, high, names[strongest],
        max(alone[strongest], 1 - alone[strongest]),
    )  # fmt: skip


def print_audit(title: str, found: Sequence[Audited], verdicts: Sequence[str]) -> None:
    """Print a table with a line and a verdict for each method."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in ("Method", "Real", "Fake", "AUC [95 %]", "", "Strongest", ""):
        table.add_column(column, justify="left" if column in ("Method", "Strongest") else "right", no_wrap=True)
    for row, verdict in zip(found, verdicts, strict=True):
        alone = f"{row.strongest_auc:.3f}"
        table.add_row(row.name, str(row.n_real), str(row.n_fake), row.interval, verdict, row.strongest, alone)
    screen = Console()
    screen.print(title, style="table.title")
    screen.print(table)
