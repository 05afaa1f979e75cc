"""Which split each file of a data set is in."""

from pathlib import Path

import pytest

from difffake.data.splits import choose_splits
from difffake.readers.item import Item


def items(people: int, split: str) -> list[Item]:
    """Two pictures of each person."""
    return [
        Item(Path(f"{split}{person}/{n}.png"), f"{split}{person}/{n}", identity=f"{split}{person}", split=split)
        for person in range(people)
        for n in range(2)
    ]


def test_a_data_set_without_val_gets_some_of_its_training_people(capsys: pytest.CaptureFixture[str]) -> None:
    found = [*items(20, "train"), *items(5, "test")]
    splits = choose_splits(found, "d", (0.8, 0.1, 0.1), None, 0, val=0.1)
    assert splits[40:] == ["test"] * 10
    assert splits[:40].count("val") == 4
    by_person = {item.identity: split for item, split in zip(found, splits, strict=True)}
    assert splits == [by_person[item.identity] for item in found]  # both pictures of a person are together
    assert "there is no split val: 4 of 40 files of the split train become val" in capsys.readouterr().err


def test_published_splits_stay_as_they_are() -> None:
    found = [*items(8, "train"), *items(2, "val"), *items(3, "test")]
    assert choose_splits(found, "d", (0.8, 0.1, 0.1), None, 0, val=0.1) == [item.split for item in found]
    train = items(8, "train")
    assert choose_splits(train, "d", (0.8, 0.1, 0.1), None, 0, val=0) == ["train"] * 16
    assert choose_splits(items(3, "test"), "d", (0.8, 0.1, 0.1), None, 0, val=0.1) == ["test"] * 6
