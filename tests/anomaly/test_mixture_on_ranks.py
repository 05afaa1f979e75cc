"""The mixture of rows that are dealt to several processes is that of all rows; gloo on the CPU."""

from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from processes import started
from sklearn.datasets import make_blobs
from torch import Tensor

from difffake.anomaly.mixture import GaussianMixture
from difffake.anomaly.moments import COVARIANCE_TYPES
from difffake.errors import UserError

COMPONENTS = 7
LONELY = 4
"""Count of ranks at which the last one gets no rows at all."""


def rows() -> Tensor:
    """Overlapping clusters far from the origin, in float32 as embeddings are."""
    x, _ = make_blobs(1501, 8, centers=5, cluster_std=3.0, center_box=(-5, 5), random_state=4)
    return torch.from_numpy(x).float() + 30


def share(rank: int, ranks: int) -> Tensor:
    """Row numbers of a rank: each has its own part of the space, so none could choose alone what is right for all."""
    shares = rows()[:, 0].argsort().tensor_split(ranks - (ranks == LONELY))
    return shares[rank] if rank < len(shares) else torch.empty(0, dtype=torch.int64)


def fitted(kind: str, x: Tensor, numbers: Tensor) -> GaussianMixture:
    return GaussianMixture(COMPONENTS, kind, seed=2, tol=1e-6).fit(x, numbers=numbers)


def work(rank: int, ranks: int, folder: Path) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=ranks)
    numbers = share(rank, ranks)
    models = {kind: fitted(kind, rows()[numbers], numbers) for kind in COVARIANCE_TYPES}
    broken = rows()[numbers]
    if rank == 1:
        broken[5] = torch.nan
    try:
        GaussianMixture(2).fit(broken)
        said = ""
    except UserError as error:
        said = str(error)
    torch.save({"said": said} | {kind: model.parameters[1:] for kind, model in models.items()}, folder / f"{rank}.pt")
    dist.destroy_process_group()


@pytest.mark.parametrize("ranks", [2, 4])
def test_any_number_of_ranks_gives_the_same_mixture(ranks: int, tmp_path: Path) -> None:
    """k-means start and EM to convergence, weights, means and covariances equal to 1e-9; every rank has the same."""
    assert started(work, ranks, tmp_path) == [0] * ranks
    found = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(ranks)]
    for kind in COVARIANCE_TYPES:
        alone = fitted(kind, rows(), torch.arange(1501))
        assert len(alone.history) >= 10
        for one in found:
            for value, wanted in zip(one[kind], alone.parameters[1:], strict=True):
                torch.testing.assert_close(value, wanted, rtol=1e-9, atol=1e-9)
            for value, first in zip(one[kind], found[0][kind], strict=True):
                assert torch.equal(value, first)
    # A row that is broken on one rank stops all of them, instead of leaving the others waiting.
    assert {one["said"] for one in found} == {
        f"1 of {1501} rows have NaN, infinity or values above 1e+100: remove or correct them"
    }
