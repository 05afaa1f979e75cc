"""The Gaussian mixture against scikit-learn's from the same start, and what degenerate rows give."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from sklearn.datasets import make_blobs
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture as Reference
from threadpoolctl import threadpool_limits
from torch import Tensor

from difffake.anomaly import moments
from difffake.anomaly.kmeans import kmeans
from difffake.anomaly.mixture import GaussianMixture
from difffake.anomaly.moments import COVARIANCE_TYPES, Parameters, add, expectation, whiten
from difffake.errors import UserError


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Threads of small products wait for each other far longer than they work where other processes run beside them."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with threadpool_limits(1):
        yield
    torch.set_num_threads(threads)


def clusters(n: int = 2000, d: int = 6, offset: float = 0.0) -> Tensor:
    """Three overlapping, stretched clusters, so that responsibilities are far from 0 and 1."""
    x, _ = make_blobs(n, d, centers=3, cluster_std=3.0, center_box=(-4, 4), random_state=1)
    return torch.from_numpy(x @ np.random.default_rng(2).normal(size=(d, d)) + offset)


def reference(x: Tensor, start: Parameters, iterations: int, reg_covar: float = 1e-6) -> Reference:
    """scikit-learn's mixture after so many iterations from `start`."""
    covariances = start.covariances.numpy()
    full = start.covariance_type in ("full", "tied")
    fitted = Reference(
        len(start.weights),
        covariance_type=start.covariance_type,
        reg_covar=reg_covar,
        max_iter=iterations,
        tol=0,
        weights_init=start.weights.numpy(),
        means_init=start.means.numpy(),
        precisions_init=np.linalg.inv(covariances) if full else 1 / covariances,
    )
    return fitted.fit(x.numpy())


@pytest.mark.filterwarnings("ignore:Best performing initialization")
class TestParity:
    """The same start and the same number of iterations give the same mixture."""

    @pytest.mark.parametrize("kind", COVARIANCE_TYPES)
    @pytest.mark.parametrize("offset", [0.0, 1e3])
    def test_parameters_and_likelihoods(self, kind: str, offset: float) -> None:
        x = clusters(offset=offset)
        model = GaussianMixture(3, kind, max_iter=12, tol=0)
        start = model.start(x)
        expected = reference(x, start, 12)
        model.fit(x, start)
        np.testing.assert_allclose(model.history, expected.lower_bounds_, rtol=1e-9)
        np.testing.assert_allclose(model.weights, expected.weights_, rtol=1e-6)
        np.testing.assert_allclose(model.means, expected.means_, rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(model.covariances, expected.covariances_, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(model.score(x), -expected.score_samples(x.numpy()), rtol=1e-6)

    @pytest.mark.parametrize("kind", COVARIANCE_TYPES)
    def test_stops_when_scikit_learn_does(self, kind: str) -> None:
        x = clusters()
        model = GaussianMixture(3, kind)
        start = model.start(x)
        expected = reference(x, start, 250)
        expected.set_params(tol=model.tol).fit(x.numpy())
        model.fit(x, start)
        assert model.converged == expected.converged_
        assert len(model.history) == expected.n_iter_

    @pytest.mark.parametrize("kind", COVARIANCE_TYPES)
    def test_float32_rows_count_as_float64(self, kind: str) -> None:
        x = clusters(500).float()
        model, wide = GaussianMixture(3, kind, max_iter=5).fit(x), GaussianMixture(3, kind, max_iter=5).fit(x.double())
        assert torch.equal(model.means, wide.means)
        assert model.score(x).dtype == torch.float64

    @pytest.mark.parametrize("kind", COVARIANCE_TYPES)
    @pytest.mark.parametrize("threads", [1, 3])
    def test_many_chunks_and_threads(self, monkeypatch: pytest.MonkeyPatch, kind: str, threads: int) -> None:
        """Five chunks, the last one short."""
        monkeypatch.setattr(moments, "BUFFER_BYTES", {"cpu": 1})
        torch.set_num_threads(threads)
        x = clusters(2100)
        model = GaussianMixture(3, kind, max_iter=6, tol=0)
        start = model.start(x)
        expected = reference(x, start, 6)
        model.fit(x, start)
        assert torch.get_num_threads() == threads
        np.testing.assert_allclose(model.history, expected.lower_bounds_, rtol=1e-10)
        np.testing.assert_allclose(model.score(x), -expected.score_samples(x.numpy()), rtol=1e-8)

    def test_an_embedding_of_full_size(self) -> None:
        """EfficientNet-B4's 1792 dimensions, with fewer rows than dimensions: only `reg_covar` keeps it invertible."""
        random = torch.Generator().manual_seed(0)
        x = torch.nn.functional.normalize(torch.randn(600, 1792, generator=random, dtype=torch.float64).square())
        model = GaussianMixture(3, max_iter=1, tol=0)
        start = model.start(x)
        expected = reference(x, start, 1)
        model.fit(x, start)
        np.testing.assert_allclose(model.history, expected.lower_bounds_, rtol=1e-6)
        np.testing.assert_allclose(model.score(x), -expected.score_samples(x.numpy()), rtol=1e-6)


def test_recovers_separate_clusters() -> None:
    x, label = make_blobs([900, 300, 600], 5, cluster_std=0.5, random_state=0)
    model = GaussianMixture(3).fit(torch.from_numpy(x))
    assert model.converged
    np.testing.assert_allclose(sorted(model.weights), [1 / 6, 1 / 3, 1 / 2], atol=1e-3)
    means = np.stack([x[label == c].mean(axis=0) for c in range(3)])
    order, found = means[:, 0].argsort(), model.means[:, 0].argsort()
    np.testing.assert_allclose(model.means[found], means[order], atol=0.02)


def test_one_component_is_the_normal_density() -> None:
    x = torch.tensor([[0.0], [2.0], [4.0]], dtype=torch.float64)
    model = GaussianMixture(1, reg_covar=0).fit(x)
    # Mean 2, variance 8/3: the density at 2 is 1 / sqrt(2 pi 8/3).
    assert model.score(x[1:2]).item() == pytest.approx(0.5 * np.log(2 * np.pi * 8 / 3))


def test_seed_fixes_the_fit() -> None:
    x = clusters()
    assert torch.equal(GaussianMixture(3, seed=1).fit(x).means, GaussianMixture(3, seed=1).fit(x).means)


@pytest.mark.parametrize("kind", COVARIANCE_TYPES)
def test_moments_of_parts_add_up(kind: str) -> None:
    """What ranks may reduce: the parts' moments are those of the whole."""
    x = clusters(1000)
    whitening = whiten(GaussianMixture(3, kind).start(x), 1e-6)
    whole, parts = expectation(x, whitening), add(expectation(x[:300], whitening), expectation(x[300:], whitening))
    for name in ("counts", "first", "second", "log_likelihood"):
        torch.testing.assert_close(getattr(parts, name), getattr(whole, name), rtol=1e-10, atol=1e-8)


class TestDegenerate:
    """Finite models where the rows carry little, one-line errors where they carry nothing."""

    @pytest.mark.parametrize("kind", COVARIANCE_TYPES)
    @pytest.mark.parametrize(
        ("rows", "components"),
        [
            pytest.param(torch.ones(1, 4), 1, id="one row"),
            pytest.param(torch.ones(50, 4), 3, id="all rows equal"),
            pytest.param(torch.eye(4).repeat(10, 1)[:, :2], 3, id="few distinct rows"),
            pytest.param(torch.cat([torch.randn(60, 2), torch.full((60, 2), 1e3)], 1), 3, id="constant columns"),
            pytest.param(torch.randn(5, 40), 3, id="more dimensions than rows"),
            pytest.param(torch.randn(60, 3)[:, [0, 1, 2, 2]], 2, id="equal columns"),
        ],
    )
    def test_finite(self, kind: str, rows: Tensor, components: int) -> None:
        model = GaussianMixture(components, kind).fit(rows)
        assert torch.isfinite(model.score(rows)).all()
        assert all(torch.isfinite(tensor).all() for tensor in model.parameters[1:])
        assert model.weights.sum().item() == pytest.approx(1)

    @pytest.mark.parametrize("kind", COVARIANCE_TYPES)
    def test_far_rows_score_high_and_never_nan(self, kind: str) -> None:
        x = clusters(300)
        model = GaussianMixture(3, kind).fit(x)
        far = model.score(x[:1] * torch.tensor([[1.0], [10], [1e3], [1e10], [9e99 / 100]], dtype=torch.float64))
        assert (far.diff() > 0).all()

    @pytest.mark.parametrize("kind", ["diag", "spherical"])
    def test_rounding_leaves_no_negative_variance(self, kind: str) -> None:
        """A start 1e8 away from constant columns: their variance of 0 is the difference of two sums near 1e16."""
        for constant in np.random.default_rng(0).uniform(1e8, 2e8, 20):
            one = torch.ones(1, dtype=torch.float64)
            variance = one[:, None] if kind == "diag" else one
            start = Parameters(kind, one, 0 * one[:, None], variance)
            model = GaussianMixture(1, kind, max_iter=1).fit(torch.full((7, 1), constant, dtype=torch.float64), start)
            assert model.covariances.min() >= model.reg_covar

    def test_too_few_rows(self) -> None:
        with pytest.raises(UserError, match="2 rows are too few for 3 components"):
            GaussianMixture(3).fit(torch.randn(2, 4))

    @pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf"), 1e101])
    def test_bad_rows_are_counted(self, bad: float) -> None:
        x = clusters(100)
        model = GaussianMixture(2).fit(x)
        x[[3, 50], 1] = bad
        for use in (model.fit, model.score):
            with pytest.raises(UserError, match="2 of 100 rows have NaN, infinity"):
                use(x)

    @pytest.mark.parametrize("kind", COVARIANCE_TYPES)
    def test_the_named_regularization_suffices(self, kind: str) -> None:
        x = torch.ones(20, 3)
        with pytest.raises(UserError, match=r"singular with reg_covar=0: set reg_covar=") as error:
            GaussianMixture(1, kind, reg_covar=0).fit(x)
        named = float(str(error.value).split("set reg_covar=")[1].split()[0])
        assert torch.isfinite(GaussianMixture(1, kind, reg_covar=named).fit(x).score(x)).all()

    def test_mistakes_are_named(self) -> None:
        with pytest.raises(UserError, match="'round' is unknown: choose from full, tied, diag, spherical"):
            GaussianMixture(3, "round")
        with pytest.raises(UserError, match="not fitted"):
            GaussianMixture().score(torch.randn(3, 2))
        with pytest.raises(UserError, match="6 dimensions, but these rows have 5"):
            GaussianMixture(2).fit(clusters(50)).score(torch.randn(3, 5))
        with pytest.raises(UserError, match=r"torch.int64 \(4, 2\)"):
            GaussianMixture(2).fit(torch.ones(4, 2, dtype=torch.int64))


class TestKMeans:
    """The start."""

    def test_finds_separate_clusters(self) -> None:
        x, label = make_blobs(600, 4, centers=5, cluster_std=0.3, random_state=3)
        for seed in range(5):
            found, centers = kmeans(torch.from_numpy(x), 5, seed)
            assert adjusted_rand_score(label, found) == 1
            for cluster in range(5):
                np.testing.assert_allclose(centers[cluster], x[found == cluster].mean(axis=0))

    def test_fewer_distinct_rows_than_clusters(self) -> None:
        labels, centers = kmeans(torch.ones(9, 2), 3, seed=0)
        assert torch.equal(labels, torch.zeros(9, dtype=torch.int64))
        assert torch.equal(centers, torch.ones(3, 2, dtype=torch.float64))
