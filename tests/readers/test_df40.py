"""DF40's folders, for training and for tests."""

from pathlib import Path

import pytest
from trees import grow

from difffake.errors import UserError
from difffake.readers.df40 import read_df40

YOUTUBE = "FaceForensics++/original_sequences/youtube/c23/frames"


def test_methods_domains_and_real_videos(tmp_path: Path) -> None:
    grow(
        tmp_path,
        "DF40_train/simswap/frames/001_870/007.png",
        "DF40/simswap/ff/frames/000_003/000.png",
        "DF40/simswap/ff/frames/000_003/010.png",
        "DF40/sadtalker/cdf/frames/id0_id1_0000/004.png",
        "DF40/StyleGAN2/ff/001/seed0188.png",
        "DF40/heygen/real/a1/000.png",
        "DF40/heygen/fake/a1/000.png",
        f"{YOUTUBE}/000/000.png",
        f"{YOUTUBE}/870/000.png",
        f"{YOUTUBE}/555/000.png",
        "Celeb-DF-v2/Celeb-real/frames/id0_0000/000.png",
        "Celeb-DF-v2/YouTube-real/frames/00170/000.png",
    )
    items = read_df40(tmp_path)
    assert {(i.video, i.method, i.split, i.target, i.source) for i in items} == {
        ("DF40_train/simswap/001_870", "simswap", "train", "001", "870"),
        ("DF40/simswap/ff/000_003", "simswap", "test", "000", "003"),
        ("DF40/sadtalker/cdf/id0_id1_0000", "sadtalker", "test", "id0_0000", "id1"),
        ("", "StyleGAN2", "test", "", ""),
        ("DF40/heygen/real/a1", "real", "test", "heygen/real/a1", ""),
        ("DF40/heygen/fake/a1", "heygen", "test", "", ""),
        ("000", "real", "test", "000", ""),
        ("870", "real", "train", "870", ""),
        ("id0_0000", "real", "test", "id0_0000", ""),
        ("00170", "real", "test", "00170", ""),
    }
    names = {"": "", "DF40/sadtalker/cdf/id0_id1_0000": "DF40-Celeb-DF", "id0_0000": "DF40-Celeb-DF"}
    names |= {"00170": "DF40-Celeb-DF", "DF40/heygen/real/a1": "DF40-heygen", "DF40/heygen/fake/a1": "DF40-heygen"}
    assert all(item.dataset == names.get(item.video, "") for item in items)  # fakes beside their own real videos
    swap = next(item for item in items if item.target == "000" and item.label)
    assert [number for number, _ in swap.images] == [0, 10]
    still = next(item for item in items if item.method == "StyleGAN2")
    assert (still.name, still.is_video) == ("DF40/StyleGAN2/ff/001/seed0188", False)


def test_without_fakes(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no fakes such as DF40/simswap"):
        read_df40(grow(tmp_path, f"{YOUTUBE}/000/000.png"))
