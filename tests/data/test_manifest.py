"""The manifest: round trips, splits and the leak check."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from difffake.data.manifest import Manifest, read_manifests, split_by_group
from difffake.errors import UserError


def row(path: str, **columns: Any) -> dict[str, Any]:
    """A real face of the training split, with `columns` changed."""
    base = dict.fromkeys(("video", "identity", "source", "target", "compression"), "")
    fixed = {"dataset": "d", "split": "train", "label": 0, "method": "real", "frame": 0, "box": None, "landmarks": None}
    return {"path": path, **base, **fixed, **columns}


@pytest.mark.parametrize("name", ["m.parquet", "m.csv"])
def test_reads_back_what_was_written(tmp_path: Path, name: str) -> None:
    points = np.arange(136, dtype=float).tolist()
    rows = [
        row("a.png", landmarks=points, box=[1.0, 2.0, 3.0, 4.0], identity="007", margin=1.5),
        row("b.png", label=1, method="x"),
    ]
    manifest = Manifest(pd.DataFrame(rows), tmp_path)
    manifest.write(tmp_path / name)
    again = Manifest.read(tmp_path / name)
    assert again.table["identity"].tolist() == ["007", ""]  # neither a number nor NaN
    assert again.table["label"].tolist() == [0, 1]
    landmarks = again.landmarks(0)
    assert landmarks is not None
    np.testing.assert_array_equal(landmarks, np.arange(136).reshape(68, 2))
    assert again.landmarks(1) is None
    assert again.table["box"].iat[0] == [1, 2, 3, 4]
    assert again.file(1) == tmp_path / "b.png"
    assert again.table["margin"].iat[0] == 1.5
    assert np.isnan(again.table["margin"].iat[1])


def test_the_margin_is_known_if_all_crops_have_it(tmp_path: Path) -> None:
    def margin(*values: float | None) -> float | None:
        return Manifest(pd.DataFrame([row(f"{n}", margin=value) for n, value in enumerate(values)]), tmp_path).margin

    assert margin(1.3, 1.3) == 1.3
    assert margin(1.3, 1.5) is None
    assert margin(1.3, None) is None
    assert margin(None) is None
    assert Manifest(pd.DataFrame([row("a.png")]), tmp_path).margin is None  # a manifest of an older version
    with pytest.raises(UserError, match="needs numbers in the column margin"):
        Manifest(pd.DataFrame([row("a.png", margin="wide")]), tmp_path)


def test_missing_crops_are_counted_and_named(tmp_path: Path) -> None:
    (tmp_path / "crops").mkdir()
    (tmp_path / "crops" / "a.png").touch()
    rows = [row("crops/a.png"), row("crops/b.png"), row("gone/c.png", split="test")]
    manifest = Manifest(pd.DataFrame(rows), tmp_path)
    manifest.select(split="test").check_files(splits=("train",))
    with pytest.raises(UserError, match=r"1 of 2 crops are missing, such as \S+/crops/b\.png: prepare"):
        manifest.check_files(splits=("train",))
    with pytest.raises(UserError, match="2 of 3 crops are missing"):
        manifest.check_files()


def test_several_manifests_find_their_own_crops(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        Manifest(pd.DataFrame([row("crops/a.png", dataset=name)]), tmp_path / name).write(tmp_path / name / "m.csv")
    both = Manifest.concat([Manifest.read(tmp_path / name / "m.csv") for name in ("one", "two")])
    assert [both.file(i) for i in range(2)] == [tmp_path / name / "crops" / "a.png" for name in ("one", "two")]
    with pytest.raises(UserError, match=r"one/\.\./one/m\.csv is named twice: name it once"):
        read_manifests([tmp_path / "one" / "m.csv", tmp_path / "one" / ".." / "one" / "m.csv"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label": [0, 2]}, "labels other than"),
        ({"split": ["train", "dev"]}, "a split 'dev': give each row one of train, val, test"),
        ({"path": ["a", "a"]}, "lists a twice"),
    ],
)
def test_refuses_broken_tables(change: dict[str, list[Any]], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Manifest(pd.DataFrame([row("a"), row("b")]).assign(**change), Path())


def test_errors_name_the_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.parquet does not exist"):
        Manifest.read(tmp_path / "none.parquet")
    broken = tmp_path / "manifest.parquet"
    broken.write_bytes(b"PAR1 no")
    with pytest.raises(UserError, match="cannot be read as a manifest"):
        Manifest.read(tmp_path)
    (tmp_path / "m.csv").write_text("path,label\na,0\n")
    with pytest.raises(UserError, match="lacks the column"):
        Manifest.read(tmp_path / "m.csv")


def test_splits_keep_groups_whole_and_do_not_depend_on_the_order_of_rows() -> None:
    groups = [f"g{i % 50}" for i in range(400)]
    split = split_by_group(groups, (0.6, 0.2, 0.2), seed=1)
    of_group = {group: set(split[np.array(groups) == group]) for group in set(groups)}
    assert all(len(names) == 1 for names in of_group.values())
    counts = pd.Series([next(iter(names)) for names in of_group.values()]).value_counts()
    assert counts.to_dict() == {"train": 30, "val": 10, "test": 10}
    np.testing.assert_array_equal(split_by_group(groups[::-1], (0.6, 0.2, 0.2), seed=1)[::-1], split)
    assert (split_by_group(groups, (0.6, 0.2, 0.2), seed=2) != split).any()
    with pytest.raises(UserError, match="sum to 1"):
        split_by_group(groups, (0.5, 0.2, 0.2), seed=1)
