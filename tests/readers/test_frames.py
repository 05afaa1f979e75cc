"""Folders of numbered images are videos."""

from pathlib import Path

import pytest
from trees import grow

from difffake.errors import UserError
from difffake.readers.frames import frame_folders, frames_in, frames_item, numbered


def test_frames_are_sorted_by_number_and_not_by_name(tmp_path: Path) -> None:
    grow(tmp_path, "v/10.png", "v/9.png", "v/frame_002.JPG", "v/notes.txt")
    assert [(number, file.name) for number, file in frames_in(tmp_path / "v")] == [
        (2, "frame_002.JPG"), (9, "9.png"), (10, "10.png"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("names", "message"), [(("a.png",), r"a\.png: a frame's name"), (("1.png", "01.jpg"), "frame 1")]
)
def test_frames_without_or_with_the_same_number(tmp_path: Path, names: tuple[str, ...], message: str) -> None:
    with pytest.raises(UserError, match=message):
        numbered(tmp_path / name for name in names)


def test_folders_at_any_depth(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    grow(tmp_path, "a/v1.5/0.png", "a/v1.5/1.png", "b/c/7.jpg", "b/c/landmarks.npy", "readme.md", "b/8.npy")
    folders = frame_folders(tmp_path)
    assert {folder.relative_to(tmp_path).as_posix(): [n for n, _ in images] for folder, images in folders.items()} == {
        "a/v1.5": [0, 1],
        "b/c": [7],
    }
    assert "3 other files left out (2 .npy, 1 .md; the first is b/8.npy)" in " ".join(capsys.readouterr().err.split())
    item = frames_item(tmp_path / "a/v1.5", folders[tmp_path / "a/v1.5"], tmp_path, video="v")
    assert (item.name, item.is_video, item.video) == ("a/v1.5", True, "v")
