"""Celeb-DF v1, v2 and v3 as published."""

from pathlib import Path

import pytest
from trees import grow

from difffake.errors import UserError
from difffake.readers.celeb_df import LIST, read_celeb_df

V2 = (
    "Celeb-real/id0_0000.mp4", "Celeb-real/id0_0005.mp4", "Celeb-real/id1_0007.mp4", "YouTube-real/00170.mp4",
    "Celeb-synthesis/id1_id0_0007.mp4", "Celeb-synthesis/id0_id1_0005.mp4",
)  # fmt: skip


def listed(root: Path, *lines: str) -> Path:
    (root / LIST).write_text("\n".join(lines) + "\n")
    return root


@pytest.fixture
def second(tmp_path: Path) -> Path:
    lines = "1 YouTube-real/00170.mp4", "1 Celeb-real/id1_0007.mp4", "1 Celeb-real/id0_0005.mp4"
    return listed(grow(tmp_path, *V2), *lines, "0 Celeb-synthesis/id1_id0_0007.mp4")


def test_the_list_is_the_test_set_and_says_1_for_real(second: Path) -> None:
    found = {item.video: item for item in read_celeb_df(second)}
    assert {video: (item.label, item.split) for video, item in found.items()} == {
        "id0_0000": (0, "train"), "id0_0005": (0, "test"), "id1_0007": (0, "test"), "00170": (0, "test"),
        "Celeb-synthesis/id1_id0_0007": (1, "test"), "Celeb-synthesis/id0_id1_0005": (1, "train"),
    }  # fmt: skip
    assert [found[video].identity for video in ("id1_0007", "00170")] == ["id1", "00170"]
    fake = found["Celeb-synthesis/id1_id0_0007"]
    # The first identity is the target; the face is of id0, of whom a video of the same split stands for it.
    assert (fake.identity, fake.target, fake.source, fake.method) == ("id1", "id1_0007", "id0_0005", "Celeb-synthesis")
    assert (found["id1_0007"].target, fake.name) == ("id1_0007", "Celeb-synthesis/id1_id0_0007")


def test_videos_in_subfolders_and_as_frames(tmp_path: Path) -> None:
    grow(
        tmp_path,
        "Celeb-real/videos/id0_0000.mp4",
        "Youtube-real/videos/00170.mp4",  # spelled so in the layout of Self-Blended Images
        "Celeb-synthesis/frames/id0_id7_0000/012.png",
    )
    listed(tmp_path, "1 YouTube-real/00170.mp4", "0 Celeb-synthesis/id0_id7_0000.mp4")
    real, youtube, fake = read_celeb_df(tmp_path)
    assert (real.split, youtube.split, fake.split) == ("train", "test", "test")
    assert [number for number, _ in fake.images] == [12]
    assert fake.source == "id7"  # nobody's video, but the same person's face


def test_third_version_has_a_folder_for_each_method(tmp_path: Path) -> None:
    fakes = ("FaceSwap/BlendFace/id0_id1_0000", "FaceReenact/LIA/id0_id1_0000", "TalkingFace/FLOAT/id0_0000_test_id3")
    grow(tmp_path, *V2[:4], *(f"Celeb-synthesis/{fake}.mp4" for fake in fakes))
    listed(tmp_path, f"0 Celeb-synthesis/{fakes[1]}.mp4", "1 Celeb-real/id0_0000.mp4")
    *_, reenacted, swapped, talking = sorted(read_celeb_df(tmp_path), key=lambda item: (item.label, item.name))
    found = swapped, reenacted, talking
    assert [(item.method, item.video, item.source, item.target, item.split) for item in found] == [
        ("BlendFace", "BlendFace/id0_id1_0000", "id1_0007", "id0_0000", "train"),
        ("LIA", "LIA/id0_id1_0000", "id1_0007", "id0_0000", "test"),
        ("FLOAT", "FLOAT/id0_0000_test_id3", "", "id0_0000", "train"),
    ]  # fmt: skip


def test_what_is_missing_of_the_list_is_said_and_kept(second: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (second / V2[4]).unlink()
    fake = read_celeb_df(second)[-1]
    assert (fake.file, fake.label, fake.split, fake.is_video) == (second / V2[4], 1, "test", True)
    assert f"{LIST}: 1 of 4 videos are missing, such as celeb-synthesis/id1_id0_0007" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["1 YouTube-real/00170.mp4", "1 Celeb-synthesis/id1_id0_0007.mp4"], r"line 2: .* contradicts its folder"),
        (["0 YouTube-real/00170.mp4"], "line 1: .* contradicts its folder: 1 is real"),
        (["YouTube-real/00170.mp4"], "line 1: .* is not like `1 YouTube-real"),
    ],
)
def test_lists_that_are_upside_down_or_of_another_form(second: Path, lines: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_celeb_df(listed(second, *lines))


def test_half_downloads_and_unknown_names(second: Path) -> None:
    (second / "Celeb-real" / "id0.mp4").touch()
    with pytest.raises(UserError, match=r"id0\.mp4: its name is not like id1_0007"):
        read_celeb_df(second)
    (second / "YouTube-real" / "00170.mp4").unlink()
    with pytest.raises(UserError, match="YouTube-real has no videos"):
        read_celeb_df(second)
    (second / "YouTube-real").rmdir()
    with pytest.raises(UserError, match="lacks one of the folders"):
        read_celeb_df(second)
    (second / LIST).unlink()
    with pytest.raises(UserError, match=f"{LIST} is missing"):
        read_celeb_df(second)
