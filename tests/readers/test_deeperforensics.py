"""DeeperForensics-1.0 as published, with the real videos of FaceForensics++."""

import json
from pathlib import Path

import pytest
from trees import grow

from difffake.errors import UserError
from difffake.readers.deeperforensics import missing_deeperforensics, read_deeperforensics


@pytest.fixture
def root(tmp_path: Path) -> Path:
    variants = ("end_to_end", "end_to_end_level_1", "reenact_postprocess")
    fakes = ("000_M101", "001_W101", "002_M131")
    grow(tmp_path, *(f"manipulated_videos/{variant}/{fake}.mp4" for variant in variants for fake in fakes))
    grow(tmp_path, *(f"original_sequences/youtube/c23/videos/{video:03d}.mp4" for video in range(4)))
    grow(tmp_path, "source_videos/M101/light_up/neutral/camera_front/M101_light_up_neutral_camera_front.mp4")
    for split, fake in zip(("train", "val", "test"), fakes, strict=True):
        file = grow(tmp_path, f"lists/splits/{split}.txt") / "lists" / "splits" / f"{split}.txt"
        file.write_text(f"{fake}.mp4\n")
    return tmp_path


def test_targets_are_videos_of_faceforensics(root: Path) -> None:
    items = read_deeperforensics(root)
    assert [(item.video, item.label, item.split) for item in items if item.target == "001"] == [
        ("end_to_end/001_W101", 1, "val"),
        ("end_to_end_level_1/001_W101", 1, "val"),
        ("reenact_postprocess/001_W101", 1, "val"),
        ("001", 0, "val"),
    ]
    assert [item.video for item in items if not item.label] == ["000", "001", "002"]  # 003 is no fake's target
    fake = items[0]
    assert (fake.method, fake.identity, fake.source, fake.split) == ("end_to_end", "000", "M101", "train")
    assert {item.compression for item in items} == {""}


def test_splits_of_faceforensics_are_taken_if_they_are_there(root: Path) -> None:
    for split, pair in {"train": ["001", "870"], "val": ["720", "672"], "test": ["000", "002"]}.items():
        (root / f"{split}.json").write_text(json.dumps([pair]))
    assert {item.target: item.split for item in read_deeperforensics(root)} == {
        "000": "test", "001": "train", "002": "test",
    }  # fmt: skip


def test_what_is_missing_is_said(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "manipulated_videos" / "reenact_postprocess" / "000_M101.mp4").unlink()
    (root / "original_sequences/youtube/c23/videos/001.mp4").unlink()
    items = read_deeperforensics(root)
    assert len(items) == 8 + 2
    assert "original_sequences/youtube/c23: 1 of 3 videos are missing, such as 001" in capsys.readouterr().err
    said = missing_deeperforensics(root, items)
    assert said.endswith("missing: reenact_postprocess 1 of 3 (such as 000_M101)")
    assert missing_deeperforensics(root, [item for item in items if item.method != "reenact_postprocess"]) == ""


def test_what_cannot_be_read(root: Path) -> None:
    grow(root, "manipulated_videos/end_to_end/004_M101.mp4")
    with pytest.raises(UserError, match=r"004_M101\.mp4 is in none of the lists"):
        read_deeperforensics(root)
    grow(root, "manipulated_videos/end_to_end/04.mp4")
    with pytest.raises(UserError, match=r"04\.mp4: its name is not like 000_M101\.mp4"):
        read_deeperforensics(root)
    (root / "lists/splits/val.txt").unlink()
    with pytest.raises(UserError, match=r"val\.txt is missing"):
        read_deeperforensics(root)
    (root / "original_sequences").rename(root / "elsewhere")
    with pytest.raises(UserError, match=r"has no original_sequences/youtube/c23: link or copy it"):
        read_deeperforensics(root)
    (root / "manipulated_videos").rename(root / "end_to_end")
    with pytest.raises(UserError, match=r"no folders such as manipulated_videos/end_to_end"):
        read_deeperforensics(root)
