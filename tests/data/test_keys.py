"""What rows belong to: names in every spelling, people, originals, units of the bootstrap, leaks by content."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rows import fake, manifest_of, row

from difffake.anomaly.pairs import reference_pairs
from difffake.data.datasets import PairDataset
from difffake.data.keys import (
    check_calibrating,
    check_leaks,
    check_splits,
    content_keys,
    frame_order,
    join_groups,
    leak_keys,
    original,
    original_image,
    pair_group,
    resampling_unit,
    split_group,
    subject,
)
from difffake.data.manifest import Manifest
from difffake.data.partners import find_partners
from difffake.data.pseudo import PseudoConfig
from difffake.errors import UserError

SPELLINGS = ["ann/1", "ann/1.png", "ann/1.JPG", "crops/ann/1.png", "root/crops/ann/1"]


@pytest.mark.parametrize("target", SPELLINGS)
@pytest.mark.parametrize("path", ["crops/ann/1.png", "ann/1.jpg", "/some/where/crops/ann/1.png"])
def test_a_still_and_what_was_made_of_it_are_one_original_however_it_is_named(path: str, target: str) -> None:
    """In a manifest that was made by hand, each of the functions that ask finds the same original."""
    manifest = manifest_of(
        row(path), row("crops/bob/1.png"), fake("swap/1.png", target=target, source="bob/1"), fake("swap/2.png")
    )
    table = manifest.table
    assert original(table).tolist()[:3] == ["ann/1", "bob/1", "ann/1"]
    assert original_image(table)[0] == original_image(table)[2] != original_image(table)[3]
    assert subject(table)[0] == subject(table)[2] != subject(table)[1]
    units, kind = resampling_unit(table)
    assert kind == "target"
    assert units[0] == units[2] != units[1]
    groups = split_group(table, ["a", "b", "c", "d"])
    assert groups == ["a", "a", "a", "d"]  # the fake has a source as well
    found = find_partners(manifest)
    assert (found.source[2], found.target[2]) == (1, 0)
    assert PairDataset(manifest, 8, "manifest", PseudoConfig(), None, 0).partners[0].tolist() == [2]
    assert leak_keys(table[2:3], table) >= leak_keys(table[:2], table)


@pytest.mark.parametrize("target", SPELLINGS)
def test_a_forgery_is_never_compared_with_the_still_that_it_was_made_from(target: str) -> None:
    stills = [row(f"crops/ann/{number}.png", identity="ann") for number in (1, 2)]
    table = manifest_of(*stills, *(fake(f"swap/{n}.png", identity="ann", target=target) for n in range(30))).table
    pairs = reference_pairs(subject(table), frame_order(table), table["label"] == 0, original_image(table), seed=0)
    assert len(pairs) == 32
    assert set(pairs.reference[pairs.probe > 1]) == {1}


def test_lone_stills_keep_their_names_when_manifests_are_joined(tmp_path: Path) -> None:
    one = manifest_of(row("ann.png"), fake("swap.png", target="ann", source="ann"), root=tmp_path / "one")
    both = Manifest.concat([one, manifest_of(row("bob.png", dataset="e"), root=tmp_path / "two")])
    assert find_partners(both).target.tolist() == [0, 0, 2]
    assert leak_keys(both.table) == {"video d/ann", "video e/bob"}


def test_pair_groups_are_videos_else_a_person_in_one_manipulation() -> None:
    rows = [
        row("a", video="000"), row("b", video="000"), fake("c", video="000"), row("d", identity="ann"),
        row("e", identity="ann"), fake("f", identity="ann"), row("g"), row("h"),
    ]  # fmt: skip
    groups = pair_group(manifest_of(*rows).table).tolist()
    assert groups[0] == groups[1]
    assert groups[3] == groups[4]
    assert len(set(groups)) == 6


def test_units_are_videos_else_originals_else_people_else_files() -> None:
    def units(**columns: object) -> tuple[list[str], str]:
        common = dict.fromkeys(("video", "target", "identity"), "") | {"method": "real"}
        unit, kind = resampling_unit(pd.DataFrame(common | columns))
        return unit.tolist(), kind

    unit, kind = units(video=["a", "a", "b"], target=["x", "x", "x"], path=["1", "2", "3"])
    assert kind == "video"
    assert unit[0] == unit[1] != unit[2]
    # A real still that is the target of two fakes is drawn together with them.
    unit, kind = units(
        method=["real", "x", "x", "real"], target=["", "r.png", "r.png", ""], path=["r.png", "f", "g", "s.png"]
    )
    assert kind == "target"
    assert unit[0] == unit[1] == unit[2] != unit[3]
    unit, kind = units(identity=["ann", "ann", "bob"], path=["1", "2", "3"])
    assert kind == "identity"
    assert unit[0] == unit[1] != unit[2]
    unit, kind = units(path=["1", "2", "3"])
    assert kind == "path"
    assert len(set(unit)) == 3
    assert units(video=["a", ""], path=["1", "2"])[1] == "video + path"


def test_groups_that_share_a_name_are_joined_also_through_others() -> None:
    groups = ["d", "c", "b", "a", "e", "e", "f"]
    names = [{"3", "4"}, {"2", "3"}, {"1", "2"}, {"1"}, {"5"}, {"6"}, {"7"}]
    assert join_groups(groups, names) == ["a", "a", "a", "a", "e", "e", "f"]
    assert join_groups(groups[::-1], names[::-1]) == ["f", "e", "e", "a", "a", "a", "a"]


@pytest.mark.parametrize(
    ("train", "test", "leaks"),
    [
        ({"identity": "ann"}, {"identity": "ann"}, True),
        ({"identity": "ann"}, {"identity": "bea"}, False),
        ({"identity": "ann"}, {"identity": "ann", "dataset": "other"}, False),  # another data set's names
        ({"video": "000"}, {"video": "000_003", "target": "000", "source": "003"}, True),
        ({"video": "003"}, {"video": "000_003", "target": "000", "source": "003"}, True),
        ({"video": "001"}, {"video": "000_003", "target": "000", "source": "003"}, False),
        ({"target": "000", "label": 1}, {"target": "000"}, True),
    ],
)
def test_leak_check_knows_identities_videos_sources_and_targets(
    train: dict[str, Any], test: dict[str, Any], leaks: bool
) -> None:
    table = Manifest(pd.DataFrame([row("a", **train), row("b", split="test", **test)]), Path()).table
    if leaks:
        with pytest.raises(UserError, match="shares 1 key"):
            check_splits(table)
    else:
        check_splits(table)


def test_a_crop_without_any_name_leaks_by_its_path() -> None:
    keys = leak_keys(Manifest(pd.DataFrame([row("a.png")]), Path()).table)
    with pytest.raises(UserError, match="video d/a"):
        check_leaks(keys, keys, "the test set")


def test_the_same_crops_are_found_under_other_names(tmp_path: Path) -> None:
    """One of each video, whichever frames of it are there, and each still."""
    rng = np.random.default_rng(0)

    def write(folder: str, rows: list[dict[str, Any]], contents: list[bytes]) -> set[str]:
        for found, content in zip(rows, contents, strict=True):
            path = tmp_path / folder / found["path"]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return content_keys(manifest_of(*rows).table, tmp_path / folder)

    big = [rng.bytes(20_000) for _ in range(5)]
    names = [("v/0.png", "v", 0), ("v/9.png", "v", 9), ("s.png", "", 0), ("t.png", "", 0)]
    train = write("one", [row(p, video=v, frame=f, dataset="clips") for p, v, f in names], big[:4])
    assert len(train) == 3
    test = write("two", [row("w/000.png", video="w", frame=3), row("u.png")], [big[0], big[4]])
    assert len(train & test) == 1
    with pytest.raises(UserError, match=r"test has 1 crop\(s\) of the training data under other names.*--dataset"):
        check_leaks(train, test, "test")
    # A byte in the head, in the tail, or one more in the middle makes another file.
    changed = [b"x" + big[3][1:], big[3][:-1] + b"x", big[3][:9000] + b"x" + big[3][9000:]]
    assert not train & write("three", [row(f"{n}.png") for n in range(3)], changed)
    assert content_keys(manifest_of(row("gone.png")).table, tmp_path) == set()


def test_names_that_two_data_sets_share_can_be_told_apart() -> None:
    keys = leak_keys(manifest_of(row("a.png", video="000")).table)
    with pytest.raises(UserError, match="another --dataset"):
        check_leaks(keys, keys, "the test set")


def test_what_calibrated_is_told_apart_from_what_trained() -> None:
    keys = leak_keys(manifest_of(row("a.png", video="000")).table)
    for shared, what in ((keys, r"1 key\(s\)"), ({"crop 0a"}, r"1 crop\(s\)")):
        with pytest.raises(
            UserError, match=f"test shares {what} with the data that calibrated c.json .*--calibration none"
        ):
            check_calibrating(shared, shared | {"video d/b"}, "test", Path("c.json"))
    check_calibrating(keys, {"video d/b"}, "test", Path("c.json"))
