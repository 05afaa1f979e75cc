"""UADFV as its authors share it, and as DeepfakeBench does."""

from pathlib import Path

import pytest
from trees import grow

from difffake.data.splits import choose_splits
from difffake.errors import UserError
from difffake.readers.uadfv import read_uadfv


def test_forty_nine_videos_and_their_fakes(tmp_path: Path) -> None:
    grow(tmp_path, *(f"real/{n:04d}.mp4" for n in range(49)), *(f"fake/{n:04d}_fake.mp4" for n in range(49)))
    items = read_uadfv(tmp_path)
    assert [sum(item.label == label for item in items) for label in (0, 1)] == [49, 49]
    fake = items[-1]
    assert (fake.file, fake.name) == (tmp_path / "fake/0048_fake.mp4", "fake/0048_fake")
    assert (fake.video, fake.target, fake.source, fake.method) == ("0048_fake", "0048", "", "FakeApp")
    splits = choose_splits(items, "uadfv", (0.4, 0.1, 0.5), None, 0)
    assert len({(item.target, split) for item, split in zip(items, splits, strict=True)}) == 49


def test_frames_in_place_of_videos(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = ("real/frames/0000", "fake/frames/0000_fake", "fake/frames/0001_fake")
    items = read_uadfv(grow(tmp_path, *(f"{name}/{n:03d}.png" for name in names for n in (0, 28))))
    assert [(item.video, item.target, len(item.images)) for item in items] == [
        ("0000", "0000", 2), ("0000_fake", "0000", 2), ("0001_fake", "0001", 2),
    ]  # fmt: skip
    assert "1 fakes without their real video, such as 0001_fake" in capsys.readouterr().err


def test_missing_folders_and_other_names(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no folder real"):
        read_uadfv(tmp_path)
    with pytest.raises(UserError, match="no folder fake"):
        read_uadfv(grow(tmp_path, "real/0000.mp4"))
    with pytest.raises(UserError, match=r"0000\.mp4: its name is not like"):
        read_uadfv(grow(tmp_path, "fake/0000.mp4"))
