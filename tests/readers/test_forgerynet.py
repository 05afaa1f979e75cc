"""ForgeryNet's images with its lists."""

from pathlib import Path

import pytest
from trees import grow

from difffake.errors import UserError
from difffake.readers.forgerynet import read_forgerynet

TRAINING = (
    "train_release/18/aa7b/frame00014.jpg 0 0 0",
    "train_release/18/aa7b/frame00002.jpg 0 0 0",
    "train_release/1/c0/d1/frame00003.jpg 1 1 1",
    "train_release/10/e2/frame00009.jpg 1 2 10",
    "train_release/11/f3/one.jpg 1 2 11",
    "train_release/11/f3/two.jpg 1 2 11",
)


def part(root: Path, name: str, lines: tuple[str, ...]) -> None:
    """A list and its images."""
    grow(root, *(f"{name}/image/{line.rsplit(maxsplit=3)[0]}" for line in lines))
    (root / name / "image_list.txt").write_text("\n".join(lines) + "\n")


def test_frames_of_a_folder_are_a_video(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    part(tmp_path, "Training", TRAINING)
    part(tmp_path, "Validation", ("val_release/19/aa/frame00001.jpg 0 0 0",))
    grow(tmp_path, "Training/video_list.txt", "Test/image/x/1.jpg")
    items = read_forgerynet(tmp_path)
    assert [(i.video, i.label, i.method, i.split, [number for number, _ in i.images]) for i in items] == [
        ("train_release/18/aa7b", 0, "real", "train", [2, 14]),
        ("train_release/1/c0/d1", 1, "FaceShifter", "train", [3]),
        ("train_release/10/e2", 1, "First Order Motion", "train", [9]),
        ("", 1, "StyleGAN2", "train", []),
        ("", 1, "StyleGAN2", "train", []),
        ("val_release/19/aa", 0, "real", "val", [1]),
    ]
    assert items[3].file == tmp_path / "Training/image/train_release/11/f3/one.jpg"
    said = capsys.readouterr().err
    assert "Training: videos left out: fakes among them have real stretches" in said
    assert "Test: image_list.txt is missing" in said


def test_images_that_are_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    part(tmp_path, "Training", TRAINING)
    (tmp_path / "Training/image/train_release/18/aa7b/frame00002.jpg").unlink()
    (tmp_path / "Training/image/train_release/1/c0/d1/frame00003.jpg").unlink()
    assert [len(item.images) for item in read_forgerynet(tmp_path)] == [1, 1, 0, 0]
    assert "image_list.txt: 2 listed images missing, such as some of " in capsys.readouterr().err


@pytest.mark.parametrize("line", ["a/b.jpg 0 0 1", "a/b.jpg 1 1", "a/b.jpg 1 1 16", "a/b.jpg 2 1 3", "a/b.jpg x y z"])
def test_lines_of_another_form(tmp_path: Path, line: str) -> None:
    part(tmp_path, "Validation", (line,))
    with pytest.raises(UserError, match=r"image_list\.txt, line 1: "):
        read_forgerynet(tmp_path)
    with pytest.raises(UserError, match="no folder Training, Validation, Test has a image_list"):
        read_forgerynet(grow(tmp_path / "else", "a.jpg"))
