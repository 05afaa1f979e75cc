"""Who is put into whom."""

from collections import Counter
from itertools import permutations

import numpy as np
import pytest
from faces import drawn

from difffake.drawn.people import Expression, Pose
from difffake.forge.pairing import Clip, distances, look, pair_clips, pair_copies
from difffake.randomness import generator


def still(name: str, identity: str, yaw: float, split: str = "train") -> Clip:
    return Clip(name, identity, split, False, (0,), np.array([[yaw, 0.5, 0.1, 0.6, 0.1, 0.1]]))


def many(people: int, pictures: int, split: str = "train", seed: int = 0) -> list[Clip]:
    rng = generator(seed)
    return [
        still(f"{split}{p}-{i}", f"{split}{p}", rng.normal(0, 0.1), split)
        for p in range(people)
        for i in range(pictures)
    ]


def test_sources_are_other_people_and_everybody_is_one_as_often_as_a_target() -> None:
    clips = many(12, 5)
    pairs, left_out = pair_clips(clips, seed=0)
    assert not left_out
    assert all(pair.target.identity != pair.source.identity for pair in pairs)
    assert sorted(pair.source.name for pair in pairs) == sorted(clip.name for clip in clips)


def test_the_sum_of_distances_is_the_least_there_is() -> None:
    clips = many(6, 1, seed=3)
    pairs, _ = pair_clips(clips, seed=0)
    cost = distances(*2 * [np.concatenate([clip.looks for clip in clips])])
    ways = [way for way in permutations(range(6)) if all(i != j for i, j in enumerate(way))]
    least = min(sum(cost[i, j] for i, j in enumerate(way)) for way in ways)
    found = sum(cost[clips.index(pair.target), clips.index(pair.source)] for pair in pairs)
    assert found <= least + 6 * 0.02  # the seed's share


def test_forged_again_a_face_gets_another_source() -> None:
    clips = many(4, 1)
    rounds = list(pair_copies(clips, 0, 4))
    assert [len(pairs) for pairs, _ in rounds] == [4, 4, 4, 0]  # three other people
    sources: dict[str, set[str]] = {clip.name: set() for clip in clips}
    for pairs, _ in rounds:
        for pair in pairs:
            sources[pair.target.name].add(pair.source.name)
    assert all(found == {clip.name for clip in clips} - {name} for name, found in sources.items())
    assert {reason for _, reason in rounds[3][1]} == {"no further face of another person"}
    assert [pair.source.name for pair in rounds[0][0]] == [pair.source.name for pair in pair_clips(clips, 0)[0]]


def test_splits_and_kinds_stay_apart() -> None:
    clips = [*many(6, 2), *many(6, 2, "test")]
    moving = [Clip(f"v{i}", f"p{i}", "train", True, (0, 1), np.tile(clips[i].looks, (2, 1))) for i in range(4)]
    pairs, _ = pair_clips([*clips, *moving], seed=0)
    assert len(pairs) == 28
    assert all(pair.target.split == pair.source.split for pair in pairs)
    assert all(pair.target.moving == pair.source.moving for pair in pairs)


def test_another_seed_pairs_others_and_the_same_the_same() -> None:
    clips = many(30, 3)

    def sources(seed: int) -> list[str]:
        return [pair.source.name for pair in pair_clips(clips, seed)[0]]

    assert sources(1) == sources(1) != sources(2)


def test_who_has_no_partner_is_named_with_the_reason() -> None:
    alone = [still("a", "x", 0.0, "val"), still("b", "x", 0.1, "val")]
    profile = [still("front", "1", 0.0), still("side", "2", 0.9)]
    pairs, left_out = pair_clips([*alone, *profile], seed=0)
    assert not pairs
    assert Counter(reason for _, reason in left_out) == {
        "no other person in its split": 2,
        "no face of another person with a similar pose": 2,
    }


def test_large_groups_are_paired_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("difffake.forge.pairing.BLOCK", 16)
    clips = many(25, 4)
    pairs, left_out = pair_clips(clips, seed=0)
    assert len(pairs) + len(left_out) == 100
    assert len({pair.source.name for pair in pairs}) == len(pairs) > 95


def test_a_clip_shows_the_source_in_its_own_pose_and_does_not_flicker() -> None:
    yaws = np.linspace(-0.2, 0.2, 9)
    looks = np.stack([still("", "", yaw).looks[0] for yaw in yaws])
    target = Clip("t", "t", "train", True, tuple(range(9)), looks)
    source = Clip("s", "s", "train", True, tuple(range(100, 109)), looks[::-1])

    def rows(target: Clip) -> tuple[int, ...]:
        (pair,) = (pair for pair in pair_clips([target, source], seed=0)[0] if pair.target is target)
        return pair.source_rows

    assert rows(target)[0] == 108
    assert abs(rows(target)[-1] - 100) <= 1
    trembling = Clip("t", "t", "train", True, tuple(range(9)), looks[4:5] + generator(0).normal(0, 0.01, (9, 6)))
    assert len(set(rows(trembling))) == 1


def test_looks_follow_the_drawn_head_and_not_its_roll_or_size() -> None:
    def seen(pose: Pose, expression: Expression | None = None, size: int = 160) -> np.ndarray:
        return look(*drawn(0, expression, pose, size))

    yaws = [seen(Pose(yaw=yaw))[0] for yaw in (-0.3, 0, 0.3)]
    pitches = [seen(Pose(pitch=pitch))[1] for pitch in (-0.2, 0, 0.2)]
    assert yaws[0] < -0.05 < yaws[1] < 0.05 < yaws[2]
    assert sorted(pitches) in (pitches, pitches[::-1])
    assert np.ptp(pitches) > 0.05
    assert seen(Pose(), Expression(mouth_open=1))[2] > seen(Pose())[2] + 0.05
    np.testing.assert_allclose(seen(Pose(roll=0.3))[:3], seen(Pose())[:3], atol=0.03)
    np.testing.assert_allclose(seen(Pose(), size=240)[:3], seen(Pose())[:3], atol=0.01)
    dark = drawn(0)
    darker = look(dark.image // 2, dark.landmarks)
    assert darker[3] < look(*dark)[3] - 0.1
