"""FFIW-10K as its download unpacks."""

from pathlib import Path

import pytest
from trees import grow

from difffake.errors import UserError
from difffake.readers.ffiw import read_ffiw

RELEASE = "FFIW10K-v1-release"


def both(folder: str, *names: str) -> list[str]:
    """A real and a manipulated video of each name, and a mask."""
    real = [f"source/{folder}{name}.mp4" for name in names]
    return real + [f"target/{folder}{name}.mp4" for name in names] + [f"target_mask/{folder}{names[0]}_mask.mp4"]


def test_a_fake_is_named_as_its_source(tmp_path: Path) -> None:
    grow(tmp_path / RELEASE, *both("train/", "train_00000000", "train_00000001"), *both("val/", "val_00000000"))
    grow(tmp_path / f"{RELEASE}-test", *both("", "test_00000044"))
    items = read_ffiw(tmp_path)
    assert len(items) == 8
    assert {(item.video, item.target, item.split, item.label) for item in items if item.split != "train"} == {
        ("val/val_00000000", "val/val_00000000", "val", 0),
        ("FFIW/val/val_00000000", "val/val_00000000", "val", 1),
        ("test/test_00000044", "test/test_00000044", "test", 0),
        ("FFIW/test/test_00000044", "test/test_00000044", "test", 1),
    }
    assert {item.name for item in items if item.split == "train" and item.label} == {
        f"{RELEASE}/target/train/train_0000000{n}" for n in (0, 1)
    }


def test_one_release_alone_and_half_of_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    release = grow(tmp_path / RELEASE, *both("val/", "val_00000000"), "target/val/val_00000007.mp4")
    assert [item.split for item in read_ffiw(release)] == ["val"] * 3
    assert "1 manipulated videos without their source, such as " in capsys.readouterr().err
    grow(release, "source/train/train_00000000.mp4")
    with pytest.raises(UserError, match="train lacks its target"):
        read_ffiw(release)
    with pytest.raises(UserError, match="no videos such as source/train"):
        read_ffiw(grow(tmp_path / "else", "a/b.mp4"))
