"""The learned combination: symmetric, better than fixed ones where they cannot be good, the same after reading."""

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from difffake.anomaly.blocks import in_blocks
from difffake.anomaly.combine import combine
from difffake.anomaly.learned import LearnedCombination, Versions, learn_combination
from difffake.anomaly.mixture import GaussianMixture
from difffake.anomaly.pairs import sample_pairs
from difffake.anomaly.storage import load_anomaly, load_combination, save_anomaly
from difffake.errors import UserError

DIMENSIONS, PEOPLE, FRAMES = 24, 40, 8


def faces(seed: int) -> Versions:
    """Frames differ most in directions that say nothing; a forgery shifts all frames a little in a quiet one.

    The shift is the same in both frames of a forged pair, so their difference does not show it.
    """
    rng = np.random.default_rng(seed)
    count = PEOPLE * FRAMES
    real = rng.normal(size=(count, DIMENSIONS)).astype(np.float32)
    real[:, :4] *= 0.1
    recolored = real + np.float32(0.5) * rng.normal(size=(count, 1)).astype(np.float32) * (np.arange(DIMENSIONS) == 9)
    forged = recolored.copy()
    forged[:, :2] += 0.3
    return Versions(real, recolored, forged)


GROUP = np.repeat([f"p{number:02d}" for number in range(PEOPLE)], FRAMES)
PAIRS = sample_pairs(GROUP, np.tile(np.arange(FRAMES), PEOPLE), seed=0)


@pytest.fixture(scope="module")
def learned() -> tuple[LearnedCombination, np.ndarray]:
    return learn_combination(faces(0), PAIRS, 0)


def pairs_of(embeddings: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.from_numpy(embeddings[PAIRS.reference]), torch.from_numpy(embeddings[PAIRS.probe])


def test_the_order_of_a_pair_does_not_matter(learned: tuple[LearnedCombination, np.ndarray]) -> None:
    a, b = pairs_of(faces(1).real)
    features = learned[0].combine(a, b)
    assert torch.equal(features, learned[0].combine(b, a))
    assert features.shape == (len(PAIRS), 32)
    np.testing.assert_allclose(features.norm(dim=1), 1, rtol=1e-5)
    a[:3] = b[:3] * (1 + 1e-7)
    assert (learned[0].combine(a, b) == 0).all(dim=1).tolist() == [True] * 3 + [False] * (len(PAIRS) - 3)
    assert torch.equal(learned[0].combine(a[:5], b[:5])[3:], features[3:5])  # whatever the number of others
    assert learned[0].combine(a[:0], b[:0]).shape == (0, 32)


def test_finds_what_no_fixed_difference_shows(learned: tuple[LearnedCombination, np.ndarray]) -> None:
    """On other people, by the density of real pairs that the network has not seen."""
    network, unseen = learned
    assert set(PAIRS.group[unseen]).isdisjoint(PAIRS.group[~unseen])
    assert 0.25 < unseen.mean() < 0.42
    test = faces(1)
    found = {}
    for name in ("learned", "square"):
        features = [
            network.combine(*pairs) if name == "learned" else combine(*pairs, name)
            for pairs in map(pairs_of, (faces(0).real, test.real, test.forged))
        ]
        density = GaussianMixture(1, "diag").fit(features[0][torch.from_numpy(unseen)])
        scores = np.concatenate([density.score(part).numpy() for part in features[1:]])
        found[name] = roc_auc_score(np.repeat([0, 1], len(PAIRS)), scores)
    assert found["learned"] > 0.9
    assert found["square"] < 0.6


def test_depends_on_the_seed_alone(learned: tuple[LearnedCombination, np.ndarray]) -> None:
    torch.manual_seed(5)
    state = torch.random.get_rng_state()
    again, unseen = learn_combination(faces(0), PAIRS, 0)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert (unseen == learned[1]).all()
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in learned[0].state_dict().items())


def test_one_group_is_used_for_both() -> None:
    alone = sample_pairs(np.repeat(["p"], 8), np.arange(8), seed=0)
    assert learn_combination(faces(0), alone, 0)[1].all()


def test_round_trip(learned: tuple[LearnedCombination, np.ndarray], tmp_path: Path) -> None:
    a, b = pairs_of(faces(1).real)
    density = GaussianMixture(1, "diag").fit(learned[0].combine(a, b))
    save_anomaly(tmp_path / "a.safetensors", density, {"combination": "learned"}, learned[0])
    read, metadata = load_anomaly(tmp_path / "a.safetensors")
    network = load_combination(tmp_path / "a.safetensors")
    assert metadata == {"combination": "learned"}
    assert torch.equal(read.score(network.combine(a, b)), density.score(learned[0].combine(a, b)))
    save_anomaly(tmp_path / "b.safetensors", density, {"combination": "learned"})
    with pytest.raises(UserError, match="no complete learned combination"):
        load_combination(tmp_path / "b.safetensors")


def test_blocks_are_whole() -> None:
    sizes = []

    def doubled(part: torch.Tensor) -> torch.Tensor:
        sizes.append(len(part))
        return 2 * part

    rows = torch.arange(600.0).view(300, 2)
    assert torch.equal(torch.cat(in_blocks(doubled, rows)), 2 * rows)
    assert sizes == [256, 256]
    assert in_blocks(doubled, rows[:0]) == []
