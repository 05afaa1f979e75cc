"""Class folders, and readers of real faces that refuse them."""

from collections.abc import Callable
from pathlib import Path

import pytest
from trees import grow

from difffake.errors import UserError
from difffake.readers.classes import read_classes
from difffake.readers.folder import read_folder
from difffake.readers.item import Item
from difffake.readers.videos import read_videos


def test_pictures_and_videos_by_class(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    grow(tmp_path, "0_real/a1.jpg", "0_real/b/c.mp4", "1_fake/a1.png", "Deepfakes/d.mp4", "notes/e.jpg", "f.jpg")
    assert [(item.name, item.label, item.method, item.video) for item in read_classes(tmp_path)] == [
        ("0_real/a1", 0, "real", ""),
        ("0_real/b/c", 0, "real", "0_real/b/c"),
        ("1_fake/a1", 1, "fake", ""),
        ("Deepfakes/d", 1, "Deepfakes", "Deepfakes/d"),
    ]
    assert "2 other files left out (2 .jpg; the first is f.jpg)" in capsys.readouterr().err


def test_abbreviations_of_methods_beside_a_class(tmp_path: Path) -> None:
    grow(tmp_path, "real/a.mp4", "DF/b.mp4", "F2F/c.mp4")
    assert {item.method: item.label for item in read_classes(tmp_path)} == {"real": 0, "DF": 1, "F2F": 1}


@pytest.mark.parametrize(("train", "valid"), [("train/real", "Validation/fake/x"), ("real/train", "fake/x/valid")])
def test_splits_around_and_between_classes(tmp_path: Path, train: str, valid: str) -> None:
    grow(tmp_path, f"{train}/a.jpg", f"{valid}/b.jpg")
    assert {item.split: (item.label, item.video) for item in read_classes(tmp_path)}["train"] == (0, "")
    assert {item.split for item in read_classes(tmp_path)} == {"train", "val"}


def test_numbered_pictures_in_a_folder_are_a_video(tmp_path: Path) -> None:
    grow(tmp_path, "real/000/0004.png", "real/000/0010.png", "fake/v/x.png", "fake/v/y.png")
    *stills, video = read_classes(tmp_path)
    assert [still.name for still in stills] == ["fake/v/x", "fake/v/y"]
    assert (video.video, video.label, [number for number, _ in video.images]) == ("real/000", 0, [4, 10])


def test_folders_that_contradict_each_other_or_say_nothing(tmp_path: Path) -> None:
    grow(tmp_path, "Ann/1.jpg")
    with pytest.raises(UserError, match="no pictures or videos in folders named real or fake"):
        read_classes(tmp_path)
    grow(tmp_path, "real/fake/1.jpg")
    with pytest.raises(UserError, match=r"1\.jpg is both real and fake by its folders real, fake"):
        read_classes(tmp_path)


@pytest.mark.parametrize("reader", [read_folder, read_videos])
@pytest.mark.parametrize(
    ("folders", "named"),
    [
        (("0_real", "1_fake"), "1_fake"),
        (("Celeb-real", "Celeb-synthesis"), "Celeb-synthesis"),
        (("real", "DF", "F2F"), "DF"),
        (("original_sequences/youtube", "manipulated_sequences/x"), "manipulated_sequences"),
        (("Ann", "train/NeuralTextures"), "train/NeuralTextures"),
    ],
)
def test_readers_of_real_faces_refuse_fakes(
    tmp_path: Path, reader: Callable[[Path], list[Item]], folders: tuple[str, ...], named: str
) -> None:
    grow(tmp_path, *(f"{folder}/1.{suffix}" for folder in folders for suffix in ("jpg", "mp4")))
    with pytest.raises(UserError, match=f"{named} says fake, but .* --reader classes"):
        reader(tmp_path)
    with pytest.raises(UserError, match="Celeb-synthesis says fake"):
        reader(grow(tmp_path / "Celeb-synthesis", "a/1.jpg", "a/1.mp4"))


def test_people_and_real_clips_have_ordinary_names(tmp_path: Path) -> None:
    grow(tmp_path / "a", "Ann_Fake/1.jpg", "DF/2.jpg", "Real_Madrid/3.jpg", "deepfake_me/4.jpg")
    assert len(read_folder(tmp_path / "a")) == 4
    assert len(read_videos(grow(tmp_path / "b", "Celeb-real/1.mp4", "YouTube-real/2.mp4"))) == 2
    with pytest.raises(UserError, match="0_real is no person's name: --reader classes"):
        read_folder(grow(tmp_path / "c", "0_real/1.jpg"))
