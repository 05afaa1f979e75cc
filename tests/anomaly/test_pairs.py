"""Pairs of rows: the paper's counts, and what they may and may not depend on."""

import numpy as np
import pandas as pd
import pytest

from difffake.anomaly.pairs import Pairs, reference_pairs, sample_pairs
from difffake.errors import UserError


def named(pairs: Pairs, names: np.ndarray) -> set[tuple[str, str]]:
    """Pairs by the rows' names instead of their numbers."""
    return set(zip(names[pairs.reference], names[pairs.probe], strict=True))


def video(name: str, frames: int) -> tuple[list[str], list[str]]:
    return [name] * frames, [f"{name}/{frame:04d}" for frame in range(frames)]


def test_forty_frames_give_a_pool_of_8_and_32_pairs() -> None:
    group, order = video("a", 40)
    pairs = sample_pairs(group, order, seed=0)
    assert len(pairs) == 32
    assert len(set(pairs.reference)) <= 8
    # Each frame is used once as a probe or belongs to the pool, never both.
    assert len(set(pairs.probe)) == 32
    assert not set(pairs.reference) & set(pairs.probe)
    assert set(pairs.group) == {"a"}


def test_long_videos_are_thinned_evenly() -> None:
    pairs = sample_pairs(*video("a", 391), seed=0)
    used = sorted(set(pairs.probe) | set(pairs.reference))
    assert len(pairs) == 32
    # linspace(0, 390, 40): every tenth frame, first and last included.
    assert {frame % 10 for frame in used} == {0}
    assert max(np.diff(used)) <= 90


@pytest.mark.parametrize(("frames", "count"), [(0, 0), (1, 0), (2, 1), (3, 2), (15, 8), (16, 8), (17, 9)])
def test_short_groups(frames: int, count: int) -> None:
    """The pool is half of the group where that is less than 8."""
    pairs = sample_pairs(*video("a", frames), seed=0)
    assert len(pairs) == count
    assert pairs.skipped == (("a",) if frames == 1 else ())


def test_pairs_stay_within_the_group() -> None:
    group = np.repeat(["a", "b", "c"], [12, 7, 30])
    pairs = sample_pairs(group, np.arange(49), seed=3)
    assert (group[pairs.reference] == group[pairs.probe]).all()
    assert (group[pairs.probe] == pairs.group).all()


def test_neither_row_order_nor_other_groups_matter() -> None:
    a, b = video("a", 40), video("b", 25)
    group, order = np.array(a[0] + b[0]), np.array(a[1] + b[1])
    alone = named(sample_pairs(*a, seed=5), np.array(a[1]))
    both = named(sample_pairs(group, order, seed=5), order)
    shuffle = np.random.default_rng(0).permutation(65)
    shuffled = named(sample_pairs(pd.Series(group)[shuffle], pd.Series(order)[shuffle], seed=5), order[shuffle])
    assert alone < both
    assert both == shuffled


def test_seed_and_group_change_the_pairs() -> None:
    group, order = video("a", 40)
    first = sample_pairs(group, order, seed=0)
    assert set(first.probe) != set(sample_pairs(group, order, seed=1).probe)
    assert set(first.probe) != set(sample_pairs(["b"] * 40, order, seed=0).probe)


def test_numbers_and_text_name_the_same_group() -> None:
    assert set(sample_pairs([7] * 40, range(40), seed=0).probe) == set(
        sample_pairs(["7"] * 40, range(40), seed=0).probe
    )


def test_mistakes_are_named() -> None:
    with pytest.raises(UserError, match="group 'a' share an order key"):
        sample_pairs(["a", "a"], [1, 1], seed=0)
    with pytest.raises(UserError, match="2 rows, 1 keys"):
        sample_pairs(["a", "a"], [1], seed=0)
    with pytest.raises(UserError, match="1 of 2 rows have no group"):
        sample_pairs(["a", None], [1, 2], seed=0)


class TestReference:
    """A subject with 12 trusted stills and 20 fakes, each forged from one of them."""

    group = np.array(["subject"] * 32)
    order = np.arange(32)
    trusted = order < 12
    image = np.where(trusted, order, order % 12)

    def test_references_are_trusted_and_neither_the_probe_nor_its_original(self) -> None:
        pairs = reference_pairs(self.group, self.order, self.trusted, self.image, seed=0)
        assert self.trusted[pairs.reference].all()
        assert (self.image[pairs.reference] != self.image[pairs.probe]).all()
        assert len(set(pairs.reference)) <= 8
        assert pairs.probe.tolist() == list(range(32))  # every row is a probe, real ones too

    def test_two_real_photographs_are_references_of_each_other(self) -> None:
        """By hand: a fake made from r0 can only be compared with r1, and the other way round."""
        images = ["r0", "r1", *["r0"] * 3, *["r1"] * 3]
        for seed in range(5):
            pairs = reference_pairs(["s"] * 8, range(8), np.arange(8) < 2, images, seed=seed)
            assert pairs.probe.tolist() == list(range(8))
            assert pairs.reference.tolist() == [1, 0, 1, 1, 1, 0, 0, 0]

    def test_only_suspects_are_probes(self) -> None:
        pairs = reference_pairs(["s"] * 4, range(4), [1, 1, 0, 0], [""] * 4, suspect=[0, 0, 1, 1], seed=0)
        assert pairs.probe.tolist() == [2, 3]

    def test_many_rows_are_thinned_evenly(self) -> None:
        pairs = reference_pairs(self.group, self.order, self.trusted, self.image, seed=0, max_frames=5)
        assert pairs.probe.tolist() == [0, 8, 16, 23, 31]  # linspace(0, 31, 5)

    def test_a_probe_with_no_other_reference_is_left_out(self) -> None:
        pairs = reference_pairs(["s"] * 3, [0, 1, 2], [True, False, False], ["x", "x", "y"], seed=0)
        assert (pairs.reference.tolist(), pairs.probe.tolist()) == ([0], [2])

    def test_empty_keys_exclude_nothing(self) -> None:
        assert len(reference_pairs(["s"] * 2, [0, 1], [True, False], ["", ""], seed=0)) == 1
        assert len(reference_pairs(["s"] * 2, [0, 1], [True, False], [None, np.nan], seed=0)) == 1

    def test_no_trusted_row(self) -> None:
        pairs = reference_pairs(["s"] * 4, range(4), [False] * 4, range(4), seed=0)
        assert len(pairs) == 0
        assert pairs.skipped == ("s",)

    def test_row_order_does_not_matter(self) -> None:
        shuffle = np.random.default_rng(0).permutation(32)
        rows = (self.group, self.order, self.trusted, self.image)
        pairs = reference_pairs(*(column[shuffle] for column in rows), seed=4)
        assert named(pairs, self.order[shuffle]) == named(reference_pairs(*rows, seed=4), self.order)
