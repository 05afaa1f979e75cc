import pandas as pd
import pytest

from difffake.data.trained_on import PSEUDO, trained_on

TABLE = pd.DataFrame(
    [("train", "ffpp", "c23", "real", "000")] * 3
    + [("train", "ffpp", "c23", "real", "001")] * 2
    + [("train", "ffpp", "c23", "Deepfakes", "000_003")] * 4
    + [("val", "ffpp", "c23", "real", "002"), ("test", "ffpp", "c23", "real", "003"), ("train", "lfw", "", "real", "")],
    columns=["split", "dataset", "compression", "method", "video"],
)
FAKES = ("train", "Deepfakes", 4, 1)
REALS = [("train", "real", 5, 2), ("val", "real", 1, 1), ("train", "real", 1, 0)]


@pytest.mark.parametrize(
    ("fakes", "expected"),
    [
        ("manifest", [FAKES, *REALS]),
        ("pseudo", [*REALS, *((split, PSEUDO, *counts) for split, _, *counts in REALS)]),
        ("both", [FAKES, *REALS, *((split, PSEUDO, *counts) for split, _, *counts in REALS)]),
    ],
)
def test_counts_are_of_what_is_learned_from(fakes: str, expected: list[tuple]) -> None:
    found = [(e["split"], e["method"], e["crops"], e["videos"]) for e in trained_on(TABLE, fakes)]
    assert sorted(found) == sorted(expected)


def test_rows_of_the_test_split_are_not_trained_on() -> None:
    assert sum(int(entry["crops"]) for entry in trained_on(TABLE, "manifest")) == len(TABLE) - 1
